import type { KeyedState, SharedState, State, Timer } from "../plugin.ts"
import type { StateKey, StateRow, StepChange, StepTransaction } from "../ports/store.ts"
import type { Rec, Zone } from "../record.ts"
import type { RecordName } from "../sealing/sealing.ts"
import type { OwnedObject } from "../sealing/store-keys.ts"
import { claimOf } from "../codec.ts"
import { markOf } from "./replay.ts"
import { ReferenceChanges } from "./references.ts"
import { compareUtf8 } from "./byte-order.ts"

interface Range {
  readonly key: string
  readonly from?: string
  readonly to?: string
}
type TextRow = readonly [sort: string, text: string]
/** What reads rows as JSON text: the step's transaction, or what an earlier part of the step wrote over it. */
type Below = Pick<StepTransaction, "get" | "scan">

/** Writes over what is below; later reads see them. */
class Overlay implements KeyedState, Below {
  readonly #below: Below
  /** By key and sort; undefined where the row is deleted. */
  readonly #writes = new Map<string, Map<string, string | undefined>>()

  constructor(below: Below) {
    this.#below = below
  }

  /** The same reads as JSON text, for a part of the step that is laid over this one. */
  readonly texts: Below = {
    get: (keys) => this.#get(keys),
    scan: (ranges) => this.#scan(ranges),
  }

  async get<T>(keys: readonly StateKey[]): Promise<readonly (T | undefined)[]> {
    const texts = await this.#get(keys)
    return texts.map((text) => (text === undefined ? undefined : (JSON.parse(text) as T)))
  }

  async scan<T>(ranges: readonly Range[]) {
    const found = await this.#scan(ranges)
    return found.map((rows) => rows.map(([sort, text]) => [sort, JSON.parse(text) as T] as const))
  }

  put<T>(rows: readonly (readonly [key: string, sort: string, value: T])[]): void {
    for (const [key, sort, value] of rows) this.#of(key).set(sort, JSON.stringify(value))
  }

  delete(keys: readonly StateKey[]): void {
    for (const [key, sort] of keys) this.#of(key).set(sort, undefined)
  }

  /** Takes over what was written to an overlay over this one. */
  absorb(over: Overlay): void {
    for (const [key, writes] of over.#writes) for (const [sort, text] of writes) this.#of(key).set(sort, text)
  }

  get puts(): StateRow[] {
    const rows: StateRow[] = []
    for (const [key, writes] of this.#writes)
      for (const [sort, text] of writes) if (text !== undefined) rows.push([key, sort, text])
    return rows
  }

  get deletes(): StateKey[] {
    const keys: StateKey[] = []
    for (const [key, writes] of this.#writes)
      for (const [sort, text] of writes) if (text === undefined) keys.push([key, sort])
    return keys
  }

  #of(key: string): Map<string, string | undefined> {
    let writes = this.#writes.get(key)
    if (writes === undefined) this.#writes.set(key, (writes = new Map()))
    return writes
  }

  async #get(keys: readonly StateKey[]): Promise<readonly (string | undefined)[]> {
    const missing = keys.filter(([key, sort]) => this.#writes.get(key)?.has(sort) !== true)
    const found = missing.length === 0 ? [] : await this.#below.get(missing)
    let at = 0
    return keys.map(([key, sort]) => {
      const writes = this.#writes.get(key)
      return writes?.has(sort) === true ? writes.get(sort) : found[at++]
    })
  }

  async #scan(ranges: readonly Range[]): Promise<readonly (readonly TextRow[])[]> {
    if (ranges.length === 0) return []
    const found = await this.#below.scan(ranges)
    const sorted = new Map<string, readonly Write[]>()
    return found.map((rows, at) => {
      const { key, from, to } = ranges[at]!
      const writes = this.#writes.get(key)
      if (writes === undefined) return rows
      let own = sorted.get(key)
      if (own === undefined) sorted.set(key, (own = [...writes].sort(([a], [b]) => compareUtf8(a, b))))
      return merged(rows, own, from === undefined ? 0 : firstFrom(own, from), to)
    })
  }
}

type Write = readonly [sort: string, text: string | undefined]

/** The first write whose sort is not below `from`. */
function firstFrom(writes: readonly Write[], from: string): number {
  let [low, high] = [0, writes.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareUtf8(writes[middle]![0], from) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** Rows with writes over them, both in order. */
function merged(rows: readonly TextRow[], writes: readonly Write[], first: number, to: string | undefined): TextRow[] {
  const result: TextRow[] = []
  let at = 0
  for (let next = first; next < writes.length; next++) {
    const [sort, text] = writes[next]!
    if (to !== undefined && compareUtf8(sort, to) >= 0) break
    while (at < rows.length && compareUtf8(rows[at]![0], sort) < 0) result.push(rows[at++]!)
    if (at < rows.length && rows[at]![0] === sort) at++
    if (text !== undefined) result.push([sort, text])
  }
  while (at < rows.length) result.push(rows[at++]!)
  return result
}

const slotOf = (key: string, name: string): string => `${key}\u0000${name}`

/** The State that one step's plugin sees, and the change that it leaves. */
export class StepState implements State {
  readonly now: number
  readonly completeThrough: ReadonlyMap<string, number>
  readonly shared: SharedState
  readonly #tx: StepTransaction
  readonly #own: Overlay
  readonly #sharedRows: Overlay
  readonly #timers = new Map<string, Timer>()
  readonly #cancels = new Map<string, readonly [string, string]>()
  readonly #references = new ReferenceChanges()
  /** Objects that hold values of records: they end with their topic, and nothing counts them. */
  readonly #ownedClaims: OwnedObject[] = []
  readonly #ownedRecords: (RecordName & { readonly owner: string })[] = []

  /** @param below the step's transaction, or the part of the step over which this one is tried */
  constructor(below: StepTransaction | StepState, now: number, complete: ReadonlyMap<string, number>) {
    this.now = now
    this.completeThrough = complete
    const parent = below instanceof StepState ? below : undefined
    const tx = parent === undefined ? (below as StepTransaction) : parent.#tx
    this.#tx = tx
    this.#own = new Overlay(parent === undefined ? tx : parent.#own.texts)
    const rows = new Overlay(parent === undefined ? tx.shared : parent.#sharedRows.texts)
    this.#sharedRows = rows
    this.shared = {
      lock: (keys) => tx.shared.lock([...new Set(keys)].sort()),
      get: (keys) => rows.get(keys),
      scan: (ranges) => rows.scan(ranges),
      put: (puts) => rows.put(puts),
      delete: (keys) => rows.delete(keys),
    }
  }

  /** A part of this step that may be thrown away; `absorb` keeps it. */
  part(): StepState {
    return new StepState(this, this.now, this.completeThrough)
  }

  absorb(part: StepState): void {
    this.#own.absorb(part.#own)
    this.#sharedRows.absorb(part.#sharedRows)
    for (const [key, name] of part.#cancels.values()) this.cancel(key, name)
    for (const timer of part.#timers.values()) this.timer(timer, timer)
    this.#references.absorb(part.#references)
    this.#ownedRecords.push(...part.#ownedRecords)
    this.#ownedClaims.push(...part.#ownedClaims)
  }

  get<T>(keys: readonly StateKey[]): Promise<readonly (T | undefined)[]> {
    return this.#own.get(keys)
  }
  scan<T>(ranges: readonly { readonly key: string; readonly from?: string; readonly to?: string }[]) {
    return this.#own.scan<T>(ranges)
  }
  put<T>(rows: readonly (readonly [key: string, sort: string, value: T])[]): void {
    this.#own.put(rows)
  }
  delete(keys: readonly StateKey[]): void {
    this.#own.delete(keys)
  }
  timer(timer: Omit<Timer, "origin">, from: { readonly origin: Timer["origin"] }): void {
    const slot = slotOf(timer.key, timer.name)
    this.#cancels.delete(slot)
    this.#timers.set(slot, { ...timer, origin: from.origin })
  }
  cancel(key: string, name: string): void {
    const slot = slotOf(key, name)
    this.#timers.delete(slot)
    this.#cancels.set(slot, [key, name])
  }
  refer(zone: Zone, before: readonly string[], now: readonly string[]): void {
    this.#references.refer(zone, before, now)
  }
  read(zone: Zone, keys: readonly string[]): void {
    this.#references.read(zone, keys)
  }
  own(zone: Zone, owner: string, keys: readonly string[]): void {
    this.#references.own(zone, owner, keys)
  }
  ownRecords(owner: string, records: readonly Rec[]): void {
    for (const record of records) {
      const { key, id, version } = record
      this.#ownedRecords.push({ topic: markOf(record)?.topic ?? record.at.topic, key, id, version, owner })
      const claim = claimOf(record)
      if (claim !== undefined) this.#ownedClaims.push({ zone: record.zone, key: claim, owner })
    }
  }
  /** Records that the step says are about somebody. */
  get ownedRecords(): readonly (RecordName & { readonly owner: string })[] {
    return this.#ownedRecords
  }
  /** Objects that the step says are about somebody. */
  get owned(): readonly OwnedObject[] {
    return [...this.#references.owned, ...this.#ownedClaims]
  }
  /** Fired timers are gone unless the step armed them again. */
  fired(timers: readonly Timer[]): void {
    for (const { key, name } of timers)
      if (!this.#timers.has(slotOf(key, name))) this.#cancels.set(slotOf(key, name), [key, name])
  }

  get change(): Omit<StepChange, "positions" | "facts" | "outbox" | "published"> {
    return {
      puts: this.#own.puts,
      deletes: this.#own.deletes,
      sharedPuts: this.#sharedRows.puts,
      sharedDeletes: this.#sharedRows.deletes,
      timers: [...this.#timers.values()],
      cancels: [...this.#cancels.values()],
      references: this.#references.all,
    }
  }
}
