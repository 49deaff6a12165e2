import { dateOf, dateTimeOf, moment } from "../calendar.ts"
import type { Moment } from "../calendar.ts"
import type { PersonPlan, StudyPlan } from "../plan.ts"
import { cancerStories, fractureStories } from "../stories.ts"
import type { CancerStory, ConditionSays, FractureStory, Told } from "../stories.ts"
import { diagnoses } from "../systems.ts"
import type { Coding } from "../systems.ts"
import { concept, meta, reference, told } from "./resource.ts"
import type { Line, Resource } from "./resource.ts"
import { subjectOf } from "./visit.ts"

const status = (kind: "clinical" | "ver-status", code: string) => ({
  coding: [{ system: `http://terminology.hl7.org/CodeSystem/condition-${kind}`, code }],
})

interface Diagnosis {
  readonly id: string
  readonly code: Coding
  readonly onset: string
  readonly recorded: Moment
  readonly encounter?: string
}

function condition(
  plan: PersonPlan,
  { id, code, onset, recorded, encounter }: Diagnosis,
  says: Told<ConditionSays>,
): Line {
  const { verification } = says.says
  const gone = verification === "entered-in-error"
  const updated = says.wave === "wave2" ? moment(313, 9) + (plan.index % 600) : recorded + 30
  const resource: Resource = {
    resourceType: "Condition",
    id,
    ...meta(says.version, updated, plan.person.random.at(id)),
    // con-5: no clinical status with entered-in-error.
    ...(gone ? {} : { clinicalStatus: status("clinical", verification === "refuted" ? "inactive" : "active") }),
    verificationStatus: status("ver-status", verification),
    code: concept(code),
    ...subjectOf(plan),
    ...(encounter === undefined ? {} : { encounter: reference("Encounter", encounter) }),
    onsetDateTime: onset,
    recordedDate: dateOf(recorded),
    note: [{ text: `${plan.person.given} was told on the phone (${plan.person.phone})` }],
  }
  return told(says.wave, resource)
}

function cancer(plan: PersonPlan, study: StudyPlan): readonly Line[] {
  if (study.story.cancer === undefined || study.story.sharesReport === true) return []
  const story: CancerStory = cancerStories[study.story.cancer]
  const at = moment(study.day + 6 + study.random.at("cancer").int(0, 3), 11)
  const onset = story.partialDate === true ? dateOf(at).slice(0, 4) : dateOf(at)
  return (story.condition ?? []).map((says) =>
    condition(
      plan,
      { id: study.random.uuid("cancer"), code: diagnoses.cancer[says.says.code], onset, recorded: at },
      says,
    ),
  )
}

function fracture(plan: PersonPlan, study: StudyPlan): readonly Line[] {
  const story: FractureStory = fractureStories[study.story.fracture ?? "none"]
  const codes = study.kind === "mr-knee" ? diagnoses.patella : diagnoses.rib
  const at = study.started + 45
  return (story.condition ?? []).map((says) =>
    condition(
      plan,
      {
        id: study.random.uuid("fracture"),
        code: codes[says.says.code],
        onset: dateTimeOf(at),
        recorded: at,
        ...(study.story.only === "dicom" ? {} : { encounter: study.encounter }),
      },
      says,
    ),
  )
}

/** What the records of the patient who is merged into this one say is not so. */
function refuted(plan: PersonPlan): readonly Line[] {
  if (!plan.has("merged-into")) return []
  const at = moment(120, 10)
  const diagnosis = {
    id: plan.person.random.uuid("refuted"),
    code: diagnoses.cancer.snomed,
    onset: dateOf(at),
    recorded: at,
  }
  return [condition(plan, diagnosis, { wave: "wave1", version: 1, says: { verification: "refuted", code: "snomed" } })]
}

/** Conditions of a person. */
export const diagnosisLines = (plan: PersonPlan): readonly Line[] => [
  ...plan.studies.flatMap((study) => [...cancer(plan, study), ...fracture(plan, study)]),
  ...refuted(plan),
]
