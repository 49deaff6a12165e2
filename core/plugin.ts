import type * as Schema from "effect/Schema"
import type { Context } from "./context.ts"
import type { OptionFault } from "./pipeline/options.ts"
import type { Draft, Position, Rec, Zone } from "./record.ts"
import type { RecordType } from "./record-type.ts"

/** A named input or output.
 * `key`: what its partition key means: person, study, patient-reference, pseudonym ...; "any" takes every key, "same" (outputs)
 * is the input's. `zone`: a zone that the topic must have, or "any". `type`: the record type, "any" (inputs), "same" (outputs). */
export interface Port<V> {
  readonly key: string
  readonly zone: Zone | "any"
  readonly type: RecordType<V> | "any" | "same"
}
/** Named inputs or outputs. */
// oxlint-disable-next-line typescript/no-explicit-any -- a port of any value type; `unknown` is not assignable both ways
export type Ports = Readonly<Record<string, Port<any>>>
type PortValue<P> = P extends Port<infer V> ? V : never

/** A batch mixes the inputs; `input` tells them apart. */
export type In<I extends Ports> = { [K in keyof I & string]: Rec<PortValue<I[K]>> & { readonly input: K } }[keyof I &
  string]

/** Declares a port. */
export const port = <V>(type: RecordType<V>, key: string, zone: Zone | "any" = "any"): Port<V> => ({ key, zone, type })

/** An input that takes every record type and key. */
export const anyPort: Port<unknown> = { key: "any", zone: "any", type: "any" }

/** An output that keeps its input's record type and key. */
export const samePort: Port<unknown> = { key: "same", zone: "any", type: "same" }

interface Declaration<Opt> {
  /** kebab-case, unique among plugins. */
  readonly name: string
  /** One sentence for `weir list`. */
  readonly summary: string
  /** The options under `with:`, with descriptions; unknown keys are refused. */
  readonly options: Schema.ConstraintDecoder<Opt>
  /** The names of the secrets that these options use; checked before anything runs. */
  readonly secrets?: (options: Opt) => readonly string[]
  /** Tries to reach what the options name, and changes nothing there; for `weir check --connect`. Rejects with an error that says
   * what to do next. */
  readonly test?: (options: Opt, context: Context) => Promise<void>
  /** Set by the engine's registry for plugins of packages: `package@version`. */
  readonly from?: string
}

/** What a source's `run` is given. */
export interface SourceRun<O extends Ports> {
  /** Resolves when durable; calls in flight share a transaction, in order. Waits out trouble; rejects only on stop. */
  append<K extends keyof O & string>(
    to: K,
    records: readonly Draft<PortValue<O[K]>>[],
    checkpoint?: Readonly<Record<string, string | null>>,
  ): Promise<void>
  /** Ends an arrival that becomes no record: counted in the summary, by reason (a code). */
  drop(reason: string): void
  /** A dead letter for an arrival that becomes no record; durable when the returned promise resolves. */
  fail(place: string, error: Error, checkpoint?: Readonly<Record<string, string | null>>): Promise<void>
  /** The last durable checkpoint by channel (a file, an upstream partition). */
  readonly checkpoint: ReadonlyMap<string, string>
  /** This feed is complete up to this clinical time (ms since 1970, UTC): a fact, sent to every partition. */
  complete(feed: string, through: number): Promise<void>
  /** A listener says that it has nothing in hand. Holds until the next append. */
  caughtUp(): void
  readonly signal: AbortSignal
}

/** A running source. `run` resolves when the world has no more to give. */
export interface SourceInstance<O extends Ports> {
  run(run: SourceRun<O>): Promise<void>
}

/** A declared source: what `defineSource` gives. */
export interface SourceDef<Opt, O extends Ports> extends Declaration<Opt> {
  readonly kind: "source"
  /** once: one owner in the group, a reader. everywhere: each process, a listener. */
  readonly runs: "once" | "everywhere"
  /** What it may bring, as `complete` names it after the source: resource types, `dicom`, or `*` (the default). Until the source
   * declares something complete, all of it may still come. */
  readonly feeds?: readonly string[]
  readonly outputs: O
  create(options: Opt, context: Context): Promise<SourceInstance<O>>
}

/** Each input ends once: emitted (one or many), held in state, dropped, or failed. Reasons are codes, never values.
 * `From` is what an output stems from: an input, or a fired timer. */
export interface Out<From, Input extends From, O extends Ports> {
  emit<K extends keyof O & string>(to: K, from: From, draft: Draft<PortValue<O[K]>>): void
  hold(from: Input): void
  drop(from: Input, reason: string): void
  fail(from: Input, error: Error): void
  /** A dead letter for an input that an earlier step held and that can go no further; `from` is what brought that to light. */
  failHeld(from: From, held: HeldInput, error: Error): void
  /** The same for one that is dropped after it was held. */
  dropHeld(from: From, held: HeldInput, reason: string): void
  /** Says what de-identification did to an input, for reports: once for each that is emitted, retracts too. It is kept with the newest
   * version of the input, in one transaction with what is emitted, and never goes below `phi`. */
  made(from: Input, made: Made): void
}

/** What de-identification did to a record: names of its own and numbers, never a value. */
export interface Made {
  /** The rules and their profile, as the output states them. */
  readonly rules: string
  /** Tells what was made under one project key from what was made under another. */
  readonly keyId: string
  /** Elements or fields by what was done: kept, removed, mapped, shifted ... */
  readonly actions: Readonly<Record<string, number>>
  /** What was found in texts and replaced, by kind: name, date, phone ... */
  readonly findings?: Readonly<Record<string, number>>
}

/** Where an input was read, and where its chain began: what a step that holds it keeps of it. */
export type HeldInput = Pick<Rec, "at" | "origin">

interface TransformDeclaration<Opt, I extends Ports, O extends Ports> extends Declaration<Opt> {
  readonly inputs: I
  readonly outputs: O
  /** May take records down the zones. */
  readonly privacy?: true
  /** What is wrong with these options beside the zones of the stage's outputs; told when the file is compiled. */
  readonly faults?: (options: Opt, outputs: readonly Zone[]) => readonly OptionFault[]
  /** What manifests of its outputs say of how they were de-identified, one sentence. */
  readonly states?: (options: Opt) => string
}

/** A transform without state as `create` gives it: a function of each record, whatever batch it comes in. */
export interface TransformInstance<I extends Ports, O extends Ports> {
  apply(batch: readonly In<I>[], out: Out<In<I>, In<I>, O>): void | Promise<void>
}

/** A declared transform without state: what `defineTransform` gives. */
export interface TransformDef<Opt, I extends Ports, O extends Ports> extends TransformDeclaration<Opt, I, O> {
  readonly kind: "transform"
  create(options: Opt, context: Context): Promise<TransformInstance<I, O>>
}

/** quiet: fired by time or by the end of input. calendar: by the clock (or --as-of) alone. */
export interface Timer {
  readonly key: string
  readonly name: string
  /** ms since 1970, UTC. */
  readonly due: number
  readonly clock: "quiet" | "calendar"
  readonly origin: Position
  /** Since when what waits for it has waited, by the engine's clock, ms since 1970, UTC. It changes nothing: metrics and
   * `weir status` count the timers that tell it as pending, and show the oldest. */
  readonly since?: number
}

/** A keyed, sorted, batched store inside the step's database transaction: one call for many keys. Values are JSON (no bigint,
 * no undefined inside); what `get` and `scan` return must not be changed in place. */
export interface KeyedState {
  get<T>(keys: readonly (readonly [key: string, sort: string])[]): Promise<readonly (T | undefined)[]>
  /** Rows of `key` with from <= sort < to (by UTF-8 bytes), in order; sees the step's own puts. */
  scan<T>(
    ranges: readonly { readonly key: string; readonly from?: string; readonly to?: string }[],
  ): Promise<readonly (readonly (readonly [sort: string, value: T])[])[]>
  put<T>(rows: readonly (readonly [key: string, sort: string, value: T])[]): void
  delete(keys: readonly (readonly [key: string, sort: string])[]): void
}

/** State that all tasks of a stage share (identity spans partitions). Rows may be read and written only under the lock of
 * their key, which is held to the end of the step. */
export interface SharedState extends KeyedState {
  /** Locks keys, in key order; call it with all keys at once where possible. A deadlock ends the step, which is done again. */
  lock(keys: readonly string[]): Promise<void>
}

/** One task's keyed state, timers, and its stage's shared state. */
export interface State extends KeyedState {
  readonly shared: SharedState
  /** Arms a timer, or moves it: one per (key, name). */
  timer(timer: Omit<Timer, "origin">, from: { readonly origin: Position }): void
  cancel(key: string, name: string): void
  /** Says which objects in the bucket of a zone a row of state named before and names now. An object that rows name is never swept;
   * one that none names any more is, some time later (`sweep-after`). Counted with the step. A row that is written without this
   * keeps no object. */
  refer(zone: Zone, before: readonly string[], now: readonly string[]): void
  /** Says that records were read which name these objects: those that no row names are swept then, instead of kept as long as the
   * topic may hold their records. */
  read(zone: Zone, keys: readonly string[]): void
  /** Says whose objects are, once it is known: where objects are sealed (`encrypt`), their keys are wrapped with the owner's, which goes
   * when the owner is erased. The step refers to them too. */
  own(zone: Zone, owner: string, keys: readonly string[]): void
  /** Says whose records of the batch are, as `own` does of objects: what was read of a topic in `phi` is sealed with keys as well. */
  ownRecords(owner: string, records: readonly Rec[]): void
  /** The engine's clock, read once a step, ms since 1970, UTC: what quiet timers go by. Derivation never uses it. */
  readonly now: number
  /** Feeds that declare themselves complete: the clinical time to which each is, over all writers of the inputs. */
  readonly completeThrough: ReadonlyMap<string, number>
}

/** An instance is one claim of one task: calls are serial, and the first failed step discards it, so caches in it are sound. */
export interface StatefulInstance<I extends Ports, O extends Ports> {
  apply(batch: readonly In<I>[], out: Out<In<I> | Timer, In<I>, O>, state: State): Promise<void>
  /** Called once, before anything else: for noticing what changed since the last claim. `origin` is where the input stands. */
  onClaim?(out: Out<In<I> | Timer, In<I>, O>, state: State, origin: Position): Promise<void>
  onTimer?(fired: readonly Timer[], out: Out<In<I> | Timer, In<I>, O>, state: State): Promise<void>
  /** A feed's completeness moved (the map is `state.completeThrough`): derive again what waits for it. `origin` is where it was read. */
  onComplete?(out: Out<In<I> | Timer, In<I>, O>, state: State, origin: Position): Promise<void>
}

/** A declared stateful transform: what `defineStateful` gives. */
export interface StatefulDef<Opt, I extends Ports, O extends Ports> extends TransformDeclaration<Opt, I, O> {
  readonly kind: "stateful"
  create(options: Opt, context: Context): Promise<StatefulInstance<I, O>>
}

/** The part of a partition that a sink's batch covers: offsets [from, next), under the owner's epoch. */
export interface Span {
  readonly topic: string
  readonly partition: number
  readonly from: bigint
  readonly next: bigint
  readonly epoch: bigint
  /** The last record that was read up to `next`. */
  readonly last?: LastRead
}

/** A record by which a topic is known again: one that was recreated or truncated has another there. */
export interface LastRead {
  readonly offset: bigint
  /** CRC-32 of its key and value. */
  readonly checksum: number
}

/** What the claim of a partition by a transactional sink finds. */
export interface SinkClaim {
  readonly next: bigint | undefined
  readonly epoch: bigint
  /** As the span of the last write said; a sink that does not keep it is not protected from a recreated topic. */
  readonly last?: LastRead
}

/** A transactional sink keeps the position beside its rows: `claim` raises the epoch (fences) and tells it. */
export type SinkDelivery =
  | {
      readonly delivery: "transactional"
      claim(topic: string, partition: number): Promise<SinkClaim>
      /** Where it stands, for showing; claims nothing. */
      position?(topic: string, partition: number): Promise<bigint | undefined>
      /** Moves the position by hand, and fences whoever has the partition. What was written stays. */
      setPosition?(topic: string, partition: number, next: bigint): Promise<void>
    }
  | { readonly delivery: "idempotent" | "at-least-once" }

/** A sink as `create` gives it, one for all partitions that the process owns. */
export type SinkInstance = SinkDelivery & {
  /** One (topic, partition) a call; shared by partitions, so re-entrant. Durable when it resolves. Throws `partial` with the rows that
   * can never be written; of what is thrown as a whole a bad record is searched by halving, which costs time (decision 0061). */
  write(batch: readonly Rec[], at: Span): Promise<void>
  /** The task's inputs ended here: write what is buffered. */
  flush?(topic: string, partition: number): Promise<void>
  close(): Promise<void>
}

/** An input topic of a sink, known before any record: tables are made from it. */
export interface SinkInput {
  readonly topic: string
  readonly zone: Zone
  readonly type: RecordType
  /** What the privacy transforms between `phi` and it say of how its records were de-identified; manifests repeat it. */
  readonly privacy?: readonly string[]
  /** The input topic whose rows come again through this one (replayed dead letters): the same target, with a position of its own. */
  readonly of?: string
}

/** A declared sink: what `defineSink` gives. */
export interface SinkDef<Opt> extends Declaration<Opt> {
  readonly kind: "sink"
  /** What its instances claim, for the reference page; the contract suite holds them to it. */
  readonly delivery?: SinkDelivery["delivery"]
  create(options: Opt, context: Context, inputs: readonly SinkInput[]): Promise<SinkInstance>
}

/** A declared plugin of any kind; `kind` tells which. */
// oxlint-disable-next-line typescript/no-explicit-any -- a plugin of any options and ports
export type AnyPlugin = SourceDef<any, any> | TransformDef<any, any, any> | StatefulDef<any, any, any> | SinkDef<any>

const named = <D extends { readonly name: string; readonly summary: string }>(declaration: D): D => {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(declaration.name))
    throw new TypeError(`plugin name ${JSON.stringify(declaration.name)} is not kebab-case`)
  if (declaration.summary.length === 0) throw new TypeError(`plugin ${declaration.name} has no summary`)
  return declaration
}

/** Declares a source. */
export const defineSource = <Opt, O extends Ports>(declaration: Omit<SourceDef<Opt, O>, "kind">): SourceDef<Opt, O> =>
  named({ ...declaration, kind: "source" })

/** Declares a transform without state. */
export const defineTransform = <Opt, I extends Ports, O extends Ports>(
  declaration: Omit<TransformDef<Opt, I, O>, "kind">,
): TransformDef<Opt, I, O> => named({ ...declaration, kind: "transform" })

/** Declares a transform with state; at most one in a stage. */
export const defineStateful = <Opt, I extends Ports, O extends Ports>(
  declaration: Omit<StatefulDef<Opt, I, O>, "kind">,
): StatefulDef<Opt, I, O> => named({ ...declaration, kind: "stateful" })

/** Declares a sink. */
export const defineSink = <Opt>(declaration: Omit<SinkDef<Opt>, "kind">): SinkDef<Opt> =>
  named({ ...declaration, kind: "sink" })
