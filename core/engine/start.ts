import { WeirError, fatal } from "../errors.ts"
import type { CompiledStage, Start } from "../pipeline/model.ts"
import { fold } from "./facts.ts"
import type { Facts } from "./facts.ts"
import { codecOf } from "./inputs.ts"
import { Positions } from "./positions.ts"
import { readAll } from "./read-all.ts"
import { groupOf } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"

/** Where a partition of a topic begins and ends. */
export interface Bounds {
  readonly start: bigint
  readonly end: bigint
}

/** The bounds of each topic's partition. */
export async function boundsOf(
  { log }: Pick<Runtime, "log">,
  topics: Iterable<string>,
  partition: number,
): Promise<Map<string, Bounds>> {
  const found = [...topics].map(async (topic) => {
    const bounds = (await log.bounds(topic))[partition] ?? { start: 0n, end: 0n }
    return [topic, bounds] as const
  })
  return new Map(await Promise.all(found))
}

/** The positions with which a task begins that has none, where its stage or sink says `start:`; they are to be written down at
 * once, for `latest` is another place a moment later. Undefined where there is nothing to write down.
 * @param inputs its topics, without those through which messages come again */
export function firstPositions(
  start: Start | undefined,
  inputs: readonly string[],
  positions: ReadonlyMap<string, unknown>,
  bounds: ReadonlyMap<string, Bounds>,
): { readonly topic: string; readonly next: bigint }[] | undefined {
  if (start === undefined || inputs.some((topic) => positions.has(topic))) return undefined
  return inputs.map((topic) => {
    const { start: first, end } = bounds.get(topic)!
    return { topic, next: start === "latest" ? end : first }
  })
}

/** Takes in the ends of writers that a task passes over which begins at the end of its inputs: nobody tells them again. What feeds
 * declared complete is not taken in, for the task did not read what came before.
 * @param positions what it begins with */
export async function foldPassedOver(
  { log, codecs }: Pick<Runtime, "log" | "codecs">,
  facts: Facts,
  partition: number,
  positions: readonly { readonly topic: string; readonly next: bigint }[],
  bounds: ReadonlyMap<string, Bounds>,
): Promise<void> {
  for (const { topic, next } of positions) {
    const codec = codecOf(codecs, topic)
    const { start } = bounds.get(topic)!
    await readAll(log, topic, partition, { start, end: next }, (message) => {
      if (codec.originOf(message, partition) !== undefined) return
      const decoded = codec.decode(message, partition)
      if ("control" in decoded && decoded.control.kind !== "complete") fold(facts, decoded.control)
    })
  }
}

const rowKey = (topic: string): string => `writers/${topic}`

/** Writes down, before anything runs, which stages and sources write which topic, and refuses a stage that may be one that was
 * renamed, or lost its positions: it would write again what is there (docs/decisions/0040-start-and-replay.md).
 * @throws fatal `needs-start` */
export async function declareWriters(runtime: Runtime): Promise<void> {
  for (;;) {
    try {
      return await declareOnce(runtime)
    } catch (error) {
      // Another process starts at the same time: what it wrote is read on the next turn.
      if (error instanceof WeirError && (error.code === "fenced" || error.code === "unknown-outcome")) continue
      throw error
    }
  }
}

async function declareOnce(runtime: Runtime): Promise<void> {
  const { table, pipeline, log } = runtime
  await table.refresh()
  await checkStages(runtime)
  if (undeclared(runtime).length === 0) return
  const writer = await log.writer(`${pipeline.name}.writers`)
  try {
    await table.refresh()
    await writer.transact([table.append(undeclared(runtime))])
  } finally {
    await writer.close()
  }
}

/** The rows that are to be written: topic to everything that ever wrote it. */
function undeclared({ table, pipeline }: Runtime): (readonly [string, readonly string[]])[] {
  return [...pipeline.topics.values()].flatMap(({ name, writers }) => {
    const before = table.get<string[]>(rowKey(name)) ?? []
    const after = [...new Set([...before, ...writers.map((each) => `${each.kind}/${each.name}`)])]
    return after.length > before.length ? [[rowKey(name), after] as const] : []
  })
}

async function checkStages(runtime: Runtime): Promise<void> {
  const positions = new Positions(runtime)
  try {
    for (const stage of runtime.pipeline.stages)
      if (stage.start === undefined && (await mayRepeat(runtime, stage)) && !(await positions.any(stage.name))) {
        await settle(runtime, stage)
        if (!(await positions.any(stage.name))) throw needsStart(stage)
      }
  } finally {
    await positions.close()
  }
}

/** Offsets that are read while their transaction is still completing are the old ones: opening its writer settles it. Whoever owns
 * the partition claims it again. */
async function settle({ log, pipeline }: Runtime, { name, partitions }: CompiledStage): Promise<void> {
  for (let partition = 0; partition < partitions; partition++)
    await (await log.writer(`${groupOf(pipeline.name, name)}.${partition}`)).close()
}

/** True when a stage that had no position would write what was written before: it ran before, or a topic of its holds records of
 * a writer that is gone. One that is added to writers that are all still there writes what nobody wrote. */
async function mayRepeat({ table, pipeline, log }: Runtime, { name, outputs }: CompiledStage): Promise<boolean> {
  const ran = [`stage/${name}/`, `end/stage/${name}/`].some((prefix) => table.entries(prefix).length > 0)
  for (const topic of new Set(Object.values(outputs))) {
    const past = table.get<string[]>(rowKey(topic))
    const now = pipeline.topics.get(topic)!.writers.map((writer) => `${writer.kind}/${writer.name}`)
    const known = past?.includes(`stage/${name}`) === true
    if (known ? !ran : past?.every((writer) => now.includes(writer)) === true) continue
    if ((await log.bounds(topic)).some(({ start, end }) => end > start)) return true
  }
  return false
}

const needsStart = ({ name, outputs, stateful }: CompiledStage): WeirError =>
  fatal(
    "needs-start",
    `stage ${name} has no position, and ${[...new Set(Object.values(outputs))].join(", ")} holds records already: was it renamed?`,
    {
      path: `stages.${name}.start`,
      hint: stateful
        ? "give it its old name back, or a new topic; or write `start: earliest` (its revisions begin at 1 again) or `start: latest`"
        : "give it its old name back, or write `start: earliest` (it goes through its inputs again) or `start: latest` (from now on)",
    },
  )
