import { label, rowId } from "../../core/index.ts"
import type { Label, PersonEvent, Rec, Study } from "../../core/index.ts"
import { phenotype } from "../../transforms/phenotype/index.ts"
import { memoryState, record, runComplete, runStateful, testContext } from "../kit/index.ts"
import type { Collected, MemoryState } from "../kit/index.ts"
import type { OracleResource, OracleStudy } from "./index.ts"

type Input = Rec & { readonly input: string }
type Options = Parameters<typeof phenotype.create>[0]

/** A resource as `resolve-patient` would hand it on. */
export const personEventOf = (resource: OracleResource, op: "upsert" | "retract" = "upsert"): Input => {
  const { person, type, id, version, body } = resource
  const value: PersonEvent = {
    kind: "resource",
    subtype: type,
    name: id,
    source: "ehr",
    sourceVersion: String(version),
    instance: null,
    body,
    codes: [],
    identifiers: [],
    birthDate: null,
    flags: [],
  }
  return record(
    { key: person, id: rowId(["resource", type, id]), version, op, value: op === "retract" ? null : value },
    "facts",
  )
}

const precision = ({ first, last }: OracleStudy): string =>
  first === null || last === null ? "none" : last === first ? "second" : "day"

/** An assembled study as `assemble-study` would hand it on. */
export const studyRecordOf = (study: OracleStudy, op: "upsert" | "retract" = "upsert"): Input => {
  const value: Study = {
    studyInstanceUid: study.uid,
    accessionNumber: study.accession,
    accessionIssuer: study.issuer,
    modalities: study.modalities,
    bodyParts: study.bodyParts,
    started: study.first,
    startedPrecision: precision(study),
    series: [],
    instances: [],
    expectedInstances: null,
    complete: true,
  }
  const { person, uid, version } = study
  return record({ key: person, id: rowId([uid]), version, op, value: op === "retract" ? null : value }, "studies")
}

/** The labels that stand after a history; checks on the way that revisions of each row are 1, 2, 3 ... */
export class Standing {
  readonly rows = new Map<string, { readonly person: string; readonly label: Label }>()
  readonly #revisions = new Map<string, bigint>()

  take({ emitted }: Collected): void {
    for (const { draft } of emitted) {
      const slot = `${draft.key} ${draft.id}`
      const expected = (this.#revisions.get(slot) ?? 0n) + 1n
      if (draft.version !== expected)
        throw new Error(`revision ${draft.version} of a ${label.name} comes after ${expected - 1n}`)
      this.#revisions.set(slot, expected)
      if (draft.op === "retract") this.rows.delete(slot)
      else this.rows.set(slot, { person: draft.key, label: draft.value as Label })
    }
  }
}

/** Runs records through a new phenotype transform, batch by batch, then lets feeds become complete and the calendar run to
 * `now`, and gives the labels that stand. */
export async function streamLabels(given: {
  readonly options: Options
  readonly records: readonly Input[]
  readonly batch: number
  readonly now: number
  readonly complete: ReadonlyMap<string, number>
}): Promise<Standing> {
  const instance = await phenotype.create(given.options, testContext())
  const states = new Map<string, MemoryState>()
  const standing = new Standing()
  // One state a person: the state in memory looks at all rows of a key anyway, and persons do not meet.
  const byPerson = Map.groupBy(given.records, ({ key }) => key)
  for (const [person, records] of byPerson) {
    const state = memoryState()
    states.set(person, state)
    for (let from = 0; from < records.length; from += given.batch)
      standing.take(await runStateful(instance, state, records.slice(from, from + given.batch)))
    await settle(instance, state, standing, given)
  }
  return standing
}

async function settle(
  instance: Awaited<ReturnType<typeof phenotype.create>>,
  state: MemoryState,
  standing: Standing,
  { now, complete }: { readonly now: number; readonly complete: ReadonlyMap<string, number> },
): Promise<void> {
  for (const [feed, through] of complete) state.setComplete(feed, through)
  standing.take(await runComplete(instance, state))
  for (let due = state.due("calendar", now); due.length > 0; due = state.due("calendar", now))
    standing.take(await runStateful(instance, state, [], due))
}
