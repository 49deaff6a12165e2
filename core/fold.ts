import { createHash } from "node:crypto"
import { canonicalJson } from "./canonical.ts"
import { prefixed } from "./fold-spec.ts"
import type { Derivation, Derived, Fact, FoldSpec, Range, Row, Unit } from "./fold-spec.ts"
import type { In, Out, Ports, State, StatefulInstance, Timer } from "./plugin.ts"
import type { Draft, Position, Rec } from "./record.ts"

export * from "./fold-spec.ts"

interface Held {
  readonly version: string
  readonly hash: string
  readonly sorts: readonly string[]
  readonly counts?: readonly string[]
  readonly op: "upsert" | "retract"
  readonly conflict?: true
}
interface Emitted {
  readonly hash: string
  readonly revision: string
  readonly op: "upsert" | "retract"
}
/** What is kept of a unit: the calendar time it has reached, the timer that is armed, whether it waits for feeds. */
interface UnitState {
  readonly reached?: number
  readonly armed?: number
  readonly waits?: true
}
interface Rederiving {
  readonly definition: string
  /** The slice of keys that comes next. */
  readonly next: number
}

/** A row's canonical text is long; its hash orders and compares as well. */
const hashOf = (value: unknown): string => createHash("sha256").update(canonicalJson(value)).digest("base64url")

// What the helper keeps beside the facts, under prefixes that facts (d/) never meet.
const held = (id: string) => `h/${id}`
const data = (sort: string) => `d/${sort}`
const emitted = (unit: string) => `e/${encodeURIComponent(unit)}/`
const rowPart = "r/"
const statePart = "u"
const known = "k"
const waiting = "~waiting"
const rederiving = ["~definition", ""] as const
const slices = 256
/** Slices that one step looks at; it derives the first that holds anything. */
const slicesAtOnce = 16
const sliceKey = (slice: number) => `~keys/${slice}`
const sliceOf = (key: string) => createHash("sha256").update(key).digest()[0]!

/** Fold, derive, diff (DESIGN.md, Time and truth): folds each batch into stored facts, newest version of each; derives what was
 * touched from the facts alone; emits the difference from what was emitted before, with revisions 1, 2, 3 ... per row. A step
 * reads state four times whatever its size: versions, old rows, index, windows. */
export function foldDeriveDiff<I extends Ports, O extends Ports, V, U extends Unit = Unit>(
  output: keyof O & string,
  spec: FoldSpec<I, V, U>,
): StatefulInstance<I, O> {
  type Stem = In<I> | Timer
  interface Change {
    readonly rows: Row[]
    stem: Stem
    /** Every unit of the key, also those that the definition no longer has. */
    sweep?: true
    reached?: Map<string, number>
  }
  interface Entry {
    readonly record: In<I>
    readonly fact: Fact
    readonly hash: string
  }
  let definitionChecked = spec.definition === undefined

  /** The newest record of each fact in the batch; the others are dropped. */
  function newestOf(batch: readonly In<I>[], out: Out<Stem, In<I>, O>): Entry[] {
    const newest = new Map<string, Entry>()
    for (const record of batch) {
      const fact = spec.fact(record)
      if (fact === undefined) {
        out.drop(record, "not-read")
        continue
      }
      const slot = `${record.key}\u0000${fact.id}`
      const hash = record.op === "retract" ? "" : hashOf([fact.rows, fact.counts ?? []])
      const rival = newest.get(slot)
      const order = rival === undefined ? 1 : compare(record.version, hash, rival.record.version, rival.hash)
      if (order > 0) {
        if (rival !== undefined) out.drop(rival.record, "older-version")
        newest.set(slot, { record, fact, hash })
      } else out.drop(record, order === 0 ? "duplicate" : "older-version")
    }
    return [...newest.values()]
  }

  async function fold(batch: readonly In<I>[], out: Out<Stem, In<I>, O>, state: State): Promise<Map<string, Change>> {
    const entries = newestOf(batch, out)
    const found = await state.get<Held>(entries.map(({ record, fact }) => [record.key, held(fact.id)]))
    const fresh: { entry: Entry; old: Held | undefined }[] = []
    for (const [at, entry] of entries.entries()) {
      const { record, hash } = entry
      const old = found[at]
      const order = old === undefined ? 1 : compare(record.version, hash, BigInt(old.version), old.hash)
      if (order > 0) fresh.push({ entry, old })
      if (order > 0) out.hold(record)
      else out.drop(record, order === 0 ? "duplicate" : "older-version")
    }
    return store(fresh, state)
  }

  /** Replaces the facts' rows. What a changed fact was says which units it touched, so the old rows are read first. */
  async function store(
    fresh: readonly { entry: Entry; old: Held | undefined }[],
    state: State,
  ): Promise<Map<string, Change>> {
    const changes = new Map<string, Change>()
    const gone: [key: string, sort: string][] = []
    const tally = new Map<string, { key: string; sort: string; by: number }>()
    const count = (key: string, sort: string, by: number) => {
      const slot = `${key}\u0000${sort}`
      const entry = tally.get(slot) ?? { key, sort, by: 0 }
      entry.by += by
      tally.set(slot, entry)
    }
    const puts: [string, string, unknown][] = []
    for (const { entry, old } of fresh) {
      const { record, fact, hash } = entry
      const change = changes.get(record.key) ?? { rows: [], stem: record }
      changes.set(record.key, change)
      change.stem = record
      const [rows, counts] = record.op === "retract" ? [[], []] : [fact.rows, fact.counts ?? []]
      change.rows.push(...rows)
      for (const sort of old?.sorts ?? []) gone.push([record.key, data(sort)])
      for (const sort of old?.counts ?? []) count(record.key, sort, -1)
      for (const sort of counts) count(record.key, sort, 1)
      const next: Held = {
        version: String(record.version),
        hash,
        sorts: rows.map(([sort]) => sort),
        op: record.op,
        ...(counts.length > 0 ? { counts } : {}),
        ...(old !== undefined && BigInt(old.version) === record.version ? { conflict: true as const } : {}),
      }
      puts.push([record.key, held(fact.id), next])
      for (const [sort, value] of rows) puts.push([record.key, data(sort), value])
    }
    const moved = [...tally.values()].filter(({ by }) => by !== 0)
    const listed = spec.definition === undefined ? [] : [...changes.keys()]
    const was = await state.get<unknown>([
      ...gone,
      ...moved.map(({ key, sort }) => [key, data(sort)] as const),
      ...listed.map((key) => [key, known] as const),
    ])
    for (const [at, [key, sort]] of gone.entries()) changes.get(key)!.rows.push([sort.slice(2), was[at]])
    state.delete(gone)
    for (const [at, { key, sort, by }] of moved.entries()) {
      const before = Number(was[gone.length + at] ?? 0)
      if (before + by > 0) puts.push([key, data(sort), before + by])
      else state.delete([[key, data(sort)]])
      if (before === 0 || before + by <= 0) changes.get(key)!.rows.push([sort, before + by])
    }
    for (const [at, key] of listed.entries())
      if (was[gone.length + moved.length + at] === undefined)
        puts.push([key, known, true], [sliceKey(sliceOf(key)), key, true])
    state.put(puts)
    return changes
  }

  async function deriveAndDiff(
    changes: ReadonlyMap<string, Change>,
    out: Out<Stem, In<I>, O>,
    state: State,
  ): Promise<void> {
    const keys = [...changes.keys()]
    if (keys.length === 0) return
    const indexes = keys.map((key) => [
      ...spec.index(key).map((range) => stored(key, range)),
      ...(changes.get(key)!.sweep === true ? [{ key, ...prefixed("e/") }] : []),
    ])
    const indexRows = await scanAll(state, indexes)
    const todo: { key: string; change: Change; unit: U; gone?: true }[] = []
    for (const [at, key] of keys.entries()) {
      const change = changes.get(key)!
      const index = indexRows[at]!.slice(0, spec.index(key).length).map(unprefix)
      const everything = change.sweep === true || change.reached !== undefined
      const units = spec.units(key, everything ? undefined : change.rows, index)
      const wanted = change.reached === undefined ? units : units.filter(({ id }) => change.reached!.has(id))
      for (const unit of wanted) todo.push({ key, change, unit })
      if (change.sweep === true)
        for (const id of orphans(indexRows[at]!.at(-1)!, units))
          todo.push({ key, change, unit: { id, reads: [] } as unknown as U, gone: true })
    }
    const reads = todo.map(({ key, unit }) => [
      { key, ...prefixed(emitted(unit.id)) },
      ...unit.reads.map((range) => stored(key, range)),
    ])
    const rows = await scanAll(state, reads)
    for (const [at, { key, change, unit, gone }] of todo.entries()) {
      const [before, ...facts] = rows[at]!
      const prefix = emitted(unit.id)
      const own = new Map(before!.map(([sort, value]) => [sort.slice(prefix.length), value]))
      const old = (own.get(statePart) ?? {}) as UnitState
      own.delete(statePart)
      const fired = change.reached?.get(unit.id)
      const reached = later(old.reached, fired)
      const derivation: Derivation<V> =
        gone === true
          ? { rows: [] }
          : spec.derive(key, unit, facts.map(unprefix), { reached, completeThrough: state.completeThrough })
      const timerFired = fired !== undefined && fired !== Number.NEGATIVE_INFINITY
      keep(key, unit.id, change.stem, { ...old, ...(timerFired ? { fired: true } : {}) }, reached, derivation, state)
      diff(key, unit.id, change.stem, own as Map<string, Emitted>, derivation.rows, out, state)
    }
  }

  /** Arms, moves or cancels the unit's timer and its wait for feeds; writes nothing where nothing changed. */
  function keep(
    key: string,
    unit: string,
    stem: Stem,
    old: UnitState & { readonly fired?: boolean },
    reached: number | undefined,
    derivation: Derivation<V>,
    state: State,
  ): void {
    const { wakeAt } = derivation
    const armed = wakeAt !== undefined && (reached === undefined || reached < wakeAt) ? wakeAt : undefined
    const standing = old.fired === true ? undefined : old.armed
    const waits = derivation.waitsForFeeds === true
    if (armed !== undefined && armed !== standing) state.timer({ key, name: unit, due: armed, clock: "calendar" }, stem)
    if (armed === undefined && standing !== undefined) state.cancel(key, unit)
    if (waits && old.waits !== true) state.put([[waiting, waitSort(key, unit), true]])
    if (!waits && old.waits === true) state.delete([[waiting, waitSort(key, unit)]])
    if (armed === old.armed && reached === old.reached && waits === (old.waits === true)) return
    const next: UnitState = {
      ...(reached === undefined ? {} : { reached }),
      ...(armed === undefined ? {} : { armed }),
      ...(waits ? { waits } : {}),
    }
    state.put([[key, emitted(unit) + statePart, next]])
  }

  function diff(
    key: string,
    unit: string,
    stem: Stem,
    before: ReadonlyMap<string, Emitted>,
    rows: readonly Derived<V>[],
    out: Out<Stem, In<I>, O>,
    state: State,
  ): void {
    const was = new Map(before)
    const emit = (draft: Omit<Draft<V>, "key" | "version">, hash: string, old: Emitted | undefined) => {
      const revision = BigInt(old?.revision ?? "0") + 1n
      const entry: Emitted = { hash, revision: String(revision), op: draft.op }
      state.put([[key, emitted(unit) + rowPart + draft.id, entry]])
      out.emit(output, stem, { ...draft, key, version: revision } as Draft<never>)
    }
    for (const { id, value, time } of rows) {
      const old = was.get(rowPart + id)
      was.delete(rowPart + id)
      const hash = hashOf([value, time])
      if (old === undefined || old.op === "retract" || old.hash !== hash)
        emit({ id, op: "upsert", value, time }, hash, old)
    }
    const time = "time" in stem ? (stem as Rec).time : stem.due
    for (const [slot, old] of was)
      if (old.op === "upsert") emit({ id: slot.slice(rowPart.length), op: "retract", value: null, time }, "", old)
  }

  /** Notices, once a claim, that the definition is another one than the facts were derived by. */
  async function checkDefinition(stem: { readonly origin: Position }, state: State): Promise<void> {
    if (definitionChecked) return
    definitionChecked = true
    const definition = spec.definition!
    const [was] = await state.get<Rederiving>([rederiving])
    if (was?.definition === definition) return
    const next: Rederiving = { definition, next: was === undefined ? slices : 0 }
    state.put([[...rederiving, next]])
    if (was !== undefined) state.timer({ key: rederiving[0], name: "", due: 0, clock: "quiet" }, stem)
  }

  /** The keys of the next slice, to derive again under the changed definition; arms the slice after it. */
  async function nextSlice(timer: Timer, state: State): Promise<readonly string[]> {
    const [at] = await state.get<Rederiving>([rederiving])
    if (at === undefined || at.next >= slices) return []
    const looked = Array.from({ length: Math.min(slicesAtOnce, slices - at.next) }, (_, ahead) => at.next + ahead)
    const found = await state.scan<true>(looked.map((slice) => ({ key: sliceKey(slice) })))
    // The first that holds anything; the empty ones before it are done with it.
    const first = found.findIndex((rows) => rows.length > 0)
    const next = at.next + (first < 0 ? looked.length : first + 1)
    state.put([[...rederiving, { ...at, next }]])
    if (next < slices) state.timer({ key: rederiving[0], name: "", due: timer.due + 1, clock: "quiet" }, timer)
    return (found[first] ?? []).map(([key]) => key)
  }

  return {
    ...(spec.definition === undefined
      ? {}
      : { onClaim: (_out: unknown, state: State, origin: Position) => checkDefinition({ origin }, state) }),
    async apply(batch, out, state) {
      if (batch.length > 0) await checkDefinition(batch[0]!, state)
      await deriveAndDiff(await fold(batch, out, state), out, state)
    },
    async onTimer(fired, out, state) {
      if (fired.length > 0) await checkDefinition(fired[0]!, state)
      const changes = new Map<string, Change>()
      for (const timer of fired) {
        if (timer.key === rederiving[0]) {
          const keys = await nextSlice(timer, state)
          await deriveAndDiff(new Map(keys.map((key) => [key, { rows: [], stem: timer, sweep: true }])), out, state)
          continue
        }
        const change = changes.get(timer.key) ?? { rows: [], stem: timer, reached: new Map() }
        change.reached!.set(timer.name, timer.due)
        changes.set(timer.key, change)
      }
      await deriveAndDiff(changes, out, state)
    },
    async onComplete(out, state, origin) {
      await checkDefinition({ origin }, state)
      const [rows] = await state.scan<boolean>([{ key: waiting }])
      const changes = new Map<string, Change>()
      for (const [sort] of rows ?? []) {
        const [key, unit] = sort.split("\u0001") as [string, string]
        const stem: Timer = { key, name: unit, due: 0, clock: "quiet", origin }
        const change = changes.get(key) ?? { rows: [], stem, reached: new Map() }
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

/** Units that have emitted rows and are not among `units`. */
function orphans(rows: readonly Row[], units: readonly Unit[]): string[] {
  const ids = new Set(rows.map(([sort]) => decodeURIComponent(sort.split("/")[1]!)))
  for (const { id } of units) ids.delete(id)
  return [...ids]
}

/** Scans groups of ranges in one read, each distinct range once. */
async function scanAll(
  state: State,
  groups: readonly (readonly { readonly key: string; readonly from: string; readonly to: string }[])[],
): Promise<(readonly Row[])[][]> {
  const slots = new Map<string, number>()
  const ranges: { readonly key: string; readonly from: string; readonly to: string }[] = []
  const places = groups.map((group) =>
    group.map((range) => {
      const slot = `${range.key}\u0000${range.from}\u0000${range.to}`
      const at = slots.get(slot) ?? ranges.push(range) - 1
      slots.set(slot, at)
      return at
    }),
  )
  const rows = ranges.length === 0 ? [] : await state.scan<unknown>(ranges)
  return places.map((group) => group.map((at) => rows[at]!))
}

/** Greater version first; of equal versions with different content the greater canonical body (by its hash) stands. */
function compare(version: bigint, hash: string, otherVersion: bigint, otherHash: string): number {
  if (version !== otherVersion) return version > otherVersion ? 1 : -1
  return hash === otherHash ? 0 : hash > otherHash ? 1 : -1
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  if (b === undefined || b === Number.NEGATIVE_INFINITY) return a
  return a === undefined ? b : Math.max(a, b)
}
