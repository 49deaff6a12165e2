import { waves } from "./calendar.ts"
import type { PersonPlan, StudyPlan } from "./plan.ts"
import { isKnown } from "./plan.ts"
import { cancerStories, fractureStories, renalStories } from "./stories.ts"
import type { Course, Value } from "./stories.ts"

/** Expected label values by wave and phenotype; a phenotype that does not mean the study is not named. */
export interface ExpectedLabels {
  readonly wave1: Readonly<Record<string, Value>>
  readonly wave2: Readonly<Record<string, Value>>
}

const unknown: Course = ["unknown", "unknown"]

function cancerCourse(plan: PersonPlan, { story }: StudyPlan): Course {
  if (story.cancer === undefined || !isKnown(plan)) return unknown
  const { course } = cancerStories[story.cancer]
  // The records of the other patient refute what these confirm.
  return plan.has("merged-away") && plan.partner !== undefined ? [course[0], "uncertain"] : course
}

function fractureCourse(plan: PersonPlan, { story }: StudyPlan): Course {
  // Only a resource says which encounter a study is of.
  if (story.only === "dicom" || !isKnown(plan)) return unknown
  return fractureStories[story.fracture ?? "none"].course
}

const renalCourse = (plan: PersonPlan, { story }: StudyPlan): Course =>
  isKnown(plan) ? renalStories[story.renal ?? "none"].course : unknown

/** What each phenotype should say of a study. */
export function expectedLabels(plan: PersonPlan, study: StudyPlan): ExpectedLabels {
  const courses: [string, Course][] = [["fracture", fractureCourse(plan, study)]]
  if (study.kind === "ct-chest") courses.push(["lung-cancer", cancerCourse(plan, study)])
  if (study.kind.startsWith("ct") || study.kind.startsWith("mr"))
    courses.push(["renal-impairment", renalCourse(plan, study)])
  const late = plan.has("late-patient")
  const at = (wave: number): Record<string, Value> =>
    Object.fromEntries(courses.map(([name, course]) => [name, late && wave === 0 ? "unknown" : course[wave]!]))
  const unseen = late && study.story.only === "fhir"
  return { [waves[0].name]: unseen ? {} : at(0), [waves[1].name]: at(1) } as unknown as ExpectedLabels
}
