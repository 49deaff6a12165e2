import type { KeyedState, SharedState, State, Timer } from "../plugin.ts"
import type { StateKey, StateRow, StepChange, StepTransaction } from "../ports/store.ts"

const slotOf = (key: string, sort: string): string => `${key}\u0000${sort}`

/** Writes of one step, over what the transaction reads; later reads see them. */
class Overlay implements KeyedState {
  readonly #tx: Pick<StepTransaction, "get" | "scan">
  readonly #writes = new Map<string, { key: string; sort: string; value: string | undefined }>()

  constructor(tx: Pick<StepTransaction, "get" | "scan">) {
    this.#tx = tx
  }

  async get<T>(keys: readonly StateKey[]): Promise<readonly (T | undefined)[]> {
    if (keys.length === 0) return []
    const missing = keys.filter(([key, sort]) => !this.#writes.has(slotOf(key, sort)))
    const found = missing.length === 0 ? [] : await this.#tx.get(missing)
    let at = 0
    return keys.map(([key, sort]) => {
      const write = this.#writes.get(slotOf(key, sort))
      const text = write === undefined ? found[at++] : write.value
      return text === undefined ? undefined : (JSON.parse(text) as T)
    })
  }

  async scan<T>(ranges: readonly { readonly key: string; readonly from?: string; readonly to?: string }[]) {
    if (ranges.length === 0) return []
    const found = await this.#tx.scan(ranges)
    const written = Map.groupBy(this.#writes.values(), ({ key }) => key)
    return found.map((rows, at) => {
      const range = ranges[at]!
      const own = (written.get(range.key) ?? []).filter(({ sort }) => within(sort, range))
      if (own.length === 0) return rows.map(([sort, text]) => [sort, JSON.parse(text) as T] as const)
      const merged = new Map(rows)
      for (const { sort, value } of own)
        if (value === undefined) merged.delete(sort)
        else merged.set(sort, value)
      return [...merged]
        .map(([sort, text]) => [sort, Buffer.from(sort), text] as const)
        .sort((a, b) => Buffer.compare(a[1], b[1]))
        .map(([sort, , text]) => [sort, JSON.parse(text) as T] as const)
    })
  }

  put<T>(rows: readonly (readonly [key: string, sort: string, value: T])[]): void {
    for (const [key, sort, value] of rows)
      this.#writes.set(slotOf(key, sort), { key, sort, value: JSON.stringify(value) })
  }

  delete(keys: readonly StateKey[]): void {
    for (const [key, sort] of keys) this.#writes.set(slotOf(key, sort), { key, sort, value: undefined })
  }

  get puts(): StateRow[] {
    return [...this.#writes.values()].flatMap(({ key, sort, value }) =>
      value === undefined ? [] : [[key, sort, value] as const],
    )
  }

  get deletes(): StateKey[] {
    return [...this.#writes.values()].flatMap(({ key, sort, value }) =>
      value === undefined ? [[key, sort] as const] : [],
    )
  }
}

function within(sort: string, { from, to }: { readonly from?: string; readonly to?: string }): boolean {
  const bytes = Buffer.from(sort)
  return (
    (from === undefined || Buffer.compare(bytes, Buffer.from(from)) >= 0) &&
    (to === undefined || Buffer.compare(bytes, Buffer.from(to)) < 0)
  )
}

/** The State that one step's plugin sees, and the change that it leaves. */
export class StepState implements State {
  readonly now: number
  readonly completeThrough: ReadonlyMap<string, number>
  readonly shared: SharedState
  readonly #own: Overlay
  readonly #sharedRows: Overlay
  readonly #timers = new Map<string, Timer>()
  readonly #cancels = new Map<string, readonly [string, string]>()

  constructor(tx: StepTransaction, now: number, complete: ReadonlyMap<string, number>) {
    this.now = now
    this.completeThrough = complete
    this.#own = new Overlay(tx)
    this.#sharedRows = new Overlay(tx.shared)
    const rows = this.#sharedRows
    this.shared = {
      lock: (keys) => tx.shared.lock([...new Set(keys)].sort()),
      get: (keys) => rows.get(keys),
      scan: (ranges) => rows.scan(ranges),
      put: (puts) => rows.put(puts),
      delete: (keys) => rows.delete(keys),
    }
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
  /** Fired timers are gone unless the step armed them again. */
  fired(timers: readonly Timer[]): void {
    for (const { key, name } of timers)
      if (!this.#timers.has(slotOf(key, name))) this.#cancels.set(slotOf(key, name), [key, name])
  }

  get change(): Pick<StepChange, "puts" | "deletes" | "sharedPuts" | "sharedDeletes" | "timers" | "cancels"> {
    return {
      puts: this.#own.puts,
      deletes: this.#own.deletes,
      sharedPuts: this.#sharedRows.puts,
      sharedDeletes: this.#sharedRows.deletes,
      timers: [...this.#timers.values()],
      cancels: [...this.#cancels.values()],
    }
  }
}
