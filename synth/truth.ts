import { dateTimeOf } from "./calendar.ts"
import type { WaveName } from "./calendar.ts"
import { kinds, seriesOf } from "./dicom/series.ts"
import type { Fate } from "./fate.ts"
import { expectedLabels } from "./labels.ts"
import type { ExpectedLabels } from "./labels.ts"
import { personas } from "./personas.ts"
import type { PersonPlan, StudyPlan } from "./plan.ts"
import { systems } from "./systems.ts"

/** One file, or one line of an NDJSON file, and what should become of it. */
export type Arrival = Fate & {
  readonly wave: WaveName
  readonly file: string
  /** From 1, of NDJSON files. */
  readonly line?: number
  readonly person?: string
  /** FHIR resource type, or `dicom`. */
  readonly type: string
}

/** A study as it really is. */
export interface TrueStudy {
  readonly uid: string
  readonly accession: string
  readonly kind: string
  readonly modality: string
  readonly bodyPart: string
  readonly started: string
  /** Distinct instances that have come by the end of each wave. */
  readonly instances: { readonly wave1: number; readonly wave2: number }
  /** Whether an ImagingStudy tells of it. */
  readonly resource: boolean
  readonly labels: ExpectedLabels
}

export interface TrueIdentifier {
  /** Declared namespace; none for identifiers that no pipeline declares. */
  readonly namespace?: string
  /** FHIR system or DICOM issuer. */
  readonly system: string
  readonly value: string
}

/** A patient as they really are. */
export interface TruePerson {
  readonly person: string
  readonly patientId: string
  readonly identifiers: readonly TrueIdentifier[]
  readonly birthDate: string
  /** Wave in which the Patient resource first comes. */
  readonly registered: WaveName
  /** From wave 2 on the same person as this one. */
  readonly mergedWith?: string
  /** False when nothing in the images leads to the patient. */
  readonly imagesLinked: boolean
  readonly traits: readonly string[]
  readonly studies: readonly TrueStudy[]
}

function trueStudy(plan: PersonPlan, study: StudyPlan): TrueStudy {
  const instances = seriesOf(plan, study, personas.length).flatMap((series) => series.instances)
  const { modality, bodyPart } = kinds[study.kind]
  return {
    uid: study.uid,
    accession: study.accession,
    kind: study.kind,
    modality,
    bodyPart,
    started: dateTimeOf(study.started),
    instances: { wave1: instances.filter(({ late }) => !late).length, wave2: instances.length },
    resource: study.story.only !== "dicom",
    labels: expectedLabels(plan, study),
  }
}

/** The ground truth of a patient. */
export function truePerson(plan: PersonPlan): TruePerson {
  const { person, partner } = plan
  const other = plan.has("merged-into") ? -1 : 1
  return {
    person: person.name,
    patientId: person.patientId,
    identifiers: [
      { namespace: "mrn", system: systems.mrn, value: person.mrn },
      { system: systems.insurance, value: person.insurance },
      { system: systems.ssn, value: person.ssn },
      { system: plan.has("foreign-issuer") ? "EXT-CLINIC" : "OLD", value: person.oldId },
    ],
    birthDate: person.birthDate,
    registered: plan.has("late-patient") ? "wave2" : "wave1",
    ...(partner === undefined ? {} : { mergedWith: `P${String(plan.index + other + 1).padStart(4, "0")}` }),
    imagesLinked: !plan.has("foreign-issuer") && !plan.has("no-patient-id"),
    traits: plan.persona.traits ?? [],
    studies: plan.studies.map((study) => trueStudy(plan, study)),
  }
}
