import { replaySources } from "../../core/engine/replay.ts"
import { deadLetterTopic, dropTopic, madeTopic, pauseTopic, taskTopic } from "../../core/engine/runtime.ts"
import { badRecord } from "../../core/errors.ts"
import { unknownName } from "../../core/pipeline/faults.ts"
import type { CompiledPipeline, CompiledTopic } from "../../core/pipeline/model.ts"
import type { Log, TopicSpec } from "../../core/ports/log.ts"
import type { Rec } from "../../core/record.ts"
import { zones } from "../../core/record.ts"
import { registered, registryTopic } from "../../core/registry.ts"
import type { App, Io } from "../app.ts"
import type { Arguments, Command } from "../command.ts"
import { jsonOption, phiOption } from "../command.ts"
import { UsageError, exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { audited, withLog, withObjects, withOpenedLog } from "../ports.ts"
import { cell, columns, json } from "../table.ts"
import { readNotes, readRecords } from "../topics/read.ts"

/** The engine's own topics of a pipeline. Where the dead letters were read names files, so they are phi like the rest. */
const ownTopics = ({ name }: CompiledPipeline): readonly string[] => [
  deadLetterTopic(name),
  dropTopic(name),
  taskTopic(name),
  pauseTopic(name),
  madeTopic(name),
  registryTopic,
]

interface TopicRow {
  readonly topic: string
  readonly zone: string
  readonly type: string
  readonly key: string
  readonly partitions: number
  /** Messages between the first and the last offset; markers and what compaction removed count too. */
  readonly messages: string
}

async function topicRows(pipeline: CompiledPipeline, log: Log): Promise<readonly TopicRow[]> {
  const known = new Map((await log.topics()).map((spec) => [spec.name, spec]))
  const declared = await registeredTopics(log, known.has(registryTopic))
  const names = [...new Set([...pipeline.topics.keys(), ...ownTopics(pipeline), ...declared.keys()])]
  const rows: TopicRow[] = []
  for (const topic of names) {
    const spec = known.get(topic)
    const compiled = pipeline.topics.get(topic)
    if (spec === undefined && compiled === undefined) continue
    const bounds = spec === undefined ? [] : await log.bounds(topic)
    rows.push({
      topic,
      zone: declared.get(topic)?.zone ?? compiled?.zone ?? "phi",
      type: compiled?.type.name ?? (declared.has(topic) ? "" : "json"),
      key: declared.get(topic)?.key ?? compiled?.key ?? "",
      partitions: spec?.partitions ?? compiled?.partitions ?? 1,
      messages: spec === undefined ? "not there yet" : String(messagesOf(bounds)),
    })
  }
  return [...rows, ...(await replayRows(pipeline, log, known))]
}

type Bounds = Awaited<ReturnType<Log["bounds"]>>
const messagesOf = (bounds: Bounds): bigint => bounds.reduce((sum, { start, end }) => sum + end - start, 0n)

/** The topics through which something came again; each holds messages of its sources, and is as private as the most private. */
async function replayRows(
  pipeline: CompiledPipeline,
  log: Log,
  known: ReadonlyMap<string, TopicSpec>,
): Promise<readonly TopicRow[]> {
  const rows: TopicRow[] = []
  for (const [topic, inputs] of replaySources(pipeline)) {
    const spec = known.get(topic)
    if (spec === undefined) continue
    const messages = messagesOf(await log.bounds(topic))
    if (messages === 0n) continue
    const of = inputs.map((input) => pipeline.topics.get(input)!)
    const zone = zones.find((each) => of.some((input) => input.zone === each)) ?? "phi"
    const said = (values: readonly string[]) => [...new Set(values)].join(", ")
    const [type, key] = [said(of.map((input) => input.type.name)), said(of.map((input) => input.key))]
    rows.push({ topic, zone, type, key, partitions: spec.partitions, messages: String(messages) })
  }
  return rows
}

const registeredTopics = async (log: Log, there: boolean) =>
  there ? (await registered(log)).topics : (new Map() as Awaited<ReturnType<typeof registered>>["topics"])

export const topicList: Command = {
  name: "topic ls",
  summary: "Lists the topics of a pipeline with their zone, record type, key, partitions and messages",
  positionals: ["FILE"],
  options: { json: jsonOption },
  more: "Topics with .replay. in their name, through which dead letters come again, are shown where something is in them.",
  async run(args, app, io) {
    const { pipeline } = await loadPipeline(args.positionals[0]!, app, io)
    const rows = await withLog(pipeline, app, (log) => topicRows(pipeline, log))
    if (args.flag("json")) io.stdout.write(`${json(rows, 2)}\n`)
    else {
      const head = ["topic", "zone", "type", "key", "partitions", "messages"]
      const lines = rows.map((row) => Object.values(row).map(String))
      io.stdout.write(`${columns([head, ...lines], new Set([4, 5])).join("\n")}\n`)
    }
    return exit.ok
  },
}

export const topicRead: Command = {
  name: "topic read",
  summary: "Shows the records of a topic; of a phi topic only with --phi, and that is written down",
  positionals: ["FILE", "TOPIC"],
  options: {
    phi: phiOption,
    from: { value: "OFFSET", doc: "first offset of each partition (default the first that is kept)" },
    limit: { value: "N", doc: "most records (default 20)" },
    json: { doc: "one JSON object a line" },
  },
  async run(args, app, io) {
    const [file, topic] = args.positionals as [string, string]
    const limit = { from: BigInt(args.count("from", 0) ?? 0), limit: args.count("limit", 1) ?? 20 }
    const { pipeline } = await loadPipeline(file, app, io)
    const compiled = pipeline.topics.get(topic)
    const own = ownTopics(pipeline)
    if (compiled === undefined && !own.includes(topic))
      throw new UsageError([unknownName("topic", topic, [...pipeline.topics.keys(), ...own])], "topic read")
    if ((compiled?.zone ?? "phi") === "phi") await allowed(args, pipeline, topic, app)
    await withOpenedLog(pipeline, app, io, (log) =>
      compiled === undefined ? notes(log, topic, limit, io) : records(log, pipeline, compiled, limit, args, app, io),
    )
    return exit.ok
  },
}

async function allowed(args: Arguments, pipeline: CompiledPipeline, topic: string, app: App): Promise<void> {
  if (!args.flag("phi"))
    throw badRecord("phi-not-asked-for", `topic ${topic} is phi and is not shown`, {
      hint: "add --phi to look all the same; that you looked is written down",
    })
  await audited(pipeline, app, "topic read", `${pipeline.name}: ${topic}`)
}

interface Limit {
  readonly from: bigint
  readonly limit: number
}

async function records(
  log: Log,
  pipeline: CompiledPipeline,
  topic: CompiledTopic,
  limit: Limit,
  args: Arguments,
  app: App,
  io: Io,
): Promise<void> {
  const print = args.flag("json") ? printJson : printLines
  if (!(await log.topics()).some(({ name }) => name === topic.name)) return
  await withObjects(pipeline, topic.zone, app, io, async (objects) => {
    for await (const record of readRecords(log, topic, objects, limit)) io.stdout.write(print(record))
  })
}

async function notes(log: Log, topic: string, { from, limit }: Limit, io: Io): Promise<void> {
  let left = limit
  for await (const { at, value } of readNotes(log, topic, from)) {
    io.stdout.write(`${json({ partition: at.partition, offset: at.offset, value })}\n`)
    if (--left === 0) return
  }
}

const printJson = ({ at, key, id, op, version, time, origin, headers, value }: Rec): string => {
  const { partition, offset } = at
  return `${json({ partition, offset, key, id, op, version, time, origin, headers, value })}\n`
}

function printLines({ at, key, id, op, version, time, value }: Rec): string {
  const fields = Object.entries(value ?? {}).map(([name, one]) => `    ${name}: ${cell(one)}`)
  const when = time === 0 ? "" : ` ${new Date(time).toISOString()}`
  return [`${at.partition}@${at.offset} ${op} ${key} ${id} v${version}${when}`, ...fields, ""].join("\n")
}
