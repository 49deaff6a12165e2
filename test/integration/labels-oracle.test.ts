import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { asOracleLabel, batchLabels, loadResources, prepare, situate, temporaryPostgres } from "../oracle/index.ts"
import type { OracleLabel, OracleResource } from "../oracle/index.ts"
import { seeded } from "../oracle/random-history.ts"
import { personEventOf, streamLabels } from "../oracle/stream.ts"
import { syntheaAbsent, syntheaResources } from "../oracle/synthea.ts"

if (syntheaAbsent) console.warn("skipped: the Synthea patients are not in the test data")

const now = Date.parse("2021-06-01T00:00:00Z")
const complete = new Map([["ehr/*", Date.parse("2021-04-01T00:00:00Z")]])

function shuffledWithDuplicates(resources: readonly OracleResource[], seed: number): readonly OracleResource[] {
  const pick = seeded(seed)
  const all = [...resources, ...resources.filter(() => pick(5) === 0)]
  for (let at = all.length - 1; at > 0; at--) {
    const other = pick(at + 1)
    ;[all[at], all[other]] = [all[other]!, all[at]!]
  }
  return all
}

describe.skipIf(syntheaAbsent)("labels streamed from Synthea (shared data) equal a batch SQL query", () => {
  let resources: readonly OracleResource[]
  let expected: ReadonlyMap<string, OracleLabel>
  let server: Awaited<ReturnType<typeof temporaryPostgres>>

  beforeAll(async () => {
    const all = syntheaResources()
    const imaged = new Set(all.filter(({ type }) => type === "ImagingStudy").map(({ person }) => person))
    resources = all.filter(({ person }) => imaged.has(person))
    server = await temporaryPostgres()
    await prepare(server.client)
    await loadResources(server.client, resources)
    await situate(server.client, now, complete)
    expected = await batchLabels(server.client)
  })
  afterAll(async () => server?.close())

  async function streamed(
    history: readonly OracleResource[],
    batch: number,
  ): Promise<ReadonlyMap<string, OracleLabel>> {
    const standing = await streamLabels({
      options: { definitions: "examples/phenotypes" },
      records: history.map((resource) => personEventOf(resource)),
      batch,
      now,
      complete,
    })
    return new Map(
      [...standing.rows.values()].map(({ person, label }) => [
        `${person} ${label.studyInstanceUid} ${label.phenotype}`,
        asOracleLabel(person, label),
      ]),
    )
  }
  const sorted = (labels: ReadonlyMap<string, OracleLabel>) =>
    [...labels].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, label]) => label)

  it("the batch query finds every value, and unknown ones with different reasons", () => {
    const studies = resources.filter(({ type }) => type === "ImagingStudy").length
    const values = (name: string) => {
      const found = [...expected.values()].filter(({ phenotype }) => phenotype === name)
      return Object.fromEntries(
        [...Map.groupBy(found, ({ value, reason }) => `${value} ${reason}`)].map(([key, rows]) => [key, rows.length]),
      )
    }
    const summary = Object.fromEntries(
      [...new Set([...expected.values()].map(({ phenotype }) => phenotype))].sort().map((name) => [name, values(name)]),
    )
    console.info(JSON.stringify({ studies, ...summary }, null, 1))
    expect(studies).toBe(220)
    for (const name of ["fracture-same-encounter", "renal-impairment-before", "diagnosis-after"])
      expect(
        Object.values(values(name)).reduce((sum, rows) => sum + rows, 0),
        name,
      ).toBe(220)
    expect(Object.keys(values("fracture-same-encounter"))).toEqual(
      expect.arrayContaining(["positive met", "negative not-met"]),
    )
    expect(Object.keys(values("renal-impairment-before"))).toEqual(
      expect.arrayContaining(["positive met", "negative not-met", "unknown no-evidence"]),
    )
    expect(Object.keys(values("diagnosis-after"))).toEqual(
      expect.arrayContaining(["positive met", "negative not-met", "unknown window-open", "unknown not-observed"]),
    )
    expect([...expected.values()].some(({ candidates }) => candidates > 1)).toBe(true)
  })

  it("in the order of the files", { timeout: 180_000 }, async () => {
    expect(sorted(await streamed(resources, 500))).toEqual(sorted(expected))
  })
  it("in reverse order", { timeout: 180_000 }, async () => {
    expect(sorted(await streamed(resources.toReversed(), 97))).toEqual(sorted(expected))
  })
  it("in a random order with duplicates", { timeout: 180_000 }, async () => {
    const seed = Number(process.env["WEIR_TEST_SEED"] ?? Date.now() % 2_147_483_647)
    console.info(`seed ${seed} (WEIR_TEST_SEED replays it)`)
    expect(sorted(await streamed(shuffledWithDuplicates(resources, seed), 200))).toEqual(sorted(expected))
  })
})
