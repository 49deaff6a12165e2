import { moment } from "./calendar.ts"
import type { Moment } from "./calendar.ts"
import { hasTrait, personas } from "./personas.ts"
import type { Persona, StudyKind, StudyStory, Trait } from "./personas.ts"
import { makePerson } from "./person.ts"
import type { Person } from "./person.ts"
import type { Random } from "./random.ts"
import { cancerStories } from "./stories.ts"
import type { CancerStory } from "./stories.ts"

/** A study that will have been done. */
export interface StudyPlan {
  readonly story: StudyStory
  readonly kind: StudyKind
  /** From 1, in the order of the persona. */
  readonly number: number
  readonly random: Random
  readonly day: number
  readonly started: Moment
  readonly uid: string
  readonly accession: string
  /** Ids of the resources that tell of it. */
  readonly encounter: string
  readonly imagingStudy: string
  readonly order: string
}

export interface PersonPlan {
  readonly index: number
  readonly person: Person
  readonly persona: Persona
  readonly studies: readonly StudyPlan[]
  /** The patient whom this one is merged into, or who is merged into this one. */
  readonly partner?: Person
  has(trait: Trait): boolean
}

/** Days of studies are far apart, so that no laboratory window holds the values of two of them. */
const slots = [20, 65, 110, 155, 200, 245, 285] as const
const slotsOfAge = { old: [0, 1], recent: [3], open: [4, 5, 6] } as const

/** Which slots a study may take, best first. */
function choices(study: StudyStory, persona: Persona, random: Random): readonly number[] {
  if (study.sharesReport === true) return [1]
  if (hasTrait(persona, "lost")) return [study.cancer === undefined ? 0 : 1]
  if (study.cancer !== undefined) {
    const shared = persona.studies.some(({ sharesReport }) => sharesReport)
    const story: CancerStory = cancerStories[study.cancer]
    return shared ? [0] : rotated(slotsOfAge[story.age], random)
  }
  // The chest CT of the patient who is merged into this one is early.
  return rotated(hasTrait(persona, "merged-into") ? [2, 3, 4, 5, 6] : slots.map((_, slot) => slot), random)
}

function rotated(values: readonly number[], random: Random): readonly number[] {
  const from = random.int(0, values.length - 1)
  return [...values.slice(from), ...values.slice(0, from)]
}

function daysOf(persona: Persona, random: Random): readonly number[] {
  const days = new Map<StudyStory, number>()
  const taken = new Set<number>()
  // Studies with few choices first.
  const order = persona.studies.toSorted((a, b) => Number(a.cancer === undefined) - Number(b.cancer === undefined))
  for (const study of order) {
    const slot = choices(study, persona, random).find((one) => !taken.has(one))
    if (slot === undefined) throw new RangeError("a persona has more studies than days")
    taken.add(slot)
    days.set(study, slots[slot]! + random.int(0, 4))
  }
  return persona.studies.map((study) => days.get(study)!)
}

const accessionOf = (index: number, number: number, random: Random): string =>
  `A24${random.digits(3)}${String(index + 1).padStart(4, "0")}${number}`

function studyPlan(story: StudyStory, day: number, index: number, number: number, person: Person): StudyPlan {
  const random = person.random.at("study", number)
  return {
    story,
    kind: story.kind,
    number,
    random,
    day,
    started: moment(day, random.int(8, 16)) + random.int(0, 59),
    uid: random.uid("study"),
    accession: accessionOf(index, number, random),
    encounter: random.uuid("Encounter"),
    imagingStudy: random.uuid("ImagingStudy"),
    order: random.uuid("ServiceRequest"),
  }
}

const personaAt = (index: number): Persona => personas[index % personas.length]!
const personAt = (seed: Random, index: number): Person => makePerson(seed, index, hasTrait(personaAt(index), "over-90"))

/** Everything that will be told of the patient of a number; equal for equal seeds and numbers of patients. */
export function planPerson(seed: Random, index: number, patients: number): PersonPlan {
  const persona = personaAt(index)
  const person = personAt(seed, index)
  const days = daysOf(persona, person.random.at("days"))
  // The last patient has nobody to be merged into.
  const merges = !hasTrait(persona, "merged-away") || index + 1 < patients
  const other = hasTrait(persona, "merged-into") ? index - 1 : hasTrait(persona, "merged-away") ? index + 1 : undefined
  return {
    index,
    person,
    persona,
    studies: persona.studies.map((story, at) => studyPlan(story, days[at]!, index, at + 1, person)),
    ...(other === undefined || !merges ? {} : { partner: personAt(seed, other) }),
    has: (trait) => hasTrait(persona, trait),
  }
}

/** Whether FHIR resources can be tied to the study at all: its images say whose they are, or a resource does. */
export const isKnown = (plan: PersonPlan): boolean => !plan.has("foreign-issuer") && !plan.has("no-patient-id")
