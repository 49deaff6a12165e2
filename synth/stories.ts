import type { WaveName } from "./calendar.ts"

export type Value = "positive" | "negative" | "uncertain" | "unknown"
/** What a phenotype says of a study at the end of wave 1 and of wave 2. */
export type Course = readonly [wave1: Value, wave2: Value]

/** A version of a resource and the delivery that brings it. */
export interface Told<T> {
  readonly wave: WaveName
  readonly version: number
  readonly says: T
}

export interface LabStory {
  readonly code: "loinc" | "local" | "unmapped"
  /** In the order in which they arrive. */
  readonly told: readonly Told<{ readonly status: string; readonly value: number; readonly unit?: string }>[]
  readonly course: Course
}

const lab = (status: string, value: number, unit?: string) => ({
  status,
  value,
  ...(unit === undefined ? {} : { unit }),
})
const first = <T>(says: T): Told<T> => ({ wave: "wave1", version: 1, says })
const again = <T>(says: T, wave: WaveName = "wave2"): Told<T> => ({ wave, version: 2, says })
const always = (value: Value): Course => [value, value]
const creatinine = (code: LabStory["code"], course: Course, ...told: LabStory["told"]): LabStory => ({
  code,
  told,
  course,
})

/** Creatinine in the 30 days before a study. The bound is 1.5 mg/dL, 132.6 umol/L by the molar mass. */
export const renalStories = {
  none: creatinine("loinc", always("unknown")),
  normal: creatinine("loinc", always("negative"), first(lab("final", 0.9, "mg/dL"))),
  "normal-molar": creatinine("loinc", always("negative"), first(lab("final", 80, "umol/L"))),
  high: creatinine("loinc", always("positive"), first(lab("final", 2.1, "mg/dL"))),
  "high-molar": creatinine("loinc", always("positive"), first(lab("final", 190, "umol/L"))),
  "high-local": creatinine("local", always("positive"), first(lab("final", 2.4, "mg/dL"))),
  "local-unmapped": creatinine("unmapped", always("unknown"), first(lab("final", 2.2, "mg/dL"))),
  "unit-missing": creatinine("loinc", always("unknown"), first(lab("final", 2.05))),
  "unit-other": creatinine("loinc", always("unknown"), first(lab("final", 2.3, "U/L"))),
  cancelled: creatinine("loinc", always("unknown"), first(lab("cancelled", 2.6, "mg/dL"))),
  preliminary: creatinine(
    "loinc",
    ["uncertain", "positive"],
    first(lab("preliminary", 2.2, "mg/dL")),
    again(lab("final", 2.25, "mg/dL")),
  ),
  "cancelled-later": creatinine(
    "loinc",
    ["uncertain", "unknown"],
    first(lab("preliminary", 2.0, "mg/dL")),
    again(lab("cancelled", 2.0, "mg/dL")),
  ),
  amended: creatinine(
    "loinc",
    ["positive", "negative"],
    first(lab("final", 2.4, "mg/dL")),
    again(lab("amended", 0.8, "mg/dL")),
  ),
  "amended-reversed": creatinine(
    "loinc",
    always("negative"),
    again(lab("amended", 0.85, "mg/dL"), "wave1"),
    first(lab("final", 2.45, "mg/dL")),
  ),
  error: creatinine(
    "loinc",
    ["positive", "unknown"],
    first(lab("final", 2.7, "mg/dL")),
    again(lab("entered-in-error", 2.7, "mg/dL")),
  ),
} as const satisfies Readonly<Record<string, LabStory>>
export type RenalStory = keyof typeof renalStories

export interface ConditionSays {
  readonly verification: string
  readonly code: "snomed" | "icd" | "local" | "unmapped"
}
export interface ReportSays {
  readonly status: string
  readonly malignant: boolean
}

/** When the chest CT of a story is: its window of 180 days is over in wave 1 (old), in wave 2 (recent) or in neither (open). */
export type Age = "old" | "recent" | "open"

/** At most one of condition and report is told. */
export interface CancerStory {
  readonly age: Age
  readonly condition?: readonly Told<ConditionSays>[]
  readonly report?: readonly Told<ReportSays>[]
  /** How the pathology report names the study. */
  readonly link?: "study" | "order" | "none"
  /** The diagnosis is known by its year alone. */
  readonly partialDate?: true
  readonly course: Course
}

const confirmed = (code: ConditionSays["code"]): ConditionSays => ({ verification: "confirmed", code })
const said = (verification: string): ConditionSays => ({ verification, code: "snomed" })
const malignant = (status: string): ReportSays => ({ status, malignant: true })

/** Lung cancer in the 180 days after a chest CT. */
export const cancerStories = {
  clear: { age: "old", course: always("negative") },
  lost: { age: "old", course: always("unknown") },
  recent: { age: "recent", course: ["unknown", "negative"] },
  open: { age: "open", course: always("unknown") },
  "pathology-study": { age: "old", report: [first(malignant("final"))], link: "study", course: always("positive") },
  "pathology-order": { age: "old", report: [first(malignant("final"))], link: "order", course: always("positive") },
  "pathology-unlinked": { age: "old", report: [first(malignant("final"))], link: "none", course: always("positive") },
  "pathology-late": {
    age: "open",
    report: [{ wave: "wave2", version: 1, says: malignant("final") }],
    link: "study",
    course: ["unknown", "positive"],
  },
  "pathology-preliminary": {
    age: "old",
    report: [first(malignant("preliminary")), again(malignant("final"))],
    link: "order",
    course: ["uncertain", "positive"],
  },
  "pathology-error": {
    age: "old",
    report: [first(malignant("final")), again(malignant("entered-in-error"))],
    link: "study",
    course: ["positive", "negative"],
  },
  "pathology-benign": {
    age: "old",
    report: [first({ status: "final", malignant: false })],
    link: "none",
    course: always("negative"),
  },
  icd: { age: "old", condition: [first(confirmed("icd"))], course: always("positive") },
  local: { age: "old", condition: [first(confirmed("local"))], course: always("positive") },
  provisional: { age: "old", condition: [first(said("provisional"))], course: always("uncertain") },
  differential: { age: "open", condition: [first(said("differential"))], course: always("uncertain") },
  refuted: { age: "old", condition: [first(said("refuted"))], course: always("negative") },
  "partial-date": {
    age: "old",
    condition: [first(confirmed("snomed"))],
    partialDate: true,
    course: always("uncertain"),
  },
  "condition-error": {
    age: "old",
    condition: [first(confirmed("snomed")), again(said("entered-in-error"))],
    course: ["positive", "negative"],
  },
} as const satisfies Readonly<Record<string, CancerStory>>
export type CancerStoryName = keyof typeof cancerStories

export interface FractureStory {
  readonly condition?: readonly Told<ConditionSays>[]
  /** The visit has no end before wave 2. */
  readonly open?: true
  readonly course: Course
}

/** A fracture in the encounter of the study; without an encounter it is unknown. */
export const fractureStories = {
  none: { course: always("negative") },
  "visit-open": { open: true, course: ["unknown", "negative"] },
  confirmed: { condition: [first(confirmed("snomed"))], course: always("positive") },
  icd: { condition: [first(confirmed("icd"))], course: always("positive") },
  local: { condition: [first(confirmed("local"))], course: always("positive") },
  "local-unmapped": { condition: [first(confirmed("unmapped"))], course: always("negative") },
  provisional: { condition: [first(said("provisional"))], course: always("uncertain") },
  refuted: { condition: [first(said("refuted"))], course: always("negative") },
  error: {
    condition: [first(confirmed("snomed")), again(said("entered-in-error"))],
    course: ["positive", "negative"],
  },
  late: {
    condition: [{ wave: "wave2", version: 1, says: confirmed("snomed") }],
    course: ["negative", "positive"],
  },
} as const satisfies Readonly<Record<string, FractureStory>>
export type FractureStoryName = keyof typeof fractureStories
