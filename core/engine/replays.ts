import { groupBy } from "../group-by.ts"
import type { CompiledPipeline } from "../pipeline/model.ts"
import type { Append, Fetched, Log, Message, Writer } from "../ports/log.ts"
import type { Position } from "../record.ts"
import { place } from "../codec.ts"
import { aboutAgain } from "../sealing/value-keys.ts"
import { deadLetterKey } from "./dead-letter.ts"
import type { DeadLetter } from "./dead-letter.ts"
import { readAll } from "./read-all.ts"
import { markHeaders, readMark, replayTopic, replayTopics, sinkReplayTopic } from "./replay.ts"
import { deadLetterTopic } from "./runtime.ts"

/** What became of a dead letter. open: nothing yet. pending: it was replayed, and its stage has not come to it. failed-again: and
 * that is an open dead letter of its own. fixed: it passed. */
export type Replayed = "open" | "pending" | "failed-again" | "fixed"

/** A place as dead letters name it; undefined for what a source read. */
export function placeOf(text: string): Position | undefined {
  const parts = /^([A-Za-z0-9._-]+)\[(\d+)\]@(\d+)$/.exec(text)
  return parts === null ? undefined : { topic: parts[1]!, partition: Number(parts[2]), offset: BigInt(parts[3]!) }
}

const there = async (log: Log, topic: string): Promise<boolean> =>
  (await log.topics()).some(({ name }) => name === topic)

/** The dead letters of a pipeline by key, oldest first; each once. */
export async function readDeadLetters(log: Log, pipeline: string): Promise<ReadonlyMap<string, DeadLetter>> {
  const letters = new Map<string, DeadLetter>()
  const topic = deadLetterTopic(pipeline)
  if (!(await there(log, topic))) return letters
  for (const [partition, bounds] of (await log.bounds(topic)).entries())
    await readAll(log, topic, partition, bounds, ({ value }) => {
      const letter = JSON.parse(Buffer.from(value!).toString()) as DeadLetter
      const key = deadLetterKey(letter)
      if (!letters.has(key)) letters.set(key, letter)
    })
  return letters
}

/** What failed, whatever its ordinal: it comes again once. */
const inputKey = ({ stage, input }: Pick<DeadLetter, "stage" | "input">): string => `${stage}|${input}`

/** What was replayed: the place of the newest message for each failed input. */
export async function readReplays(log: Log, pipeline: CompiledPipeline): Promise<ReadonlyMap<string, Position>> {
  const replays = new Map<string, Position>()
  const known = new Set((await log.topics()).map(({ name }) => name))
  for (const { name: topic } of replayTopics(pipeline))
    if (known.has(topic))
      for (const [partition, bounds] of (await log.bounds(topic)).entries())
        await readAll(log, topic, partition, bounds, ({ headers, offset }) => {
          const key = readMark(headers)?.replayed
          if (key !== undefined) replays.set(key.slice(0, key.lastIndexOf("|")), { topic, partition, offset })
        })
  return replays
}

/** Tells what became of each dead letter.
 * @param nextOf where a stage or sink stands in its replay topic; asked only for what was replayed */
export async function replayed(
  letters: ReadonlyMap<string, DeadLetter>,
  replays: ReadonlyMap<string, Position>,
  nextOf: (stage: string, at: Position) => Promise<bigint>,
): Promise<ReadonlyMap<string, Replayed>> {
  const failures = new Map([...letters.values()].map((letter) => [inputKey(letter), letter]))
  const states = new Map<string, Replayed>()
  const stateOf = async (letter: DeadLetter): Promise<Replayed> => {
    const at = replays.get(inputKey(letter))
    if (at === undefined) return "open"
    const again = failures.get(inputKey({ stage: letter.stage, input: place(at) }))
    if (again === undefined) return (await nextOf(letter.stage, at)) > at.offset ? "fixed" : "pending"
    const state = await stateOf(again)
    return state === "open" ? "failed-again" : state
  }
  for (const [key, letter] of letters) states.set(key, await stateOf(letter))
  return states
}

/** What `replay` can do with an open dead letter. */
export type Verdict = "replayed" | "expired" | "source" | "no-such-stage"

/** The replay topic for a dead letter's input; undefined when the stage is a source, or is gone. */
export function replayTopicOf(pipeline: CompiledPipeline, letter: DeadLetter): string | undefined {
  const at = placeOf(letter.input)
  if (at === undefined) return undefined
  if (pipeline.stages.some(({ name }) => name === letter.stage)) return replayTopic(pipeline.name, letter.stage)
  const sink = pipeline.sinks.find(({ name }) => name === letter.stage)
  return sink?.topics
    .flatMap((topic) => {
      const again = sinkReplayTopic(pipeline.name, sink.name, topic)
      return at.topic === topic || at.topic === again ? [again] : []
    })
    .at(0)
}

/** Bytes of one transaction, about. */
const batchBytes = 8 << 20

/** Appends the inputs of dead letters to the replay topics of their stages, unchanged, each once: all in one transaction, or in
 * several where they are many.
 * @param choose tells which: called once no other replay of this pipeline can write any more
 * @returns what was done with each, by key */
export async function replay(
  log: Log,
  pipeline: CompiledPipeline,
  choose: () => Promise<readonly DeadLetter[]>,
  dryRun: boolean,
): Promise<ReadonlyMap<string, Verdict>> {
  await log.ensureTopics(replayTopics(pipeline))
  const writer = dryRun ? undefined : await log.writer(`${pipeline.name}.replay`)
  try {
    return await replayAll(log, pipeline, await choose(), new Batches(writer))
  } finally {
    await writer?.close()
  }
}

async function replayAll(
  log: Log,
  pipeline: CompiledPipeline,
  letters: readonly DeadLetter[],
  batch: Batches,
): Promise<ReadonlyMap<string, Verdict>> {
  const verdicts = new Map<string, Verdict>()
  const wanted = new Map<string, Wanted>()
  for (const letter of letters) {
    const to = replayTopicOf(pipeline, letter)
    const source = pipeline.sources.some(({ name }) => name === letter.stage)
    if (to === undefined) verdicts.set(deadLetterKey(letter), source ? "source" : "no-such-stage")
    else if (!wanted.has(inputKey(letter)))
      wanted.set(inputKey(letter), { letter, to, at: placeOf(letter.input)!, found: undefined })
  }
  for (const inputs of groupBy(wanted.values(), ({ at }) => `${at.topic}[${at.partition}]`).values())
    await copy(log, inputs, batch)
  await batch.end()
  for (const letter of letters) {
    const input = wanted.get(inputKey(letter))
    if (input !== undefined) verdicts.set(deadLetterKey(letter), input.found === true ? "replayed" : "expired")
  }
  return verdicts
}

interface Wanted {
  readonly letter: DeadLetter
  readonly to: string
  readonly at: Position
  found: boolean | undefined
}

/** Offsets that are read over rather than sought. */
const near = 5000n

/** Copies what is wanted of one partition, in its order. */
async function copy(log: Log, inputs: readonly Wanted[], batch: Batches): Promise<void> {
  const [{ at: first }] = inputs as [Wanted]
  if (!(await there(log, first.topic))) return
  const bounds = (await log.bounds(first.topic))[first.partition]
  if (bounds === undefined) return
  const sorted = inputs.toSorted((a, b) => (a.at.offset < b.at.offset ? -1 : 1))
  const kept = sorted.filter(({ at }) => at.offset >= bounds.start && at.offset < bounds.end)
  for (let from = 0; from < kept.length;) {
    let to = from + 1
    while (to < kept.length && kept[to]!.at.offset - kept[to - 1]!.at.offset < near) to++
    const run = kept.slice(from, to)
    // Several stages may want the same message.
    const byOffset = groupBy(run, ({ at }) => at.offset)
    const span = { start: run[0]!.at.offset, end: run.at(-1)!.at.offset + 1n }
    const found: Fetched[] = []
    await readAll(log, first.topic, first.partition, span, (message) => {
      if (byOffset.has(message.offset)) found.push(message)
    })
    for (const message of found)
      for (const want of byOffset.get(message.offset)!) {
        want.found = true
        await batch.add(want, message)
      }
    from = to
  }
}

/** Transactions of one writer, of bounded size; without a writer nothing is written. */
class Batches {
  readonly #writer: Writer | undefined
  readonly #appends = new Map<string, { topic: string; partition: number; messages: Message[] }>()
  #bytes = 0

  constructor(writer: Writer | undefined) {
    this.#writer = writer
  }

  async add({ letter, to, at }: Wanted, { key, value, timestamp, headers, about, offset }: Fetched): Promise<void> {
    const before = readMark(headers)
    const mark = {
      replayed: deadLetterKey(letter),
      topic: before?.topic ?? at.topic,
      offset: before?.offset ?? offset,
      attempt: letter.attempt,
    }
    const slot = `${to}[${at.partition}]`
    let append = this.#appends.get(slot)
    if (append === undefined) this.#appends.set(slot, (append = { topic: to, partition: at.partition, messages: [] }))
    append.messages.push({
      key,
      value,
      timestamp,
      headers: { ...headers, ...markHeaders(mark) },
      ...(about === undefined ? {} : { about: aboutAgain(about, mark.topic) }),
    })
    this.#bytes += (key?.length ?? 0) + (value?.length ?? 0)
    if (this.#bytes > batchBytes) await this.end()
  }

  async end(): Promise<void> {
    if (this.#appends.size === 0) return
    const appends: Append[] = [...this.#appends.values()]
    this.#appends.clear()
    this.#bytes = 0
    await this.#writer?.transact(appends)
  }
}
