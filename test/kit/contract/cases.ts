import type { AnyPlugin, Draft, Rec, SinkInput } from "../../../core/index.ts"
import type { Collected, TestContext } from "../harness.ts"
import type { SourceHarness } from "../source-run.ts"

/** What a case runs in. */
export interface World {
  /** The options as a pipeline file states them under `with:`. */
  readonly options: unknown
  /** What the plugin may reach; what is not given fails when it is asked for. */
  readonly context?: TestContext
  /** Called at the end of the test. */
  close?(): Promise<void>
}

interface Case<W extends World> {
  readonly name: string
  /** Opens a world of its own for each test, always with the same content. */
  open(): W | Promise<W>
  /** Private values that the case plants in its input. None may reach a log line, a counter, a reason or an error; what a
   * privacy transform emits may not hold them either. One case of a plugin must plant one. */
  readonly canaries: readonly string[]
  /** Further ones that stand in what `open` makes (files, objects), and not in the records. */
  readonly canariesInWorld?: readonly string[]
}

/** What there is to read is in the world, so that each test can read it again. */
export interface SourceCase extends Case<World> {
  /** Looks at what an undisturbed run said. */
  check?(said: SourceHarness): void
}

type Input = Rec & { readonly input: string }

/** A case of a transform without state. */
export interface TransformCase extends Case<World> {
  /** As `record` of this kit makes them, in the order of their arrival; `input` names the port. */
  readonly records: readonly Input[]
  /** Looks at what was made of all records in one batch. */
  check?(made: Collected): void
}

/** A row that stands after a history of upserts and retracts. */
export interface StandingRow {
  readonly to: string
  readonly key: string
  readonly id: string
  readonly value: unknown
  readonly time: number
}

/** A case of a stateful transform. After the records come the completeness of feeds, the quiet timers (the end of input), then
 * the calendar timers that are due at `asOf`. */
export interface StatefulCase extends Case<World> {
  readonly records: readonly Input[]
  /** The same rows stand whatever the order of arrival, and duplicates change nothing. */
  readonly orderInsensitive?: boolean
  /** Feeds and the clinical time to which each is complete, ms since 1970, UTC. */
  readonly complete?: Readonly<Record<string, number>>
  /** ms since 1970, UTC. */
  readonly asOf?: number
  /** What of a row must be the same however the input came; by default all of it. For values that count the step's own
   * revisions, which depend on how often it ran. */
  compared?(row: StandingRow): unknown
  /** Looks at the rows that stand in the end, by output, key and id. */
  check?(rows: readonly StandingRow[]): void
}

/** A sink's world can be read: two targets that hold the same give equal values. */
export interface SinkWorld extends World {
  read(): Promise<unknown>
}

/** A case of a sink: rows of the same key go to the same of two partitions, with offsets from 0. */
export interface SinkCase extends Case<SinkWorld> {
  readonly inputs: readonly SinkInput[]
  /** By topic of the inputs, in order. */
  readonly drafts: Readonly<Record<string, readonly Draft[]>>
  /** Looks at the target after an undisturbed run. */
  check?(target: unknown): void
}

/** The cases that a plugin of this kind takes. */
export type CasesOf<P extends AnyPlugin> = P["kind"] extends "source"
  ? readonly SourceCase[]
  : P["kind"] extends "transform"
    ? readonly TransformCase[]
    : P["kind"] extends "stateful"
      ? readonly StatefulCase[]
      : readonly SinkCase[]
