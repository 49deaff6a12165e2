import type { KeyedState, State, Timer } from "../../core/index.ts"

/** A State in memory, for plugin tests: the same order and visibility as the real one (the Store contract covers that), with
 * a way to fire what is armed. */
export interface MemoryState extends State {
  readonly timers: ReadonlyMap<string, Timer>
  /** Takes the timers of a clock that are due, as the engine would hand them to `onTimer`. */
  due(clock: Timer["clock"], until: number): Timer[]
  setNow(now: number): void
  setComplete(feed: string, through: number): void
  /** How many rows name an object, by `zone/key`; those that none names are not in it. */
  readonly references: ReadonlyMap<string, number>
  /** Every row, as JSON text, by key and sort: for comparing two histories. */
  dump(): Map<string, string>
  /** The same rows, timers and clock on their own: what a new owner finds after a step that was not committed. */
  copy(): MemoryState
}

type Rows = Map<string, Map<string, string>>

interface Kept {
  readonly own: Rows
  readonly shared: Rows
  readonly timers: Map<string, Timer>
  readonly complete: Map<string, number>
  readonly references: Map<string, number>
}

function refer(references: Map<string, number>, slot: string, by: number): void {
  const count = (references.get(slot) ?? 0) + by
  if (count === 0) references.delete(slot)
  else references.set(slot, count)
}

const copyOf = (rows: Rows): Rows => new Map([...rows].map(([key, of]) => [key, new Map(of)]))

function keyed(rows: Rows): KeyedState {
  const read = <T>(text: string | undefined): T | undefined =>
    text === undefined ? undefined : (JSON.parse(text) as T)
  return {
    get: async <T>(keys: readonly (readonly [string, string])[]) =>
      keys.map(([key, sort]) => read<T>(rows.get(key)?.get(sort))),
    scan: async <T>(ranges: readonly { key: string; from?: string; to?: string }[]) =>
      ranges.map(({ key, from, to }) =>
        [...(rows.get(key) ?? [])]
          .map(([sort, text]) => [sort, Buffer.from(sort), text] as const)
          .filter(([, bytes]) => from === undefined || Buffer.compare(bytes, Buffer.from(from)) >= 0)
          .filter(([, bytes]) => to === undefined || Buffer.compare(bytes, Buffer.from(to)) < 0)
          .sort((a, b) => Buffer.compare(a[1], b[1]))
          .map(([sort, , text]) => [sort, JSON.parse(text) as T] as const),
      ),
    put: (puts) => {
      for (const [key, sort, value] of puts) {
        if (!rows.has(key)) rows.set(key, new Map())
        rows.get(key)!.set(sort, JSON.stringify(value))
      }
    },
    delete: (keys) => {
      for (const [key, sort] of keys) rows.get(key)?.delete(sort)
    },
  }
}

/** @param now the engine's clock at first, ms since 1970, UTC */
export const memoryState = (now = 0): MemoryState =>
  stateOf(now, { own: new Map(), shared: new Map(), timers: new Map(), complete: new Map(), references: new Map() })

function stateOf(now: number, { own, shared, timers, complete, references }: Kept): MemoryState {
  let clock = now
  return {
    ...keyed(own),
    shared: { ...keyed(shared), lock: async () => {} },
    get now() {
      return clock
    },
    completeThrough: complete,
    timers,
    timer: (timer, from) => timers.set(`${timer.key}\u0000${timer.name}`, { ...timer, origin: from.origin }),
    cancel: (key, name) => timers.delete(`${key}\u0000${name}`),
    references,
    read: () => {},
    own: () => {},
    ownRecords: () => {},
    refer: (zone, before, after) => {
      for (const key of new Set(before)) refer(references, `${zone}/${key}`, -1)
      for (const key of new Set(after)) refer(references, `${zone}/${key}`, 1)
    },
    due(which, until) {
      const fired = [...timers].filter(([, timer]) => timer.clock === which && timer.due <= until)
      for (const [slot] of fired) timers.delete(slot)
      return fired.map(([, timer]) => timer).sort((a, b) => a.due - b.due)
    },
    setNow: (to) => (clock = to),
    setComplete: (feed, through) => complete.set(feed, through),
    dump: () =>
      new Map(
        [own, shared].flatMap((side, at) =>
          [...side].flatMap(([key, rows]) => [...rows].map(([sort, text]) => [`${at}/${key}/${sort}`, text] as const)),
        ),
      ),
    copy: () =>
      stateOf(clock, {
        own: copyOf(own),
        shared: copyOf(shared),
        timers: new Map(timers),
        complete: new Map(complete),
        references: new Map(references),
      }),
  } as MemoryState
}
