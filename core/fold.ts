import { createHash } from "node:crypto"
import { canonicalJson } from "./canonical.ts"
import type { In, Out, Ports, State, StatefulInstance, Timer } from "./plugin.ts"
import type { Draft, Rec } from "./record.ts"

/** Rows of one key with from <= sort < to, among the facts that `fact` stored. */
export interface Range {
  readonly from: string
  readonly to: string
}

/** All rows whose sort starts with `prefix`. */
export const prefixed = (prefix: string): Range => ({ from: prefix, to: `${prefix}\u{10ffff}` })

export type Row = readonly [sort: string, value: unknown]

/** What to remember of one record: its identity under the key, and the rows to store; several when it is found in several
 * ways (a resource with two codes). Values are JSON. */
export interface Fact {
  readonly id: string
  readonly rows: readonly Row[]
}

/** Something to derive for a key (a study, a resource), with the ranges of facts that deriving it reads. */
export interface Unit {
  readonly id: string
  readonly reads: readonly Range[]
}

/** A row that should stand in the output now. `id` is the whole row id under the key. */
export interface Derived<V> {
  readonly id: string
  readonly value: V
  readonly time: number
}

export interface Derivation<V> {
  readonly rows: readonly Derived<V>[]
  /** Derive again when the calendar reaches this time (ms): then `reached` is at least this. */
  readonly wakeAt?: number
  /** Derive again when a feed's completeness moves. */
  readonly waitsForFeeds?: boolean
}

/** What deriving may know besides the facts. All of it is stored, so that derivation reads no clock. */
export interface Known {
  /** The latest of the unit's wake times that the calendar has reached, ms. */
  readonly reached: number | undefined
  readonly completeThrough: ReadonlyMap<string, number>
}

export interface FoldSpec<I extends Ports, V> {
  /** undefined: the record is of a kind that is not read (dropped, `not-read`). */
  fact(record: In<I>): Fact | undefined
  /** The ranges that tell which units a change touches; read once per touched key. */
  index(key: string): readonly Range[]
  /** The units that changed rows (as they were and as they are) touch; with `changed` undefined, all units of the key. */
  units(key: string, changed: readonly Row[] | undefined, index: readonly (readonly Row[])[]): readonly Unit[]
  /** From facts alone. `rows` has one entry for each of the unit's ranges. */
  derive(key: string, unit: Unit, rows: readonly (readonly Row[])[], known: Known): Derivation<V>
}

interface Held {
  readonly version: string
  readonly hash: string
  readonly sorts: readonly string[]
  readonly op: "upsert" | "retract"
  readonly conflict?: true
}
interface Emitted {
  readonly hash: string
  readonly revision: string
  readonly op: "upsert" | "retract"
}

/** A row's canonical text is long; its hash orders and compares as well. */
const hashOf = (value: unknown): string => createHash("sha256").update(canonicalJson(value)).digest("base64url")

// What the helper keeps beside the facts, under prefixes that facts (d/) never meet.
const held = (id: string) => `h/${id}`
const data = (sort: string) => `d/${sort}`
const emitted = (unit: string) => `e/${encodeURIComponent(unit)}/`
const woken = (unit: string) => `w/${unit}`
const waiting = "~waiting"

/** Fold, derive, diff (DESIGN.md, Time and truth): folds each batch into stored facts, newest version of each; derives what was
 * touched from the facts alone; emits the difference from what was emitted before, with revisions 1, 2, 3 ... per row. */
export function foldDeriveDiff<I extends Ports, O extends Ports, V>(
  output: keyof O & string,
  spec: FoldSpec<I, V>,
): StatefulInstance<I, O> {
  type Stem = In<I> | Timer
  type Change = { readonly rows: Row[]; stem: Stem; all?: true; reached?: Map<string, number> }

  async function fold(batch: readonly In<I>[], out: Out<Stem, In<I>, O>, state: State): Promise<Map<string, Change>> {
    const newest = new Map<string, { record: In<I>; fact: Fact; hash: string }>()
    for (const record of batch) {
      const fact = spec.fact(record)
      if (fact === undefined) {
        out.drop(record, "not-read")
        continue
      }
      const slot = `${record.key}\u0000${fact.id}`
      const hash = record.op === "retract" ? "" : hashOf(fact.rows)
      const rival = newest.get(slot)
      const order = rival === undefined ? 1 : compare(record.version, hash, rival.record.version, rival.hash)
      if (order > 0) {
        if (rival !== undefined) out.drop(rival.record, "older-version")
        newest.set(slot, { record, fact, hash })
      } else out.drop(record, order === 0 ? "duplicate" : "older-version")
    }
    const changes = new Map<string, Change>()
    const entries = [...newest.values()]
    const before = await state.get<Held>(entries.map(({ record, fact }) => [record.key, held(fact.id)]))
    const gone: [key: string, sort: string][] = []
    for (const [at, { record, hash }] of entries.entries()) {
      const old = before[at]
      const order = old === undefined ? 1 : compare(record.version, hash, BigInt(old.version), old.hash)
      if (order <= 0) {
        out.drop(record, order === 0 ? "duplicate" : "older-version")
        continue
      }
      out.hold(record)
      for (const sort of old?.sorts ?? []) gone.push([record.key, data(sort)])
    }
    // What a changed fact was says which units it touched, so the old rows are read before they are deleted.
    const was = await state.get<unknown>(gone)
    state.delete(gone)
    for (const [at, [key, sort]] of gone.entries()) {
      const change = changes.get(key) ?? { rows: [], stem: batch[0]! }
      changes.set(key, change)
      change.rows.push([sort.slice(2), was[at]])
    }
    for (const [at, { record, fact, hash }] of entries.entries()) {
      const old = before[at]
      if (old !== undefined && compare(record.version, hash, BigInt(old.version), old.hash) <= 0) continue
      const rows = record.op === "retract" ? [] : fact.rows
      const conflict = old !== undefined && BigInt(old.version) === record.version
      const entry: Held = {
        version: String(record.version),
        hash,
        sorts: rows.map(([sort]) => sort),
        op: record.op,
        ...(conflict ? { conflict: true as const } : {}),
      }
      state.put([
        [record.key, held(fact.id), entry],
        ...rows.map(([sort, value]) => [record.key, data(sort), value] as const),
      ])
      const change = changes.get(record.key) ?? { rows: [], stem: record }
      change.stem = record
      change.rows.push(...rows)
      changes.set(record.key, change)
    }
    return changes
  }

  async function deriveAndDiff(
    changes: ReadonlyMap<string, Change>,
    out: Out<Stem, In<I>, O>,
    state: State,
  ): Promise<void> {
    const keys = [...changes.keys()]
    const perKey = keys.map((key) => spec.index(key).map((range) => stored(key, range)))
    const indexRows = regroup(await state.scan<unknown>(perKey.flat()), perKey)
    const todo: { key: string; change: Change; unit: Unit }[] = []
    for (const [at, key] of keys.entries()) {
      const change = changes.get(key)!
      const index = indexRows[at]!.map(unprefix)
      const units = spec.units(key, change.all === true ? undefined : change.rows, index)
      const wanted = change.reached === undefined ? units : units.filter(({ id }) => change.reached!.has(id))
      for (const unit of wanted) todo.push({ key, change, unit })
    }
    const reads = todo.map(({ key, unit }) => [
      { key, ...prefixed(emitted(unit.id)) },
      ...unit.reads.map((range) => stored(key, range)),
    ])
    const rows = regroup(await state.scan<unknown>(reads.flat()), reads)
    const wakes = await state.get<number>(todo.map(({ key, unit }) => [key, woken(unit.id)]))
    const waits = await state.get<boolean>(todo.map(({ key, unit }) => [waiting, waitSort(key, unit.id)]))
    for (const [at, { key, change, unit }] of todo.entries()) {
      const [before, ...facts] = rows[at]!
      const reached = later(wakes[at], change.reached?.get(unit.id))
      const derivation = spec.derive(key, unit, facts.map(unprefix), {
        reached,
        completeThrough: state.completeThrough,
      })
      if (reached !== undefined && reached !== wakes[at]) state.put([[key, woken(unit.id), reached]])
      if (derivation.wakeAt !== undefined && (reached === undefined || reached < derivation.wakeAt))
        state.timer({ key, name: unit.id, due: derivation.wakeAt, clock: "calendar" }, change.stem)
      if (derivation.waitsForFeeds === true && waits[at] !== true) state.put([[waiting, waitSort(key, unit.id), true]])
      if (derivation.waitsForFeeds !== true && waits[at] === true) state.delete([[waiting, waitSort(key, unit.id)]])
      diff(key, unit, change.stem, before as readonly (readonly [string, Emitted])[], derivation.rows, out, state)
    }
  }

  function diff(
    key: string,
    unit: Unit,
    stem: Stem,
    before: readonly (readonly [string, Emitted])[],
    rows: readonly Derived<V>[],
    out: Out<Stem, In<I>, O>,
    state: State,
  ): void {
    const prefix = emitted(unit.id)
    const was = new Map(before.map(([sort, row]) => [sort.slice(prefix.length), row]))
    const emit = (draft: Omit<Draft<V>, "key" | "version">, hash: string, old: Emitted | undefined) => {
      const revision = BigInt(old?.revision ?? "0") + 1n
      state.put([[key, prefix + draft.id, { hash, revision: String(revision), op: draft.op }]])
      out.emit(output, stem, { ...draft, key, version: revision } as Draft<never>)
    }
    for (const { id, value, time } of rows) {
      const old = was.get(id)
      was.delete(id)
      const hash = hashOf([value, time])
      if (old === undefined || old.op === "retract" || old.hash !== hash)
        emit({ id, op: "upsert", value, time }, hash, old)
    }
    for (const [id, old] of was)
      if (old.op === "upsert")
        emit({ id, op: "retract", value: null, time: "time" in stem ? (stem as Rec).time : stem.due }, "", old)
  }

  return {
    async apply(batch, out, state) {
      await deriveAndDiff(await fold(batch, out, state), out, state)
    },
    async onTimer(fired, out, state) {
      const changes = new Map<string, Change>()
      for (const timer of fired) {
        const change = changes.get(timer.key) ?? { rows: [], stem: timer, all: true, reached: new Map() }
        change.reached!.set(timer.name, timer.due)
        changes.set(timer.key, change)
      }
      await deriveAndDiff(changes, out, state)
    },
    async onComplete(out, state, origin) {
      const [rows] = await state.scan<boolean>([{ key: waiting }])
      const changes = new Map<string, Change>()
      for (const [sort] of rows ?? []) {
        const [key, unit] = sort.split("\u0001") as [string, string]
        const stem: Timer = { key, name: unit, due: 0, clock: "quiet", origin }
        const change = changes.get(key) ?? { rows: [], stem, all: true, reached: new Map() }
        change.reached!.set(unit, Number.NEGATIVE_INFINITY)
        changes.set(key, change)
      }
      await deriveAndDiff(changes, out, state)
    },
  }
}

const waitSort = (key: string, unit: string): string => `${key}\u0001${unit}`
const stored = (key: string, range: Range) => ({ key, from: data(range.from), to: data(range.to) })
const unprefix = (rows: readonly Row[]): readonly Row[] => rows.map(([sort, value]) => [sort.slice(2), value])

/** Greater version first; of equal versions with different content the greater canonical body (by its hash) stands. */
function compare(version: bigint, hash: string, otherVersion: bigint, otherHash: string): number {
  if (version !== otherVersion) return version > otherVersion ? 1 : -1
  return hash === otherHash ? 0 : hash > otherHash ? 1 : -1
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  if (b === undefined || b === Number.NEGATIVE_INFINITY) return a
  return a === undefined ? b : Math.max(a, b)
}

/** Cuts a flat list of results into the groups that asked for them. */
function regroup<T>(flat: readonly T[], groups: readonly (readonly unknown[])[]): T[][] {
  let at = 0
  return groups.map((group) => flat.slice(at, (at += group.length)))
}
