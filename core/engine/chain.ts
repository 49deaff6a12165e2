import { canaryLeak } from "../canary/watch.ts"
import { WeirError, classify, fatal } from "../errors.ts"
import type {
  AnyPlugin,
  HeldInput,
  Made,
  Out,
  Ports,
  State,
  StatefulInstance,
  Timer,
  TransformInstance,
} from "../plugin.ts"
import type { Draft, Position, Rec, Zone } from "../record.ts"

/** A record inside a chain: what it is, and the input (or timer) of the stage from which it stems. */
type Stem = Rec | Timer
type Item = Rec & { readonly input: string }

/** What a step of a stage made of its inputs. */
export interface ChainResult {
  readonly emitted: { readonly to: string; readonly root: Stem; readonly draft: Draft }[]
  readonly held: Rec[]
  readonly dropped: { readonly root: HeldInput; readonly step: string; readonly reason: string }[]
  readonly failed: Failed[]
  readonly made: MadeOf[]
}

/** What a privacy transform did to a record that it read. */
export interface MadeOf {
  readonly from: Pick<Rec, "key" | "id" | "op" | "version">
  readonly made: Made
}

/** What becomes a dead letter: an input of this step, or one that an earlier step held. */
export interface Failed {
  readonly root: HeldInput
  readonly step: string
  readonly error: WeirError
}

export type StepInstance = TransformInstance<never, never> | StatefulInstance<never, never>

/** A made plugin with what the chain needs of its declaration. */
export interface ChainStep {
  readonly plugin: Extract<AnyPlugin, { kind: "transform" | "stateful" }>
  readonly instance: StepInstance
}

const emptyResult = (): ChainResult => ({ emitted: [], held: [], dropped: [], failed: [], made: [] })

/** What a step of a stage works on. */
export interface ChainWork {
  readonly batch: readonly Item[]
  readonly fired?: readonly Timer[]
  readonly complete?: Position
  /** Where the input stands, in the first step of a claim. */
  readonly claimed?: Position
  /** Of the stage's inputs. */
  readonly zone: Zone
}

/** Runs a batch, or fired timers, or news of completeness, through the steps of a stage, and checks that each record was ended
 * exactly once in each. Only the stateful step sees `state`, and what is beside the batch. */
export async function runChain(
  stage: string,
  steps: readonly ChainStep[],
  work: ChainWork,
  state: State | undefined,
): Promise<ChainResult> {
  const result = emptyResult()
  let items: { readonly item: Item; readonly root: Stem }[] = work.batch.map((item) => ({ item, root: item }))
  for (const [at, step] of steps.entries()) {
    const last = at === steps.length - 1
    const turn = new Turn(stage, step.plugin, items, result)
    try {
      await apply(step, turn, items, work, state)
      turn.check()
    } catch (thrown) {
      throw privacyOr(stage, step.plugin, thrown)
    } finally {
      turn.over()
    }
    if (last) result.emitted.push(...turn.emits)
    else items = turn.emits.map(({ root, draft, type }) => ({ root, item: asItem(root, draft, type, work) }))
  }
  return result
}

async function apply(
  { plugin, instance }: ChainStep,
  turn: Turn,
  items: readonly { readonly item: Item }[],
  work: Pick<ChainWork, "fired" | "complete" | "claimed">,
  state: State | undefined,
): Promise<void> {
  const batch = items.map(({ item }) => item)
  if (plugin.kind === "transform") {
    if (batch.length > 0) await (instance as TransformInstance<never, never>).apply(batch as never, turn.out as never)
    return
  }
  const stateful = instance as StatefulInstance<never, never>
  if (work.claimed !== undefined) await stateful.onClaim?.(turn.out as never, state!, work.claimed)
  if (batch.length > 0) await stateful.apply(batch as never, turn.out as never, state!)
  if (work.fired !== undefined && work.fired.length > 0) await stateful.onTimer?.(work.fired, turn.out as never, state!)
  if (work.complete !== undefined) await stateful.onComplete?.(turn.out as never, state!, work.complete)
}

/** A privacy transform that throws is fatal, whatever it throws: no bisection, nothing passes. */
function privacyOr(stage: string, plugin: AnyPlugin, thrown: unknown): WeirError {
  const error = classify(thrown)
  const passing = error.meaning === "retryable" || error.meaning === "systemic"
  if (
    !("privacy" in plugin) ||
    plugin.privacy !== true ||
    error.code === "privacy-failed" ||
    error.code === canaryLeak ||
    passing
  )
    return error
  return fatal(
    "privacy-failed",
    `stage ${stage}: privacy transform ${plugin.name} failed (${error.code}): ${error.message}`,
    {
      cause: thrown,
      hint: "nothing of the batch was passed on; mend the transform and start again",
    },
  )
}

const isTimer = (stem: Stem): stem is Timer => "due" in stem

function asItem(root: Stem, draft: Draft, type: string, { zone }: { readonly zone: Zone }): Item {
  const at = isTimer(root) ? root.origin : root.at
  return { ...draft, at, origin: draft.origin ?? root.origin, zone, type, input: "in" }
}

/** One plugin call: gathers what it says of each record. */
class Turn {
  readonly emits: { to: string; root: Stem; draft: Draft; type: string }[] = []
  readonly #stage: string
  readonly #plugin: Extract<AnyPlugin, { kind: "transform" | "stateful" }>
  readonly #result: ChainResult
  /** 0: not ended, 1: emitted, 2: held, 3: held and emitted, 4: dropped or failed. */
  readonly #ends = new Map<Stem, number>()
  readonly #roots = new Map<Stem, Stem>()
  #over = false

  constructor(
    stage: string,
    plugin: ChainStep["plugin"],
    items: readonly { readonly item: Item; readonly root: Stem }[],
    result: ChainResult,
  ) {
    this.#stage = stage
    this.#plugin = plugin
    this.#result = result
    for (const { item, root } of items) {
      this.#ends.set(item, 0)
      this.#roots.set(item, root)
    }
  }

  readonly out: Out<Stem, Rec, never> = {
    emit: (to, from, draft) => {
      this.#open()
      if (!Object.hasOwn(this.#plugin.outputs, to)) this.#broken("emitted to an output that it does not declare")
      const end = this.#ends.get(from)
      if (end === undefined && !isTimer(from)) this.#broken("emitted from a record that is not of this batch")
      if (end === 4) this.#broken("emitted from a record that it had dropped or failed")
      if (end !== undefined) this.#ends.set(from, end | 1)
      this.emits.push({ to, root: this.#roots.get(from) ?? from, draft: draft as Draft, type: this.#typeOf(to, from) })
    },
    hold: (from) => {
      if (this.#plugin.kind === "transform") this.#broken("held a record, and has no state to hold it in")
      this.#end(from, 2)
      this.#result.held.push(this.#roots.get(from) as Rec)
    },
    drop: (from, reason) => {
      this.#end(from, 4)
      this.#result.dropped.push({ root: this.#roots.get(from) as Rec, step: this.#plugin.name, reason })
    },
    fail: (from, error) => {
      this.#end(from, 4)
      this.#failed(this.#roots.get(from) as Rec, error)
    },
    failHeld: (from, held, error) => {
      this.#open()
      if (!this.#ends.has(from) && !isTimer(from))
        this.#broken("failed a held record for one that is not of this batch")
      this.#failed(held, error)
    },
    dropHeld: (from, held, reason) => {
      this.#open()
      if (!this.#ends.has(from) && !isTimer(from))
        this.#broken("dropped a held record for one that is not of this batch")
      this.#result.dropped.push({ root: held, step: this.#plugin.name, reason })
    },
    made: (from, made) => {
      this.#open()
      if (!this.#ends.has(from)) this.#broken("told what it made of a record that is not of this batch")
      this.#result.made.push({ from, made })
    },
  }

  /** The record type of what comes out of a port: its own, or that of what it stems from. */
  #typeOf(to: string, from: Stem): string {
    const type = (this.#plugin.outputs as Ports)[to]?.type
    if (typeof type === "object") return type.name
    return isTimer(from) ? "" : from.type
  }

  #failed(root: Failed["root"], error: Error): void {
    const known = classify(error)
    // Only a bad record is a record's own failure; anything else is the step's, and reacts as such.
    if (known.meaning !== "bad-record") throw known
    this.#result.failed.push({ root, step: this.#plugin.name, error: known })
  }

  #end(from: Rec, how: 2 | 4): void {
    this.#open()
    const end = this.#ends.get(from)
    if (end === undefined) this.#broken("ended a record that is not of this batch")
    if (end === 2 || end === 3 || end === 4 || (end === 1 && how === 4)) this.#broken("ended a record twice")
    this.#ends.set(from, (end ?? 0) | how)
  }

  check(): void {
    for (const end of this.#ends.values())
      if (end === 0) this.#broken("left a record without an end: emit, hold, drop or fail it")
  }

  /** What was said is taken; a plugin that goes on after its call has settled would say it to nobody. */
  over(): void {
    this.#over = true
  }

  #open(): void {
    if (this.#over) this.#broken("went on with a batch after its call had settled")
  }

  #broken(what: string): never {
    throw fatal("contract-broken", `stage ${this.#stage}: plugin ${this.#plugin.name} ${what}`)
  }
}
