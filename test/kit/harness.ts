import type {
  Bound,
  Context,
  Draft,
  In,
  Made,
  Out,
  Ports,
  Rec,
  StatefulInstance,
  Timer,
  TransformInstance,
  Zone,
} from "../../core/index.ts"
import { fatal, recordType } from "../../core/index.ts"
import type { MemoryState } from "./memory-state.ts"

/** What a step did to each record. */
export interface Collected {
  readonly emitted: { readonly to: string; readonly from: Rec | Timer; readonly draft: Draft }[]
  readonly held: Rec[]
  readonly dropped: { readonly from: Rec; readonly reason: string }[]
  /** Of what an earlier step held, `from` is what was said of it. */
  readonly failed: { readonly from: Rec; readonly error: Error }[]
  /** What de-identification said that it did. */
  readonly made: { readonly from: Rec; readonly made: Made }[]
}

/** Bindings as tests give them: the record type only where a plugin asks for it. */
export type TestBindings = Readonly<Record<string, Omit<Bound, "type"> & Partial<Pick<Bound, "type">>>>

/** What a test says of a context. */
export interface TestContext extends Partial<Omit<Context, "inputs" | "outputs">> {
  readonly inputs?: TestBindings
  readonly outputs?: TestBindings
}

/** The type of records of this kit that state none. */
const testType = recordType({ name: "test", doc: "A record of a test.", fields: {}, id: [] })

const bind = (given: TestBindings = {}): Context["inputs"] =>
  Object.fromEntries(Object.entries(given).map(([port, bound]) => [port, { type: testType, ...bound }]))

/** A context for tests: everything it can reach is given by the test, and what is not given fails. */
export function testContext(given: TestContext = {}): Context {
  const missing = (what: string) => () => {
    throw fatal("not-in-test-context", `the test context has no ${what}`)
  }
  return {
    pipeline: "test",
    name: "test",
    signal: new AbortController().signal,
    resolve: (path) => path,
    secret: missing("secret"),
    objects: missing("objects"),
    identity: { namespaces: [], key: missing("identity key") },
    vault: missing("vault"),
    reviews: () => undefined,
    storeUrl: "",
    clock: { now: () => 0 },
    log: { info: () => {}, warn: () => {}, error: () => {} },
    count: () => {},
    ...given,
    inputs: bind(given.inputs),
    outputs: bind(given.outputs),
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

/** How a record ended: emitted and held may go together (fold, derive, diff), dropped or failed goes alone. */
const emittedBit = 1
const heldBit = 2
const goneBit = 4

class Collector {
  readonly collected: Collected = { emitted: [], held: [], dropped: [], failed: [], made: [] }
  readonly #ends: Map<unknown, number>

  constructor(batch: readonly Rec[]) {
    this.#ends = new Map(batch.map((record) => [record, 0]))
  }

  out<I extends Ports, O extends Ports>(): Out<In<I> | Timer, In<I>, O> {
    const { emitted, held, dropped, failed, made: told } = this.collected
    return {
      emit: (to, from, draft) => {
        if (!("due" in from)) this.#end(from, emittedBit)
        emitted.push({ to, from: from as Rec | Timer, draft: draft as Draft })
      },
      hold: (from) => (this.#end(from, heldBit), held.push(from)),
      drop: (from, reason) => (this.#end(from, goneBit), dropped.push({ from, reason })),
      fail: (from, error) => (this.#end(from, goneBit), failed.push({ from, error })),
      failHeld: (_from, held, error) => failed.push({ from: held as Rec, error }),
      dropHeld: (_from, held, reason) => dropped.push({ from: held as Rec, reason }),
      made: (from, made) => told.push({ from, made }),
    }
  }

  #end(from: unknown, how: number): void {
    const end = this.#ends.get(from)
    if (end === undefined) throw new Error("the plugin ended a record, or emitted from one, that is not of this batch")
    const twice = (end & goneBit) !== 0 || (how === goneBit && end !== 0) || (how === heldBit && (end & heldBit) !== 0)
    if (twice) throw new Error("a record was ended twice; it must be emitted, held, dropped or failed, once")
    this.#ends.set(from, end | how)
  }

  check(): void {
    if ([...this.#ends.values()].includes(0))
      throw new Error("a record was ended 0 times; it must be emitted, held, dropped or failed, once")
  }
}

/** Runs one batch through a transform without state; throws when a record was not ended exactly once. */
export async function runTransform<I extends Ports, O extends Ports>(
  instance: TransformInstance<I, O>,
  batch: readonly (Rec & { readonly input: string })[],
): Promise<Collected> {
  const collector = new Collector(batch)
  await instance.apply(batch as unknown as readonly In<I>[], collector.out())
  collector.check()
  return collector.collected
}

/** Runs one batch, or fired timers, through a stateful transform. */
export async function runStateful<I extends Ports, O extends Ports>(
  instance: StatefulInstance<I, O>,
  state: MemoryState,
  batch: readonly (Rec & { readonly input: string })[],
  fired: readonly Timer[] = [],
): Promise<Collected> {
  const collector = new Collector(batch)
  const out = collector.out<I, O>()
  if (batch.length > 0) await instance.apply(batch as unknown as readonly In<I>[], out, state)
  collector.check()
  if (fired.length > 0) await instance.onTimer?.(fired, out, state)
  return collector.collected
}

/** Tells a stateful transform that feeds became complete (see MemoryState.setComplete). */
export async function runComplete<I extends Ports, O extends Ports>(
  instance: StatefulInstance<I, O>,
  state: MemoryState,
): Promise<Collected> {
  const collector = new Collector([])
  await instance.onComplete?.(collector.out(), state, { topic: "test", partition: 0, offset: 0n })
  return collector.collected
}
