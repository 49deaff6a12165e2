import type {
  Context,
  Draft,
  In,
  Out,
  Ports,
  Rec,
  StatefulInstance,
  Timer,
  TransformInstance,
  Zone,
} from "../../core/index.ts"
import { fatal } from "../../core/index.ts"
import type { MemoryState } from "./memory-state.ts"

/** What a step did to each record. */
export interface Collected {
  readonly emitted: { readonly to: string; readonly from: Rec | Timer; readonly draft: Draft }[]
  readonly held: Rec[]
  readonly dropped: { readonly from: Rec; readonly reason: string }[]
  /** Of what an earlier step held, `from` is what was said of it. */
  readonly failed: { readonly from: Rec; readonly error: Error }[]
}

/** A context for tests: everything it can reach is given by the test, and what is not given fails. */
export function testContext(given: Partial<Context> = {}): Context {
  const missing = (what: string) => () => {
    throw fatal("not-in-test-context", `the test context has no ${what}`)
  }
  return {
    pipeline: "test",
    name: "test",
    signal: new AbortController().signal,
    inputs: {},
    outputs: {},
    resolve: (path) => path,
    secret: missing("secret"),
    objects: missing("objects"),
    identity: { namespaces: [], key: missing("identity key") },
    storeUrl: "",
    clock: { now: () => 0 },
    log: { info: () => {}, warn: () => {} },
    count: () => {},
    ...given,
  }
}

let offset = 0n

/** A record as the engine would hand it over. */
export function record<V>(
  draft: Partial<Draft<V>> & { readonly value: V | null },
  input = "in",
  zone: Zone = "phi",
): Rec<V> & { readonly input: string } {
  const at = { topic: "test", partition: 0, offset: offset++ }
  return { key: "k", id: "i", op: "upsert", version: 1n, time: 0, ...draft, at, origin: at, zone, type: "test", input }
}

function collector<I extends Ports, O extends Ports>(): {
  out: Out<In<I> | Timer, In<I>, O>
  collected: Collected
  ended: Map<Rec, number>
} {
  const collected: Collected = { emitted: [], held: [], dropped: [], failed: [] }
  const ended = new Map<Rec, number>()
  const end = (from: Rec, by: number) => ended.set(from, (ended.get(from) ?? 0) + by)
  const emittedFrom = new Set<unknown>()
  return {
    collected,
    ended,
    out: {
      emit(to, from, draft) {
        if (!emittedFrom.has(from) && "at" in (from as object)) end(from as Rec, 0)
        emittedFrom.add(from)
        collected.emitted.push({ to, from: from as Rec | Timer, draft: draft as Draft })
      },
      hold: (from) => (end(from, 1), collected.held.push(from)),
      drop: (from, reason) => (end(from, 1), collected.dropped.push({ from, reason })),
      fail: (from, error) => (end(from, 1), collected.failed.push({ from, error })),
      failHeld: (_from, held, error) => collected.failed.push({ from: held as Rec, error }),
      dropHeld: (_from, held, reason) => collected.dropped.push({ from: held as Rec, reason }),
    },
  }
}

/** Runs one batch through a transform without state; throws when a record was not ended exactly once. */
export async function runTransform<I extends Ports, O extends Ports>(
  instance: TransformInstance<I, O>,
  batch: readonly (Rec & { readonly input: string })[],
): Promise<Collected> {
  const { out, collected, ended } = collector<I, O>()
  await instance.apply(batch as unknown as readonly In<I>[], out)
  checkEnded(batch, collected, ended)
  return collected
}

/** Runs one batch, or fired timers, through a stateful transform. */
export async function runStateful<I extends Ports, O extends Ports>(
  instance: StatefulInstance<I, O>,
  state: MemoryState,
  batch: readonly (Rec & { readonly input: string })[],
  fired: readonly Timer[] = [],
): Promise<Collected> {
  const { out, collected, ended } = collector<I, O>()
  if (batch.length > 0) await instance.apply(batch as unknown as readonly In<I>[], out, state)
  checkEnded(batch, collected, ended)
  if (fired.length > 0) await instance.onTimer?.(fired, out, state)
  return collected
}

/** Tells a stateful transform that feeds became complete (see MemoryState.setComplete). */
export async function runComplete<I extends Ports, O extends Ports>(
  instance: StatefulInstance<I, O>,
  state: MemoryState,
): Promise<Collected> {
  const { out, collected } = collector<I, O>()
  await instance.onComplete?.(out, state, { topic: "test", partition: 0, offset: 0n })
  return collected
}

function checkEnded(batch: readonly Rec[], collected: Collected, ended: ReadonlyMap<Rec, number>): void {
  const emitted = new Set(collected.emitted.map(({ from }) => from))
  for (const record of batch) {
    const others = ended.get(record) ?? 0
    // Emitting several times is one end; a held record may have emitted as well (fold, derive, diff).
    if (others > 1 || (others === 0 && !emitted.has(record)))
      throw new Error(
        `a record was ended ${others + (emitted.has(record) ? 1 : 0)} times; it must be emitted, held, dropped or failed, once`,
      )
  }
}
