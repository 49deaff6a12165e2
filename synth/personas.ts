import type { CancerStoryName, FractureStoryName, RenalStory } from "./stories.ts"

export type StudyKind = "ct-chest" | "mr-knee" | "mr-head" | "cr-chest" | "us-abdomen"

/** One study of a persona, and what is told about it. */
export interface StudyStory {
  readonly kind: StudyKind
  /** CT and MR only. */
  readonly renal?: RenalStory
  readonly fracture?: FractureStoryName
  /** Chest CT only. */
  readonly cancer?: CancerStoryName
  /** dicom: no resource tells of it; fhir: its images never come. */
  readonly only?: "dicom" | "fhir"
  /** Its last two instances come with wave 2. */
  readonly late?: true
  /** The second chest CT of a person is told by the facts of the first. */
  readonly sharesReport?: true
}

/** What else is special about a person. */
export type Trait =
  /** The Patient resource comes with wave 2. */
  | "late-patient"
  /** Merged in wave 2 into the next patient, whose records refute the cancer. */
  | "merged-away"
  | "merged-into"
  /** No visit after the last study. */
  | "lost"
  | "over-90"
  /** The images carry an issuer that nobody declared. */
  | "foreign-issuer"
  | "no-patient-id"
  | "died"

export interface Persona {
  readonly studies: readonly StudyStory[]
  readonly traits?: readonly Trait[]
}

const ct = (cancer: CancerStoryName, renal: RenalStory, more: Partial<StudyStory> = {}): StudyStory => ({
  kind: "ct-chest",
  cancer,
  renal,
  ...more,
})
const knee = (renal: RenalStory, fracture: FractureStoryName, more: Partial<StudyStory> = {}): StudyStory => ({
  kind: "mr-knee",
  renal,
  fracture,
  ...more,
})
const head = (renal: RenalStory, fracture: FractureStoryName = "none"): StudyStory => ({
  kind: "mr-head",
  renal,
  fracture,
})
const chest = (fracture: FractureStoryName, more: Partial<StudyStory> = {}): StudyStory => ({
  kind: "cr-chest",
  fracture,
  ...more,
})
const abdomen: StudyStory = { kind: "us-abdomen", fracture: "none" }

/** Patients take these in turn, so that twenty show all there is. */
export const personas: readonly Persona[] = [
  { studies: [ct("pathology-late", "high"), knee("normal", "confirmed"), chest("none"), abdomen] },
  { studies: [ct("pathology-study", "amended", { late: true }), chest("confirmed"), abdomen] },
  { studies: [ct("icd", "normal"), chest("none"), chest("icd")], traits: ["merged-away"] },
  { studies: [knee("high-molar", "none"), head("normal-molar"), chest("refuted")], traits: ["merged-into"] },
  { studies: [ct("pathology-order", "error"), knee("unit-missing", "error"), chest("late")] },
  { studies: [ct("pathology-preliminary", "preliminary"), chest("provisional"), abdomen], traits: ["over-90"] },
  { studies: [ct("recent", "cancelled-later"), knee("unit-other", "local"), chest("confirmed")] },
  { studies: [ct("open", "high-local"), chest("late")], traits: ["late-patient"] },
  { studies: [ct("lost", "local-unmapped"), chest("none")], traits: ["lost"] },
  { studies: [ct("pathology-error", "amended-reversed"), knee("none", "refuted"), abdomen] },
  { studies: [ct("provisional", "normal-molar"), head("high"), chest("local-unmapped"), abdomen] },
  { studies: [ct("differential", "cancelled"), knee("normal", "icd", { only: "fhir" }), chest("none")] },
  { studies: [ct("refuted", "high"), knee("amended", "none", { only: "dicom" }), chest("error")], traits: ["died"] },
  { studies: [ct("condition-error", "normal"), chest("visit-open"), abdomen] },
  { studies: [ct("partial-date", "none"), head("unit-missing", "visit-open"), chest("local")] },
  { studies: [{ kind: "ct-chest", only: "dicom" }], traits: ["foreign-issuer"] },
  {
    studies: [
      ct("pathology-unlinked", "high-molar"),
      ct("pathology-unlinked", "normal", { sharesReport: true }),
      abdomen,
    ],
  },
  { studies: [{ kind: "mr-knee", only: "dicom" }], traits: ["no-patient-id"] },
  { studies: [ct("local", "error"), knee("preliminary", "provisional", { late: true }), chest("none"), abdomen] },
  { studies: [ct("pathology-benign", "high-local"), knee("normal", "late"), chest("none"), abdomen] },
]

export const hasTrait = (persona: Persona, trait: Trait): boolean => persona.traits?.includes(trait) === true
