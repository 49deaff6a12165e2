import { dateTimeOf, moment } from "../calendar.ts"
import type { Moment, WaveName } from "../calendar.ts"
import { kinds, seriesOf } from "../dicom/series.ts"
import { personas } from "../personas.ts"
import type { PersonPlan, StudyPlan } from "../plan.ts"
import { fractureStories } from "../stories.ts"
import type { FractureStory } from "../stories.ts"
import { systems } from "../systems.ts"
import { doctorOf, location, organization } from "./directory.ts"
import { accessionIdentifier, meta, reference, told } from "./resource.ts"
import type { Line, Resource } from "./resource.ts"

/** The element that says whom a resource is about. */
export const subjectOf = (plan: PersonPlan) => ({ subject: reference("Patient", plan.person.patientId) })
const actCode = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

interface Visit {
  readonly id: string
  readonly version: number
  readonly start: Moment
  /** None while the visit goes on. */
  readonly end?: Moment
  readonly updated: Moment
}

const encounter = (plan: PersonPlan, { id, version, start, end, updated }: Visit): Resource => ({
  resourceType: "Encounter",
  id,
  ...meta(version, updated, plan.person.random.at(id)),
  status: end === undefined ? "in-progress" : "finished",
  class: { system: actCode, code: plan.index % 3 === 0 ? "EMER" : "AMB" },
  ...subjectOf(plan),
  participant: [{ individual: doctorOf(plan) }],
  period: { start: dateTimeOf(start), ...(end === undefined ? {} : { end: dateTimeOf(end) }) },
  location: [{ location }],
  serviceProvider: organization,
})

const hour = 60

function studyVisit(plan: PersonPlan, study: StudyPlan): readonly Line[] {
  const story: FractureStory = fractureStories[study.story.fracture ?? "none"]
  const start = study.started - 2 * hour
  const end = study.started + 5 * hour
  const base = { id: study.encounter, start }
  if (story.open !== true) return [told("wave1", encounter(plan, { ...base, version: 1, end, updated: end + hour }))]
  return [
    told("wave1", encounter(plan, { ...base, version: 1, updated: start + hour })),
    told("wave2", encounter(plan, { ...base, version: 2, end, updated: moment(322, 10) })),
  ]
}

/** A visit without imaging, by which the person is seen. */
function followUp(plan: PersonPlan, wave: WaveName, day: number): Line {
  const start = moment(day, 10)
  const id = plan.person.random.uuid("Encounter", wave)
  return told(wave, encounter(plan, { id, version: 1, start, end: start + hour, updated: start + 2 * hour }))
}

const seriesJson = (plan: PersonPlan, study: StudyPlan) => {
  const kind = kinds[study.kind]
  const [code, display] = kind.site
  return seriesOf(plan, study, personas.length).map((series) => ({
    uid: series.uid,
    number: series.number,
    modality: { system: systems.dicom, code: kind.modality },
    description: series.description,
    numberOfInstances: series.instances.length,
    bodySite: { system: systems.snomed, code, display },
    instance: series.instances.slice(0, 2).map(({ uid, number }) => ({
      uid,
      sopClass: { system: "urn:ietf:rfc:3986", code: `urn:oid:${kind.sopClass}` },
      number,
    })),
  }))
}

/** Of a study whose images never come, one series without instances. */
const unseenSeries = (study: StudyPlan) => {
  const kind = kinds[study.kind]
  const [code, display] = kind.site
  return {
    uid: study.random.uid("series", 1),
    modality: { system: systems.dicom, code: kind.modality },
    bodySite: { system: systems.snomed, code, display },
  }
}

function imagingStudy(plan: PersonPlan, study: StudyPlan): Resource {
  const kind = kinds[study.kind]
  const series = seriesJson(plan, study)
  const numbered = plan.index % 4 !== 2
  return {
    resourceType: "ImagingStudy",
    id: study.imagingStudy,
    ...meta(1, study.started + 3 * hour, study.random.at("ImagingStudy")),
    identifier: [
      { system: "urn:dicom:uid", value: `urn:oid:${study.uid}` },
      ...(numbered ? [accessionIdentifier(study.accession)] : []),
    ],
    status: "available",
    modality: [{ system: systems.dicom, code: kind.modality }],
    ...subjectOf(plan),
    encounter: reference("Encounter", study.encounter),
    started: dateTimeOf(study.started),
    basedOn: [reference("ServiceRequest", study.order)],
    referrer: doctorOf(plan),
    description: kind.study,
    series: series.length > 0 ? series : [unseenSeries(study)],
  }
}

const order = (plan: PersonPlan, study: StudyPlan): Resource => ({
  resourceType: "ServiceRequest",
  id: study.order,
  ...meta(1, study.started + hour, study.random.at("ServiceRequest")),
  identifier: [accessionIdentifier(study.accession)],
  status: "completed",
  intent: "order",
  code: { text: kinds[study.kind].study },
  ...subjectOf(plan),
  encounter: reference("Encounter", study.encounter),
  authoredOn: dateTimeOf(study.started - hour),
  requester: doctorOf(plan),
  note: [{ text: `Please call ${plan.person.phone} with the result` }],
})

/** An order that wave 2 revokes. */
function revoked(plan: PersonPlan): readonly Line[] {
  if (plan.index % 5 !== 3 || plan.has("lost")) return []
  const { random } = plan.person
  const resource = (version: number, status: string, day: number): Resource => ({
    resourceType: "ServiceRequest",
    id: random.uuid("revoked"),
    ...meta(version, moment(day, 15), random.at("revoked")),
    status,
    intent: "order",
    code: { text: "CT follow up" },
    ...subjectOf(plan),
    authoredOn: dateTimeOf(moment(301, 14)),
    requester: doctorOf(plan),
  })
  return [told("wave1", resource(1, "active", 301)), told("wave2", resource(2, "revoked", 316))]
}

/** Encounters, orders and imaging studies of a person. */
export function visitLines(plan: PersonPlan): readonly Line[] {
  const recorded = plan.studies.filter(({ story }) => story.only !== "dicom")
  const last = plan.has("lost")
    ? []
    : [
        followUp(plan, "wave1", 296 + (plan.index % 8)),
        ...(plan.has("died") ? [] : [followUp(plan, "wave2", 346 + (plan.index % 3))]),
      ]
  return [
    ...recorded.flatMap((study) => [
      ...studyVisit(plan, study),
      told("wave1", order(plan, study)),
      told("wave1", imagingStudy(plan, study)),
    ]),
    ...revoked(plan),
    ...last,
  ]
}
