import { deserialize } from "node:v8"
import type { Append } from "../../core/ports/log.ts"
import { envelopeCodec } from "../../formats/avro/index.ts"
import type { Envelope } from "../../formats/avro/index.ts"
import type { SimBroker } from "./broker.ts"
import { evaluate } from "./events.ts"
import type { Event, Histories, Plan } from "./events.ts"
import type { SimBucket } from "./objects.ts"
import type { SimDatabase } from "./store.ts"
import type { SimMap, SimTable } from "./tables.ts"
import { badPair, badTotal, event, pair, total } from "./torture.ts"

/** Everything that is left when a run is over. */
export interface Remains {
  readonly broker: SimBroker
  readonly database: SimDatabase
  readonly bucket: SimBucket
  readonly table: SimTable
  readonly map: SimMap
  readonly histories: Histories
  readonly asOf: number | undefined
  readonly plan: Pick<Plan, "sinks">
}

interface Message {
  readonly place: string
  readonly by: string
  readonly envelope: Envelope
}

const types = { arrivals: event, pushed: event, kept: event, pairs: pair, totals: total }
type TopicName = keyof typeof types

/** Asks after every event, and holds what is left against a plain evaluation of all of them. Empty when every promise was kept. */
export function judge(remains: Remains): string[] {
  const broken: string[] = []
  const topics = Object.fromEntries(
    Object.keys(types).map((topic) => [topic, messagesOf(remains.broker, topic as TopicName)]),
  ) as unknown as Record<TopicName, readonly Message[]>
  const verdict = new Verdict(broken)
  for (const topic of Object.keys(types)) endMarks(verdict, topic, topics[topic as TopicName])
  const records = Object.fromEntries(
    Object.entries(topics).map(([topic, all]) => [topic, all.filter(({ envelope }) => envelope.op !== "control")]),
  ) as unknown as Record<TopicName, readonly Message[]>
  arrivals(verdict, records, remains)
  joined(verdict, records.pairs, remains)
  counted(verdict, records, remains)
  const { sinks } = remains.plan
  if (sinks !== "map") inTable(verdict, records.totals, remains)
  if (sinks !== "table") inMap(verdict, records.pairs, remains)
  lettersAndDrops(verdict, records, remains)
  objects(verdict, records.kept, remains)
  outboxes(verdict, remains)
  return broken
}

class Verdict {
  readonly #broken: string[]
  constructor(broken: string[]) {
    this.#broken = broken
  }
  same(what: string, found: unknown, wanted: unknown): void {
    const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)]
    if (a !== b) this.#broken.push(`${what}: ${a}, not ${b}`)
  }
  that(what: string, holds: boolean): void {
    if (!holds) this.#broken.push(what)
  }
}

function messagesOf({ topics }: SimBroker, topic: TopicName): Message[] {
  const codec = envelopeCodec(types[topic].avro)
  return topics.get(topic)!.partitions.flatMap(({ messages, writers }, partition) =>
    messages.map(({ value, offset }, at) => ({
      place: `${topic}[${partition}]@${offset}`,
      by: writers[at]!,
      envelope: codec.decode(value!),
    })),
  )
}

const inOrder = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)
const idsOf = (messages: readonly Message[]) => inOrder(messages.map(({ envelope }) => Number(envelope.version) - 1))
const ids = (events: readonly Event[]) => inOrder(events.map(({ id }) => id))

/** No record of a writer stands after its end mark, unless it opened again between. */
function endMarks(verdict: Verdict, topic: string, messages: readonly Message[]): void {
  const ended = new Set<string>()
  for (const { place, by, envelope } of messages) {
    const slot = `${place.slice(0, place.indexOf("@"))} ${by}`
    if (envelope.op !== "control") verdict.that(`${place} of ${by} stands after its end mark`, !ended.has(slot))
    else if (envelope.headers.kind !== "complete") {
      const [kind, name, partition] = envelope.headers.writer!.split("/")
      const writer = kind === "source" ? `torture.source.${name}` : `torture.${name}.${partition}`
      verdict.same(`writer of the mark at ${place}`, writer, by)
      if (envelope.headers.kind === "end") ended.add(slot)
      else ended.delete(slot)
    }
  }
  // Who sends again what it is not sure of, may be cut off while it does.
  if (topic === "pushed") return
  const writers = new Set(messages.map(({ place, by }) => `${place.slice(0, place.indexOf("@"))} ${by}`))
  verdict.same(
    `writers in ${topic} that did not end`,
    [...writers].filter((slot) => !ended.has(slot)),
    [],
  )
}

function arrivals(verdict: Verdict, records: Record<TopicName, readonly Message[]>, { histories }: Remains): void {
  const all = histories.feed.flat()
  verdict.same("arrivals", idsOf(records.arrivals), ids(all.filter(({ fate }) => fate !== "refuse")))
  verdict.same("kept", idsOf(records.kept), ids(all.filter(({ fate }) => fate === "pass")))
  // This source sends twice what it is not sure of.
  verdict.same("pushed", [...new Set(idsOf(records.pushed))], ids(histories.push.flat()))
}

/** Versions of each row, in the order in which they stand in the topic. */
function revisions(messages: readonly Message[]): Map<string, Message[]> {
  return Map.groupBy(messages, ({ envelope }) => `${envelope.key}/${envelope.id}`)
}

/** Revisions count on from 1, also with what the next claim of a task would publish. */
function contiguous(
  verdict: Verdict,
  messages: readonly Message[],
  { database, broker }: Remains,
  stage: "join" | "count",
): void {
  const topic = stage === "join" ? "pairs" : "totals"
  const codec = envelopeCodec(types[topic].avro)
  const come: Message[] = []
  for (const [name, { pending }] of database.tasks) {
    const [, of, partition] = name.split("/")
    if (of !== stage) continue
    const to = broker.publications.get(`torture.${stage}.outbox/${partition}`)?.at(-1) ?? 0n
    for (const { number, payload } of pending)
      if (number > to)
        for (const append of deserialize(payload) as Append[])
          if (append.topic === topic)
            for (const { value } of append.messages)
              come.push({ place: `outbox of ${name}`, by: name, envelope: codec.decode(Buffer.from(value!)) })
  }
  const records = come.filter(({ envelope }) => envelope.op !== "control")
  for (const [slot, all] of revisions([...messages, ...records]))
    verdict.same(
      `revisions of ${slot}`,
      all.map(({ envelope }) => Number(envelope.version)),
      all.map((_, at) => at + 1),
    )
}

function joined(verdict: Verdict, pairs: readonly Message[], remains: Remains): void {
  const { histories, asOf } = remains
  contiguous(verdict, pairs, remains, "join")
  const standing = [...revisions(pairs).values()]
    .map((all) => all.at(-1)!.envelope)
    .filter(({ op }) => op === "upsert")
    .map(({ value }) => value as { slot: number })
    .sort((a, b) => a.slot - b.slot)
  const wanted = [...evaluate(histories, asOf).values()].sort((a, b) => a.slot - b.slot)
  verdict.same(
    "pairs that stand",
    standing.map((value) => ({ ...value })),
    wanted.map((row) => ({ ...row, full: true })),
  )
}

function counted(verdict: Verdict, { pairs, totals }: Record<TopicName, readonly Message[]>, remains: Remains): void {
  contiguous(verdict, totals, remains, "count")
  const changes = Map.groupBy(pairs, ({ envelope }) => envelope.key)
  const rows = revisions(totals)
  for (const [key, all] of changes) {
    verdict.same(`changes of ${key} that were counted`, rows.get(`${key}/count`)?.length ?? 0, all.length)
    verdict.that(`a summary of ${key}`, rows.has(`${key}/summary`))
  }
  const all = remains.database.shared.get("torture/count")?.get("all")?.get("count")
  verdict.same("changes in all", Number(all ?? 0), pairs.length)
}

function inTable(verdict: Verdict, totals: readonly Message[], { table }: Remains): void {
  const wanted = totals.filter(({ envelope }) => !badTotal(envelope.value as { count: number }))
  const text = ({ key, id, version }: { key: string; id: string; version: bigint }) => `${key}/${id}@${version}`
  verdict.same("rows of the table", table.rows.map(text).sort(), wanted.map(({ envelope }) => text(envelope)).sort())
}

function inMap(verdict: Verdict, pairs: readonly Message[], { map }: Remains): void {
  const good = pairs.filter(({ envelope }) => !badPair(envelope.value as { sum: number } | null))
  for (const [slot, all] of revisions(good)) {
    const { version, op } = all.at(-1)!.envelope
    verdict.same(`${slot} in the map`, String(map.rows.get(slot)?.version), String(version))
    verdict.same(`${slot} in the map`, map.rows.get(slot)?.op, op)
  }
  const missing = good.map(({ envelope: { key, id, version } }) => `${key}/${id}@${version}`)
  verdict.same(
    "rows that the map was never given",
    missing.filter((each) => !map.seen.has(each)),
    [],
  )
}

function lettersAndDrops(verdict: Verdict, records: Record<TopicName, readonly Message[]>, remains: Remains): void {
  const { broker, histories } = remains
  const inTopic = (topic: string) => broker.topics.get(`torture.${topic}`)!.partitions[0]!.messages
  const text = (bytes: Uint8Array | null) => Buffer.from(bytes ?? []).toString()
  const letters = inTopic("dead-letters").map(({ key }) => text(key))
  const wanted = [
    ...records.arrivals
      .filter(({ envelope }) => ["fail", "poison"].includes((envelope.value as unknown as Event).fate))
      .map(({ place }) => `sift|${place}|0`),
    ...histories.feed.flatMap((file, channel) =>
      file.flatMap(({ fate }, at) => (fate === "refuse" ? [`feed|${channel}:${at}|0`] : [])),
    ),
  ]
  const ofSinks = (letter: string) => letter.startsWith("table|") || letter.startsWith("map|")
  verdict.same("dead letters", letters.filter((each) => !ofSinks(each)).sort(), wanted.sort())
  const ofTable = records.totals.filter(({ envelope }) => badTotal(envelope.value as never))
  const ofMap = records.pairs.filter(({ envelope }) => badPair(envelope.value as never))
  const { sinks } = remains.plan
  const wantedOfSinks = [
    ...(sinks === "map" ? [] : ofTable.map(({ place }) => `table|${place}|0`)),
    ...(sinks === "table" ? [] : ofMap.map(({ place }) => `map|${place}|0`)),
  ]
  // A sink writes its dead letters before its rows, so perhaps again: they are one by their key.
  verdict.same("dead letters of sinks", [...new Set(letters.filter(ofSinks))].sort(), wantedOfSinks.sort())
  const drops = inTopic("drops").flatMap(({ value }) => {
    const { stage, drops: told } = JSON.parse(text(value)) as { stage: string; drops: [string, string][] }
    return told.map(([origin]) => `${stage} ${origin}`)
  })
  verdict.same("drops that were told twice", drops.length - new Set(drops).size, 0)
  const dropped = records.arrivals.filter(({ envelope }) => (envelope.value as unknown as Event).fate === "drop")
  verdict.same(
    "drops",
    drops.filter((drop) => drop.startsWith("sift ")).sort(),
    dropped.map(({ place }) => `sift ${place}`).sort(),
  )
}

/** No object that a record names was swept. */
function objects(verdict: Verdict, kept: readonly Message[], { bucket }: Remains): void {
  for (const { place, envelope } of kept) {
    const { blob } = envelope.value as unknown as Event
    if (blob >= 0) verdict.that(`the object of ${place} is gone`, bucket.objects.has(`blob/${blob}`))
  }
}

/** Everything that was put into an outbox is published once and in order, or is there for who claims the task next: who sends again
 * what was through may be cut off behind it. */
function outboxes(verdict: Verdict, { broker, database }: Remains): void {
  for (const [name, { pending }] of database.tasks) {
    const [, stage, partition] = /^torture\/(\w+)\/(\d+)$/.exec(name)!
    const published = broker.publications.get(`torture.${stage}.outbox/${partition}`) ?? []
    const to = published.at(-1) ?? 0n
    const come = pending.filter(({ number }) => number > to).map(({ number }) => number)
    const text = (numbers: readonly bigint[]) => numbers.map(String)
    verdict.same(
      `publications of ${name}, with those to come`,
      text([...published, ...come]),
      text(database.ledger.get(name) ?? []),
    )
  }
}
