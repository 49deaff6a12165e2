import { riskOf } from "../../formats/dicom/index.ts"
import type { SeriesEvidence, SeriesRisk } from "../../formats/dicom/index.ts"
import { SeriesSlices } from "../deface/index.ts"
import type { SliceEvidence } from "../deface/index.ts"

/** What an instance adds to the decision on its series; `slices` of CT and MR that say where they are. */
export interface InstanceEvidence extends SeriesEvidence {
  readonly slices?: SliceEvidence
}

/** How many instances of a series say what of it: all that the decision on the series reads, so that one more instance costs one
 * small row, however large the series is. */
export interface SeriesCounts {
  burnedIn: number
  below: number
  above: number
  unknown: number
  /** Instances that can show a face and do not say by which slices. */
  whole: number
  readonly slices: SeriesSlices
}

export const noInstances = (): SeriesCounts => ({
  burnedIn: 0,
  below: 0,
  above: 0,
  unknown: 0,
  whole: 0,
  slices: new SeriesSlices(),
})

/** Adds an instance's evidence. */
export function addEvidence(counts: SeriesCounts, { burnedIn, region, slices }: InstanceEvidence): void {
  if (burnedIn) counts.burnedIn++
  if (region === "none") return
  counts[region]++
  if (slices === undefined) counts.whole++
  else counts.slices.add(slices)
}

/** The decision on a series, as a word that rows can keep. `face-cleaned` names the instances by which the face is taken out: with
 * another one every cut is made anew. `face-and-text` is a face in a series that says of itself that it has burned-in text. */
export type Risk = Exclude<SeriesRisk, undefined> | "none" | "face-and-text" | `face-cleaned:${string}`

/** The risk of a series; slices of which no surface can be made, such as scouts, show no face. */
export function seriesRiskOf(counts: SeriesCounts): Exclude<SeriesRisk, undefined> | "none" {
  const risk = riskOf(counts) ?? "none"
  const isFlat = counts.whole === 0 && !counts.slices.allowSurface
  return risk === "face-risk" && isFlat ? "none" : risk
}

/** The decision on a series under a policy. Burned-in text says nothing of a face: where pictures are read, and faces may not pass, a
 * series that has both is held for its face, whatever instances say of themselves one by one. */
export function decisionOn(
  counts: SeriesCounts,
  { pixels, faces }: { readonly pixels: unknown; readonly faces: "refuse" | "allow" },
): Exclude<Risk, `face-cleaned:${string}`> {
  const risk = seriesRiskOf(counts)
  if (risk !== "burned-in-text-risk" || pixels === undefined || faces === "allow") return risk
  return seriesRiskOf({ ...counts, burnedIn: 0 }) === "face-risk" ? "face-and-text" : risk
}

export const isFaceCleaned = (risk: Risk): boolean => risk.startsWith("face-cleaned:")

/** The same as formats/dicom takes it. */
export function asSeries(risk: Risk): { readonly risk: SeriesRisk } {
  if (risk === "none") return { risk: undefined }
  return { risk: risk === "burned-in-text-risk" ? risk : "face-risk" }
}

/** A refusal under the decision on the series, with the detail that the instance alone does not tell. */
export const under = <T extends { readonly reason: string }>(
  risk: Risk,
  refused: T,
): T & { readonly detail?: string } =>
  risk === "face-and-text" && refused.reason === "face-risk" ? { ...refused, detail: "burned-in-text" } : refused
