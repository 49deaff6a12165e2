/** Faces in series of CT and MR: whether one could be rendered, and how it is taken out (PS3.15 E.3.2). */
export { SeriesSlices, sliceEvidence, surfaceLimits } from "./surface.ts"
export type { SliceEvidence, Stack } from "./surface.ts"
export { demanded, planDefacing } from "./series.ts"
export type { Bytes, DefaceGiven, Defacing, Member } from "./series.ts"
export type { DecodeFrame, Held } from "./pixels.ts"
