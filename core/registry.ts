import { compatible } from "../formats/avro/index.ts"
import { canonicalJson } from "./canonical.ts"
import { topicSchema } from "./codec.ts"
import { LogTable } from "./engine/log-table.ts"
import { WeirError, fatal } from "./errors.ts"
import type { CompiledTopic } from "./pipeline/model.ts"
import type { Log } from "./ports/log.ts"

/** The topic that holds schemas and what was declared of each topic at its creation. */
export const registryTopic = "weir.registry"

interface SchemaRow {
  readonly id: number
  readonly schema: unknown
}
interface TopicRow {
  readonly zone: string
  readonly key: string
  /** What is written now. */
  readonly schema: number
  /** All that it was ever written with, if more. */
  readonly past?: readonly number[]
}

/** What registering gives: the schema id of each topic, and every schema by id. */
export interface Registered {
  readonly ids: ReadonlyMap<string, number>
  readonly schemas: ReadonlyMap<number, unknown>
}

/** Registers the topics' schemas and declarations: fences other registrars, reads to the end, appends. A topic whose zone or
 * key meaning was declared otherwise, or whose schema cannot read what is there, does not start (fatal). */
export async function register(log: Log, topics: Iterable<CompiledTopic>): Promise<Registered> {
  await log.ensureTopics([{ name: registryTopic, partitions: 1, compact: true }])
  for (;;) {
    try {
      return await registerOnce(log, [...topics])
    } catch (error) {
      // Another process registers at the same time: its rows are read on the next turn.
      if (error instanceof WeirError && (error.code === "fenced" || error.code === "unknown-outcome")) continue
      throw error
    }
  }
}

async function registerOnce(log: Log, topics: readonly CompiledTopic[]): Promise<Registered> {
  const writer = await log.writer("weir.registry")
  const table = new LogTable(log, registryTopic)
  try {
    await table.refresh()
    const schemas = new Map(table.entries<SchemaRow>("schema/").map(([, row]) => [canonicalJson(row.schema), row]))
    const added: [string, unknown][] = []
    const ids = new Map<string, number>()
    for (const topic of topics) {
      const schema = topicSchema(topic.type)
      const text = canonicalJson(schema)
      if (!schemas.has(text)) {
        const row = { id: schemas.size + 1, schema }
        schemas.set(text, row)
        added.push([`schema/${row.id}`, row])
      }
      const { id } = schemas.get(text)!
      ids.set(topic.name, id)
      const before = table.get<TopicRow>(`topic/${topic.name}`)
      if (before !== undefined) check(topic, before, id, [...schemas.values()])
      if (before?.schema !== id) added.push([`topic/${topic.name}`, rowOf(topic, id, before)])
    }
    if (added.length > 0) await writer.transact([table.append(added)])
    return { ids, schemas: new Map([...schemas.values()].map(({ id, schema }) => [id, schema])) }
  } finally {
    await table.close()
    await writer.close()
  }
}

function rowOf({ zone, key }: CompiledTopic, schema: number, before: TopicRow | undefined): TopicRow {
  const past = before === undefined ? [] : [...new Set([...(before.past ?? []), before.schema])]
  return { zone, key, schema, ...(past.length === 0 ? {} : { past }) }
}

function check(topic: CompiledTopic, before: TopicRow, id: number, schemas: readonly SchemaRow[]): void {
  if (before.zone !== topic.zone)
    throw fatal(
      "zone-mismatch",
      `topic ${topic.name} was created in zone ${before.zone}, the pipeline declares ${topic.zone}`,
      {
        hint: "a topic's zone never changes: name a new topic",
      },
    )
  if (before.key !== topic.key)
    throw fatal(
      "key-mismatch",
      `topic ${topic.name} is keyed by ${before.key}, the pipeline writes it keyed by ${topic.key}`,
      {
        hint: "name a new topic",
      },
    )
  if (before.schema === id) return
  // Records of every version may still be there, and one that can be read by the next need not be by the one after it.
  const written = new Set([before.schema, ...(before.past ?? [])])
  const problems = schemas
    .filter((row) => written.has(row.id))
    .flatMap((row) => compatible(topicSchema(topic.type), row.schema))
    .map((problem) => problem.replace(/^value\./, "field "))
  if (problems.length > 0)
    throw fatal(
      "schema-incompatible",
      `topic ${topic.name}: its record type ${topic.type.name} cannot read what is there: ${[...new Set(problems)].join("; ")}`,
      {
        path: `topics.${topic.name}`,
        hint: "make new fields optional and leave the types of others, or write to a new topic",
      },
    )
}

/** What the registry says of every topic; for readers that have no pipeline file. */
export async function registered(
  log: Log,
): Promise<{ readonly topics: ReadonlyMap<string, TopicRow>; readonly schemas: ReadonlyMap<number, unknown> }> {
  const table = new LogTable(log, registryTopic)
  await table.refresh()
  const topics = new Map(table.entries<TopicRow>("topic/").map(([key, row]) => [key.slice("topic/".length), row]))
  const schemas = new Map(table.entries<SchemaRow>("schema/").map(([, row]) => [row.id, row.schema]))
  await table.close()
  return { topics, schemas }
}
