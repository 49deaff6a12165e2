import type { CuratedStudy, Study } from "../../core/index.ts"
import type { DicomPolicy, Person } from "./dicom-policy.ts"
import type { PartRow, StudyRow } from "./dicom-rows.ts"
import { isBodyPart, isModality } from "./dicom-terms.ts"

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const distinct = (values: readonly string[]): string[] => [...new Set(values)].filter((one) => one !== "").sort(order)

function refusalsOf(refused: readonly PartRow[]): CuratedStudy["refusals"] {
  const counts = new Map<string, number>()
  for (const { refused: reason } of refused) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return [...counts].sort(([a], [b]) => order(a, b)).map(([reason, instances]) => ({ reason, instances }))
}

/** The instances that a study counts and that have a verdict. `elsewhere` left the study since, and its next revision will say
 * so. */
export function countedParts(
  study: Study,
  parts: ReadonlyMap<string, PartRow>,
  elsewhere: (sop: string, revision: bigint) => boolean,
): readonly PartRow[] | "waiting" {
  const counted: PartRow[] = []
  for (const { sopInstanceUid, revision } of study.instances) {
    const part = parts.get(sopInstanceUid)
    if (part !== undefined && BigInt(part.version) >= BigInt(revision)) counted.push(part)
    else if (part !== undefined || !elsewhere(sopInstanceUid, BigInt(revision))) return "waiting"
  }
  return counted
}

/** A study below the border. Of modalities and body parts it tells those of released objects, which were searched for the person's
 * identifiers, and defined terms: free text of a refused instance is nowhere. */
export function curatedStudyOf(
  { value, time }: StudyRow & { readonly value: Study },
  counted: readonly PartRow[],
  policy: DicomPolicy,
  person: Person,
): { readonly value: CuratedStudy; readonly time: number } {
  const refused = counted.filter((part) => part.refused !== "")
  const released = counted.filter((part) => part.refused === "")
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
