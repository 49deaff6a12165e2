import { dateTimeOf, moment } from "../calendar.ts"
import type { Moment } from "../calendar.ts"
import { dropped } from "../fate.ts"
import type { PersonPlan, StudyPlan } from "../plan.ts"
import { renalStories } from "../stories.ts"
import type { LabStory } from "../stories.ts"
import { measurements, systems } from "../systems.ts"
import type { Coding } from "../systems.ts"
import { concept, meta, told } from "./resource.ts"
import type { Line, Resource } from "./resource.ts"
import { subjectOf } from "./visit.ts"

interface Result {
  readonly id: string
  readonly version: number
  readonly status: string
  readonly code: Coding
  readonly value: number
  /** UCUM; none when the feed lost it. */
  readonly unit?: string
  readonly at: Moment
  readonly updated: Moment
}

const observation = (plan: PersonPlan, result: Result): Resource => ({
  resourceType: "Observation",
  id: result.id,
  ...meta(result.version, result.updated, plan.person.random.at(result.id)),
  status: result.status,
  category: [
    { coding: [{ system: "http://terminology.hl7.org/CodeSystem/observation-category", code: "laboratory" }] },
  ],
  code: concept(result.code),
  ...subjectOf(plan),
  effectiveDateTime: dateTimeOf(result.at),
  issued: dateTimeOf(result.at + 90),
  valueQuantity: {
    value: result.value,
    ...(result.unit === undefined ? {} : { unit: result.unit, system: systems.ucum, code: result.unit }),
  },
})

/** Creatinine two to eighteen days before a study. */
function creatinine(plan: PersonPlan, study: StudyPlan): readonly Line[] {
  const story: LabStory = renalStories[study.story.renal ?? "none"]
  const random = study.random.at("creatinine")
  const at = moment(study.day - random.int(2, 18), random.int(7, 15))
  const newest = Math.max(...story.told.map(({ version }) => version))
  let met = 0
  return story.told.map(({ wave, version, says }) => {
    const updated = wave === "wave2" ? moment(312 + random.int(0, 9), 11) : at + 120 * version
    const late = version < met
    met = Math.max(met, version)
    const code = measurements.creatinine[story.code]
    const result = { id: study.random.uuid("Observation"), version, code, at, updated, ...says }
    const stale = late && version < newest
    return told(wave, observation(plan, result), stale ? dropped("older-version") : undefined)
  })
}

/** Hemoglobin, and troponin with chest radiographs: values that no phenotype reads. */
function others(plan: PersonPlan, study: StudyPlan): readonly Line[] {
  const random = study.random.at("others")
  const at = study.started - 60
  const base = { version: 1, status: "final", at, updated: at + 200 }
  const local = random.int(0, 3) === 0
  const hemoglobin = {
    ...base,
    id: random.uuid("hemoglobin"),
    code: local ? measurements.hemoglobinLocal : measurements.hemoglobin,
    value: random.int(95, 165) / 10,
    unit: "g/dL",
  }
  const troponin = {
    ...base,
    id: random.uuid("troponin"),
    code: measurements.troponin,
    value: random.int(2, 60),
    unit: "ng/L",
  }
  const results = study.kind === "cr-chest" ? [hemoglobin, troponin] : [hemoglobin]
  return results.map((result) => told("wave1", observation(plan, result)))
}

/** Laboratory results of a person. */
export const laboratoryLines = (plan: PersonPlan): readonly Line[] =>
  plan.studies.flatMap((study) => [...creatinine(plan, study), ...others(plan, study)])
