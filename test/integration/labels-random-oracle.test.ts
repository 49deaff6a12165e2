import { readFile } from "node:fs/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  asOracleLabel,
  batchLabels,
  loadResources,
  loadStudies,
  prepare,
  situate,
  temporaryPostgres,
} from "../oracle/index.ts"
import { finalState, issuers, randomHistory, seeded } from "../oracle/random-history.ts"
import { personEventOf, streamLabels, studyRecordOf } from "../oracle/stream.ts"

const persons = 300
const now = Date.parse("2020-03-20T00:00:00Z")
const complete = new Map([
  ["ehr/*", Date.parse("2020-03-10T00:00:00Z")],
  ["lab/Observation", Date.parse("2020-02-10T00:00:00Z")],
])

describe("labels of random histories equal a batch SQL query over what stands at their end", () => {
  let server: Awaited<ReturnType<typeof temporaryPostgres>>
  beforeAll(async () => {
    server = await temporaryPostgres()
    await prepare(server.client)
    await server.client.query("truncate phenotype, leaf, leaf_code, unit_factor")
    await server.client.query(await readFile(new URL("../oracle/phenotypes/definitions.sql", import.meta.url), "utf8"))
  })
  afterAll(async () => server?.close())

  it("rungs, partial dates, statuses, units, amendments and retractions, in a random order with duplicates", async () => {
    const seed = Number(process.env["WEIR_TEST_SEED"] ?? Date.now() % 2_147_483_647)
    console.info(`seed ${seed} (WEIR_TEST_SEED replays it)`)
    const pick = seeded(seed)
    const histories = Array.from({ length: persons }, (_, at) => randomHistory(`p${at}`, pick))
    for (const history of histories) {
      const { resources, studies } = finalState(history)
      await loadResources(server.client, resources)
      await loadStudies(server.client, studies)
    }
    await situate(server.client, now, complete, issuers)
    const expected = await batchLabels(server.client)

    const records = histories.flat().flatMap((event) => {
      const made =
        event.kind === "study" ? studyRecordOf(event.study, event.op) : personEventOf(event.resource, event.op)
      return pick(4) === 0 ? [made, { ...made }] : [made]
    })
    const shuffled = records.map((made) => [pick(1_000_000_000), made] as const).sort(([a], [b]) => a - b)
    const standing = await streamLabels({
      options: { definitions: "test/oracle/phenotypes", "accession-issuers": issuers },
      records: shuffled.map(([, made]) => made),
      batch: 4,
      now,
      complete,
    })
    const streamed = new Map(
      [...standing.rows.values()].map(({ person, label }) => [
        `${person} ${label.studyInstanceUid} ${label.phenotype}`,
        asOracleLabel(person, label),
      ]),
    )
    const reasons = [...expected.values()].map(({ value, reason, rung }) => `${value} ${reason} ${rung}`)
    console.info(
      JSON.stringify(
        Object.fromEntries([...Map.groupBy(reasons, (one) => one)].map(([one, all]) => [one, all.length])),
      ),
    )
    const differing = [...new Set([...expected.keys(), ...streamed.keys()])].filter(
      (slot) => JSON.stringify(sortedKeys(expected.get(slot))) !== JSON.stringify(sortedKeys(streamed.get(slot))),
    )
    const shown = differing.map((slot) => ({ sql: expected.get(slot), stream: streamed.get(slot) }))
    const history = histories[Number(differing[0]?.slice(1).split(" ")[0])]
    if (history !== undefined)
      console.info(JSON.stringify(history, (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value)))
    expect(shown, `seed ${seed}`).toEqual([])
    expect(new Set([...expected.values()].map(({ value }) => value)).size).toBe(4)
    expect(new Set([...expected.values()].map(({ rung }) => rung)).size).toBe(5)
  }, 180_000)
})

const sortedKeys = (label: object | undefined) =>
  label === undefined ? undefined : Object.entries(label).sort(([a], [b]) => (a < b ? -1 : 1))
