/** The synthetic hospital: linked images and records with the troubles of real feeds, the truth about them, and a list of every
 * identifier that was planted. The same seed gives the same bytes. */
export { generate } from "./generate.ts"
export type { GenerateOptions, Summary } from "./generate.ts"
export { SynthError } from "./errors.ts"
export { timeZone, waves } from "./calendar.ts"
export type { Arrival, TrueIdentifier, TruePerson, TrueStudy } from "./truth.ts"
export type { Place, Planted, PlantedKind } from "./planted.ts"
export type { Fate } from "./fate.ts"
export type { Value } from "./stories.ts"
