import { createHash } from "node:crypto"
import { expect } from "vitest"
import { canonicalJson } from "../../../core/canonical.ts"
import { topics } from "./folder.ts"
import type { End } from "./folder.ts"
import { chunkLines, revisionFaults, standing } from "./outcome.ts"
import type { Outcome, Row } from "./outcome.ts"

/** Topics whose revisions a stateful stage numbers, and those that a stateless one hands on. */
const numbered = topics.filter((topic) => !topic.endsWith(".arrivals"))
const arrivals = topics.filter((topic) => topic.endsWith(".arrivals"))

/** Everything that two runs on the same hospital must agree on, and what each must be in itself. */
export interface Results {
  /** Rows of each view below `phi`. */
  readonly tables: ReadonlyMap<string, readonly string[]>
  /** Live rows of each topic. */
  readonly standing: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Whole arrivals, as they came. */
  readonly arrivals: ReadonlyMap<string, readonly string[]>
  /** Key and sha256 of each de-identified instance. */
  readonly instances: readonly string[]
  /** What became of each arrival. */
  readonly fates: unknown
}

/** How many revisions a row has had depends on which of its inputs met in one step, also in runs that nobody disturbs: they
 * are checked to be 1, 2, 3 ..., and left out where runs are compared. */
function withoutRevisions(row: string): string {
  const { _version, evidence, ...rest } = JSON.parse(row) as { _version: number; evidence?: object[] }
  return canonicalJson({ ...rest, ...(evidence === undefined ? {} : { evidence: evidence.map(unnumbered) }) })
}
const unnumbered = (fact: object) => ({ ...fact, revision: 0 })

const told = ({ key, id, op, version, value }: Row): string => `${key} ${id} ${op} ${version} ${value}`

/** An instance states no version: of copies of a file each has the number of its arrival, and which of them an event tells depends
 * on whether it was emitted anew after the copy came. */
const unnumberedValue = (value: string): string => {
  const parsed = JSON.parse(value) as { evidence?: object[]; kind?: string } | null
  if (parsed?.evidence !== undefined) return canonicalJson({ ...parsed, evidence: parsed.evidence.map(unnumbered) })
  return parsed?.kind === "instance" ? canonicalJson({ ...parsed, sourceVersion: "" }) : value
}

/** Reads what a run left, and checks that revisions of each row are 1, 2, 3 ..., each once. */
export async function resultsOf(outcome: Outcome, end: End, prefix = ""): Promise<Results> {
  const named = (topic: string) => topic.slice(prefix.length)
  const records = await outcome.records(topics.map((topic) => prefix + topic))
  for (const topic of numbered) expect(revisionFaults(records.get(prefix + topic)!).slice(0, 5), topic).toEqual([])
  return {
    tables: new Map([...(await outcome.tables())].map(([name, rows]) => [name, rows.map(withoutRevisions).toSorted()])),
    standing: new Map(
      [...records].map(([topic, rows]) => [
        named(topic),
        new Map([...standing(rows)].map(([name, value]) => [name, unnumberedValue(value)])),
      ]),
    ),
    arrivals: new Map(
      arrivals.map((topic) => [
        topic,
        records
          .get(prefix + topic)!
          .map(told)
          .toSorted(),
      ]),
    ),
    instances: await instancesOf(outcome),
    fates: fatesOf(end, prefix),
  }
}

/** What the object-store sink wrote is left out: its chunks are bounded by offsets, which other Logs give otherwise. */
async function instancesOf(outcome: Outcome): Promise<string[]> {
  const objects = await outcome.objects("limited", (key) => !/^(data|manifests)\//.test(key))
  return [...objects].map(([key, bytes]) => `${key} ${createHash("sha256").update(bytes).digest("hex")}`)
}

function fatesOf(end: End, prefix: string): unknown {
  const { fates } = JSON.parse(end.stdout) as { fates: Record<string, object> }
  return Object.fromEntries(Object.entries(fates).map(([topic, fate]) => [topic.slice(prefix.length), fate]))
}

/** Compares part by part, so that a difference is shown small. */
export function expectEqual(found: Results, expected: Results): void {
  expect([...found.tables.keys()]).toEqual([...expected.tables.keys()])
  for (const [name, rows] of expected.tables) expectSame(found.tables.get(name)!, rows, `table ${name}`)
  for (const [topic, rows] of expected.standing)
    expectSame(lines(found.standing.get(topic)!), lines(rows), `live rows of ${topic}`)
  for (const [topic, rows] of expected.arrivals) expectSame(found.arrivals.get(topic)!, rows, `arrivals in ${topic}`)
  expectSame(found.instances, expected.instances, "de-identified instances")
  expect(found.fates).toEqual(expected.fates)
}

const lines = (rows: ReadonlyMap<string, string>): string[] => [...rows].map((row) => row.join(" "))

function expectSame(found: readonly string[], expected: readonly string[], what: string): void {
  const [has, wants] = [new Set(found), new Set(expected)]
  const missing = expected.filter((row) => !has.has(row))
  const more = found.filter((row) => !wants.has(row))
  expect({ missing: missing.slice(0, 3), more: more.slice(0, 3) }, what).toEqual({ missing: [], more: [] })
  expect(found.length, what).toBe(expected.length)
}

/** Checks that the insert-only sink has each record of the topics once, and nothing else. */
export async function expectInsertedOnce(outcome: Outcome, prefix = ""): Promise<void> {
  const records = await outcome.records(topics.map((topic) => prefix + topic))
  const rows = await outcome.database(async (client) => {
    const found = await client.query<Record<keyof Row | "topic", string>>(`SELECT * FROM insert_only.rows`)
    return found.rows.map((row) => `${row.topic} ${row.partition} ${row.offset} ${told(asRow(row))}`)
  })
  const expected = [...records].flatMap(([topic, found]) =>
    found.map((row) => `${topic} ${row.partition} ${row.offset} ${told(row)}`),
  )
  expectSame(rows.toSorted(), expected.toSorted(), "rows of the sink that only inserts")
}

const asRow = (row: Record<keyof Row, string>): Row => ({
  ...row,
  partition: Number(row.partition),
  offset: BigInt(row.offset),
  version: BigInt(row.version),
  value: canonicalJson(JSON.parse(row.value)),
})

/** Checks that the chunks of the object-store sink hold each record of a topic once, in order. */
export async function expectInChunks(outcome: Outcome, chunked: readonly string[]): Promise<void> {
  const records = await outcome.records(chunked)
  const objects = await outcome.objects("limited", (key) => /^(data|manifests)\//.test(key))
  for (const topic of chunked) {
    const expected = records.get(topic)!.map(({ key, id, op, version }) => `${key} ${id} ${op} ${version}`)
    const found = chunkLines(objects, topic).map((line) => {
      const { key, id, op, version } = JSON.parse(line) as Record<string, string>
      return `${key} ${id} ${op} ${version}`
    })
    expect(found, `chunks of ${topic}`).toEqual(expected)
  }
}

/** How many rows of how many topics are compared, for the test's own summary. */
export const size = ({ tables, standing: live, instances }: Results): string =>
  `${[...tables.values()].reduce((sum, rows) => sum + rows.length, 0)} rows in ${tables.size} tables, ` +
  `${[...live.values()].reduce((sum, rows) => sum + rows.size, 0)} live rows in ${live.size} topics, ` +
  `${instances.length} instances`
