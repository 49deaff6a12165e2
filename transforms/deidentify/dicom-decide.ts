import { membersHash } from "./dicom-faces.ts"
import type { FaceSeries } from "./dicom-faces.ts"
import { addEvidence, decisionOn, noInstances } from "./dicom-series.ts"
import type { Risk, SeriesCounts } from "./dicom-series.ts"
import type { DicomPolicy } from "./dicom-policy.ts"
import type { Listed } from "./dicom-slice.ts"
import { originalIn } from "./dicom-store.ts"
import type { Kept } from "./dicom-store.ts"
import type { Border } from "./dicom-verdict.ts"

/** Whether an instance takes part when the face of its series is taken out: reports beside the slices do not. */
const showsFace = ({ part: { evidence } }: Listed): boolean => evidence !== undefined && evidence.region !== "none"

/** Decides on each series by the headers of all its instances that the study lists.
 * Faces are taken out rather than refused where the policy does so. */
export function decideSeries(listed: readonly Listed[], policy: DicomPolicy): void {
  const series = new Map<string, { readonly counts: SeriesCounts; readonly all: Listed[] }>()
  for (const one of listed) {
    const { counts, all } = series.get(one.series) ?? { counts: noInstances(), all: [] }
    series.set(one.series, { counts, all })
    all.push(one)
    if (one.part.evidence !== undefined) addEvidence(counts, one.part.evidence)
  }
  for (const { counts, all } of series.values()) {
    const found = decisionOn(counts, policy)
    const risk: Risk = found === "face-risk" && policy.cleansFaces ? `face-cleaned:${hashOf(all)}` : found
    for (const one of all) one.risk = risk
  }
}

const hashOf = (all: readonly Listed[]): string =>
  membersHash(all.filter(showsFace).map(({ series, sop, part }) => [`${series}/${sop}`, part.version]))

/** The series of an instance whose face is taken out; the rows of all its instances are at hand. */
export function faceSeriesOf(one: Listed, all: readonly Listed[], { from }: Border, kept: Kept): FaceSeries {
  const members = all.filter((other) => other.risk === one.risk && other.key === one.key && showsFace(other))
  return {
    slot: `${one.key} ${one.risk}`,
    uid: one.series,
    members: () =>
      members.map(({ sop, row }) => {
        const { key, size } = row!.stated!.object
        return { id: sop, use: (act) => act(originalIn(from, key, size, kept)) }
      }),
  }
}
