import type { CuratedStudy, Study } from "../../core/index.ts"
import type { DicomPolicy, Person } from "./dicom-policy.ts"
import type { Ended, PartRow, StudyRow } from "./dicom-rows.ts"
import { isBodyPart, isModality } from "./dicom-terms.ts"

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const distinct = (values: readonly string[]): string[] => [...new Set(values)].filter((one) => one !== "").sort(order)

function refusalsOf(refused: readonly Ended[]): CuratedStudy["refusals"] {
  const counts = new Map<string, number>()
  for (const { refused: reason } of refused) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return [...counts].sort(([a], [b]) => order(a, b)).map(([reason, instances]) => ({ reason, instances }))
}

/** An instance that a study lists. */
export interface Part {
  readonly sop: string
  readonly series: string
  readonly row: PartRow
}

/** The instances that a study lists; undefined while one of them is not at the version that is listed: it did not come yet, or
 * changed or left since, and the next version of the study will say so. */
export function listedParts({ instances }: Study, parts: readonly Part[]): readonly Part[] | undefined {
  const known = new Map(parts.map((part) => [part.sop, part]))
  const listed: Part[] = []
  for (const { sopInstanceUid, revision } of instances) {
    const part = known.get(sopInstanceUid.toWellFormed())
    if (part?.row.version !== String(revision)) return undefined
    listed.push(part)
  }
  return listed
}

/** A study below the border. Of modalities and body parts it tells those of released objects, which were searched for the person's
 * identifiers, and defined terms: free text of a refused instance is nowhere. */
export function curatedStudyOf(
  { value, time }: StudyRow & { readonly value: Study },
  ended: readonly Ended[],
  policy: DicomPolicy,
  person: Person,
): { readonly value: CuratedStudy; readonly time: number } {
  const refused = ended.filter(({ refused: reason }) => reason !== "")
  const released = ended.filter(({ refused: reason }) => reason === "")
  const started = value.started === null ? undefined : policy.time(value.started, person)
  const curated: CuratedStudy = {
    studyInstanceUid: policy.uid(value.studyInstanceUid),
    accessionNumber: policy.accession(value.accessionNumber, value.accessionIssuer),
    modalities: distinct([...released.map(({ modality }) => modality ?? ""), ...value.modalities.filter(isModality)]),
    bodyParts: distinct([...released.map(({ bodyPart }) => bodyPart ?? ""), ...value.bodyParts.filter(isBodyPart)]),
    started: started ?? null,
    startedPrecision: started === undefined ? "none" : value.startedPrecision,
    released: released.length,
    refused: refused.length,
    held: 0,
    refusals: refusalsOf(refused),
    complete: value.complete && released.length === value.instances.length,
    profile: policy.profile(policy.faces === "allow"),
  }
  return { value: curated, time: policy.time(time, person) ?? 0 }
}
