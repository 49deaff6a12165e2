import { crc32 } from "node:zlib"
import { fatal, systemic } from "../errors.ts"
import type { Control, TopicCodec } from "../codec.ts"
import type { Batch, Fetched, Member, Reader } from "../ports/log.ts"
import type { InputPosition } from "../ports/store.ts"
import type { Rec } from "../record.ts"
import type { ArrivalTimes } from "./arrival-times.ts"
import type { PartitionState } from "./counters.ts"
import type { Runtime } from "./runtime.ts"
import type { Bounds } from "./start.ts"

/** What one pass read: records and controls in the order of each input, and where each input stands after them. */
export interface Pass {
  readonly records: readonly (Rec & { readonly input: string })[]
  readonly controls: readonly Control[]
  /** Inputs that moved. */
  readonly positions: readonly InputPosition[]
  /** Every input was read anew in this pass, and had nothing. */
  readonly atHead: boolean
  /** When the oldest of it was read, ms on the engine's monotonic clock. */
  readonly readAt: number
}

/** What inputs tell while they are read: where they stand, and when what arrived was read. */
export interface InputWatch {
  readonly inputs: PartitionState["inputs"]
  readonly arrivals: ArrivalTimes
  /** A monotonic clock, ms. */
  elapsed(): number
}

interface Input extends InputSpec {
  readonly reader: Reader
  position: InputPosition
  pending:
    { readonly result: Promise<{ readonly batch: Batch; readonly readAt: number }>; readonly pass: number } | undefined
}

/** The watch over the inputs of a partition of a stage or sink. */
export const watchOf = (
  { counters, arrivals, elapsed }: Pick<Runtime, "counters" | "arrivals" | "elapsed">,
  name: string,
  partition: number,
  topic?: string,
): InputWatch => ({ inputs: counters.partition(name, partition, topic).inputs, arrivals, elapsed })

/** What an input is opened with. */
export interface InputSpec {
  readonly topic: string
  /** The port of its records; undefined where the codec names it with each record, as `input`. */
  readonly port: string | undefined
  readonly codec: Pick<TopicCodec, "decode">
}

const checksumOf = ({ key, value }: Fetched): number => crc32(value ?? new Uint8Array(), crc32(key ?? new Uint8Array()))

/** The inputs of a task: one partition of each topic, read as they have something to give. */
export class Inputs {
  readonly #inputs: Input[] = []
  readonly #partition: number
  readonly #watch: InputWatch
  readonly #waitMs: number
  #pass = 0
  /** Whether the last pass moved: then the next one only looks, so that a task that is done knows it at once. */
  #moved = false

  private constructor(partition: number, watch: InputWatch, waitMs: number) {
    this.#partition = partition
    this.#watch = watch
    this.#waitMs = waitMs
  }

  /** Opens each input at its position (none: the start), and checks that the record before it is the one that was read. */
  static async open(
    member: Member,
    partition: number,
    specs: readonly InputSpec[],
    positions: ReadonlyMap<string, InputPosition>,
    bounds: ReadonlyMap<string, Bounds>,
    watch: InputWatch,
    waitMs = 100,
  ): Promise<Inputs> {
    const inputs = new Inputs(partition, watch, waitMs)
    try {
      for (const spec of specs) {
        const there = bounds.get(spec.topic)!
        const position = positions.get(spec.topic) ?? { topic: spec.topic, next: there.start }
        await verify(member, partition, position, there)
        const reader = await member.reader(spec.topic, partition, position.next)
        inputs.#inputs.push({ ...spec, reader, position, pending: undefined })
      }
      return inputs
    } catch (error) {
      await inputs.close()
      throw error
    }
  }

  /** Where the first input stands. */
  get first(): { readonly topic: string; readonly partition: number; readonly next: bigint } {
    const [{ position }] = this.#inputs as [Input]
    return { topic: position.topic, partition: this.#partition, next: position.next }
  }

  /** Waits for the first input that has something, a little; an empty pass tells whether all of them are at their head. */
  async next(limit: number): Promise<Pass> {
    const pass = ++this.#pass
    for (const input of this.#inputs) {
      this.#stands(input)
      input.pending ??= { result: this.#read(input.reader, limit), pass }
    }
    const settled = await this.#settle()
    const records: (Rec & { input: string })[] = []
    const controls: Control[] = []
    const positions: InputPosition[] = []
    let atHead = settled.length === this.#inputs.length
    let oldest = Number.POSITIVE_INFINITY
    for (const { input, batch, readAt, began } of settled) {
      this.#stands(input, batch.head)
      if (began !== pass || batch.messages.length > 0 || batch.next < batch.head) atHead = false
      if (batch.next === input.position.next) continue
      const last = batch.messages.at(-1)
      this.#watch.arrivals.read(input.topic, this.#partition, input.position.next, batch.next, readAt)
      oldest = Math.min(oldest, readAt)
      input.position = {
        topic: input.topic,
        next: batch.next,
        ...(last === undefined
          ? input.position.last === undefined
            ? {}
            : { last: input.position.last }
          : { last: { offset: last.offset, checksum: checksumOf(last) } }),
      }
      positions.push(input.position)
      for (const message of batch.messages) {
        const decoded = input.codec.decode(message, this.#partition)
        const ready = decoded instanceof Promise ? await decoded : decoded
        if ("control" in ready) controls.push(ready.control)
        else if (input.port === undefined) records.push(ready.record as Pass["records"][number])
        else records.push(Object.assign(ready.record, { input: input.port }))
      }
    }
    this.#moved = positions.length > 0
    return { records, controls, positions, atHead, readAt: oldest }
  }

  /** Shows where an input stands: what was passed before the next pass is asked for is committed. */
  #stands({ topic, position: { next } }: Input, head?: bigint): void {
    const shown = this.#watch.inputs.get(topic)
    if (shown === undefined) this.#watch.inputs.set(topic, { next, head: head ?? next })
    else if (head === undefined) shown.next = next
    else shown.head = head
  }

  async #read(reader: Reader, limit: number): Promise<{ readonly batch: Batch; readonly readAt: number }> {
    const batch = await reader.read({ maxBytes: 8 << 20, maxMessages: limit, waitMs: this.#moved ? 0 : this.#waitMs })
    return { batch, readAt: this.#watch.elapsed() }
  }

  /** All reads that are done once the first non-empty one is, or all when none has anything. */
  async #settle() {
    const done: { input: Input; batch: Batch; readAt: number; began: number }[] = []
    let waiting = [...this.#inputs]
    while (waiting.length > 0) {
      const first = await Promise.race(waiting.map(async (input) => ({ input, ...(await input.pending!.result) })))
      done.push({ ...first, began: first.input.pending!.pass })
      first.input.pending = undefined
      waiting = waiting.filter((input) => input !== first.input)
      if (first.batch.messages.length > 0) break
    }
    return done
  }

  async close(): Promise<void> {
    await Promise.allSettled(
      this.#inputs.map(async ({ reader, pending }) => {
        void pending?.result.catch(() => {})
        await reader.close()
      }),
    )
  }
}

/** Checks that the position is in what is there, and reads the record before it again: another one means that the topic was
 * recreated or truncated. Where that record is gone by now, nothing can be said of it. */
async function verify(
  member: Member,
  partition: number,
  { topic, next, last }: InputPosition,
  { start, end }: Bounds,
): Promise<void> {
  const what = `${topic}[${partition}]`
  if (next > end) throw mismatch(`${what} ends at ${end}, and was read to ${next}`)
  if (next < start) throw mismatch(`${what} begins at ${start}, and was read to ${next} only: what was between is gone`)
  if (last === undefined || last.offset < start) return
  const reader = await member.reader(topic, partition, last.offset)
  try {
    const { messages, head } = await reader.read({ maxBytes: 1, maxMessages: 1, waitMs: 0 })
    const [found] = messages
    const shorter = found === undefined && head <= last.offset
    const other = found !== undefined && found.offset === last.offset && checksumOf(found) !== last.checksum
    if (shorter || other)
      throw mismatch(`${what}: another record stands at ${last.offset} than the one that was read there`)
  } finally {
    await reader.close()
  }
}

const mismatch = (message: string) =>
  systemic("position-mismatch", message, {
    hint: "the topic was recreated or truncated, or kept for too short a time: see `weir position show`, then `weir position set`",
  })

/** The codec of a topic that a task reads or writes. */
export function codecOf(codecs: ReadonlyMap<string, TopicCodec>, topic: string): TopicCodec {
  const codec = codecs.get(topic)
  if (codec === undefined) throw fatal("no-codec", `topic ${topic} has no codec`)
  return codec
}
