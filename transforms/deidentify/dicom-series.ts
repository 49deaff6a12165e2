import { riskOf } from "../../formats/dicom/index.ts"
import type { SeriesEvidence, SeriesRisk } from "../../formats/dicom/index.ts"

/** How many instances of a series say what of it: all that the decision on the series reads, so that one more instance costs one
 * small row, however large the series is. */
export interface SeriesCounts {
  burnedIn: number
  below: number
  above: number
  unknown: number
}

export const noInstances = (): SeriesCounts => ({ burnedIn: 0, below: 0, above: 0, unknown: 0 })

/** Adds an instance's evidence (`by` 1), or takes it out again (-1). */
export function addEvidence(counts: SeriesCounts, { burnedIn, region }: SeriesEvidence, by: 1 | -1): void {
  if (burnedIn) counts.burnedIn += by
  if (region !== "none") counts[region] += by
}

/** The decision on a series, as a word that rows can keep. */
export type Risk = Exclude<SeriesRisk, undefined> | "none"

export const seriesRiskOf = (counts: SeriesCounts): Risk => riskOf(counts) ?? "none"

/** The same as formats/dicom takes it. */
export const asSeries = (risk: Risk): { readonly risk: SeriesRisk } => ({ risk: risk === "none" ? undefined : risk })
