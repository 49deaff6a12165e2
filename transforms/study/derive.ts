import type { Study } from "../../core/index.ts"
import type { Started } from "../../formats/dicom/study-time.ts"
import type { Part } from "./instance.ts"

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const distinct = (values: readonly string[]): readonly string[] =>
  [...new Set(values)].filter((value) => value !== "").sort(order)

const least = (values: readonly string[]): string => distinct(values)[0] ?? ""

const finest: readonly Started["precision"][] = ["second", "minute", "hour", "day"]

/** The start that is stated most finely; of several the earliest. */
function startOf(parts: readonly Part[]): Started | undefined {
  const stated = parts.flatMap(({ started }) => started ?? [])
  stated.sort((a, b) => finest.indexOf(a.precision) - finest.indexOf(b.precision) || a.from - b.from)
  return stated[0]
}

/** The accession number with its issuer; of several the first in order, numbers that state an issuer first. */
function accessionOf(parts: readonly Part[]): { readonly accessionNumber: string; readonly accessionIssuer: string } {
  const found = parts.filter(({ accession }) => accession !== "")
  found.sort(
    (a, b) =>
      Number(a.issuer === "") - Number(b.issuer === "") || order(a.accession, b.accession) || order(a.issuer, b.issuer),
  )
  return { accessionNumber: found[0]?.accession ?? "", accessionIssuer: found[0]?.issuer ?? "" }
}

function seriesOf(parts: readonly Part[]): Study["series"] {
  const groups = new Map<string, Part[]>()
  for (const part of parts) {
    const group = groups.get(part.series)
    if (group === undefined) groups.set(part.series, [part])
    else group.push(part)
  }
  return [...groups]
    .sort(([a], [b]) => order(a, b))
    .map(([seriesInstanceUid, of]) => ({
      seriesInstanceUid,
      modality: least(of.map(({ modality }) => modality)),
      bodyPart: least(of.map(({ bodyPart }) => bodyPart)),
      instances: of.length,
    }))
}

/** The greatest count that any instance states in (0020,1208). */
export function expectedOf(parts: readonly { readonly expected: number | null }[]): number | null {
  let greatest: number | null = null
  for (const { expected } of parts) if (expected !== null && expected > (greatest ?? 0)) greatest = expected
  return greatest
}

/** A study from its instances alone, whatever their order; complete when the expected count is there, or none is stated. */
export function studyOf(studyInstanceUid: string, parts: readonly Part[]): Study {
  const started = startOf(parts)
  const expectedInstances = expectedOf(parts)
  return {
    studyInstanceUid,
    ...accessionOf(parts),
    modalities: distinct(parts.map(({ modality }) => modality)),
    bodyParts: distinct(parts.map(({ bodyPart }) => bodyPart)),
    started: started?.from ?? null,
    startedPrecision: started?.precision ?? "none",
    series: seriesOf(parts),
    instances: parts
      .map(({ sop, revision }) => ({ sopInstanceUid: sop, revision: Number(revision) }))
      .sort((a, b) => order(a.sopInstanceUid, b.sopInstanceUid)),
    expectedInstances,
    complete: expectedInstances === null || parts.length >= expectedInstances,
  }
}
