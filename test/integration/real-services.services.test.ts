import { mkdtemp, realpath, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openKafkaLog } from "../../core/drivers/log-kafka/index.ts"
import { until } from "../kit/log-contract.ts"
import { services } from "../services/addresses.ts"
import { expectEqual, expectInChunks, expectInsertedOnce, resultsOf, size } from "./hospital/compare.ts"
import type { Results } from "./hospital/compare.ts"
import { RunFolder, makeHospital, topics } from "./hospital/folder.ts"
import type { End, Wave } from "./hospital/folder.ts"
import { Outcome } from "./hospital/outcome.ts"
import { placeOnServices } from "./hospital/services.ts"
import type { Place } from "./hospital/services.ts"

const patients = 8
/** Two waves with three services behind, on a busy machine. */
const patienceMs = 900_000

/** Runs one wave by some processes, and resolves with what the last of them said. */
type Run = (run: RunFolder, wave: Wave, place: Place) => Promise<End>

const alone: Run = (run, wave) => run.run(wave)

const together: Run = async (run, wave) => (await Promise.all([run.run(wave), run.run(wave)]))[1]

describe("the demo's pipeline on Kafka, PostgreSQL and S3, changed only in its port lines", () => {
  let folder: string
  let waves: readonly Wave[]
  let expected: Results
  /** Records in all topics after each wave, on the embedded ports. */
  const records: number[] = []
  const places: Place[] = []

  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), "weir-services-")))
    waves = await makeHospital(join(folder, "hospital"), patients, "services")
    const run = await RunFolder.make(join(folder, "embedded"), join(folder, "hospital"), { insertOnly: topics })
    let last: End | undefined
    for (const wave of waves) {
      last = await timed(`embedded ${wave.name}`, () => alone(run, wave, undefined as never), run, wave)
      const found = await (await Outcome.of(run.pipeline)).records(topics)
      records.push([...found.values()].reduce((sum, rows) => sum + rows.length, 0))
    }
    expected = await resultsOf(await Outcome.of(run.pipeline), last!)
    console.info(`embedded: ${size(expected)}`)
  }, patienceMs)

  afterAll(async () => {
    for (const place of places) await place.clear()
    await rm(folder, { recursive: true, force: true })
  }, 120_000)

  async function timed(what: string, act: () => Promise<End>, run: RunFolder, wave: Wave): Promise<End> {
    await run.deliver(wave)
    const began = performance.now()
    const end = await act()
    console.info(`${what}: ${Math.round(performance.now() - began)} ms`)
    return end
  }

  /** Runs both waves on the services, and holds all that they leave against the embedded ports. */
  async function endsEqual(name: string, by: Run): Promise<void> {
    const place = await placeOnServices()
    places.push(place)
    const run = await RunFolder.make(join(folder, name), join(folder, "hospital"), {
      ...place.names,
      ...place.ports,
      insertOnly: topics,
    })
    let last: End | undefined
    for (const wave of waves) last = await timed(`${name} ${wave.name}`, () => by(run, wave, place), run, wave)
    const outcome = await Outcome.of(run.pipeline)
    const prefix = place.names.topicPrefix!
    expectEqual(unprefixed(await resultsOf(outcome, last!, prefix), prefix), expected)
    await expectInsertedOnce(outcome, prefix)
    await expectInChunks(
      outcome,
      ["curated.studies", "curated.labels"].map((topic) => prefix + topic),
    )
  }

  /** Records that a wave adds. */
  const grown = (wave: Wave): number => records[waves.indexOf(wave)]! - (records[waves.indexOf(wave) - 1] ?? 0)

  it(
    "releases the same rows and the same instances as on the embedded ports",
    () => endsEqual("one", alone),
    patienceMs,
  )

  it("does so too when two processes share the work", () => endsEqual("two", together), patienceMs)

  it(
    "does so too when one of two processes is killed -9 half way, and the other takes over",
    async () => {
      await endsEqual("killed", async (run, wave, place) => {
        const before = await offsetsPast(-1, place)
        const both = [run.start(wave), run.start(wave)]
        const [dies, lives] = wave === waves[0] ? [both[0]!, both[1]!] : [both[1]!, both[0]!]
        // Offsets are more than records, as every transaction takes one of each partition.
        const atKill = await offsetsPast(before + 0.9 * grown(wave), place, dies.ended)
        dies.child.kill("SIGKILL")
        expect((await dies.ended).signal).toBe("SIGKILL")
        const end = await lives.ended
        expect(end.code, end.stderr.slice(-4000)).toBe(0)
        const all = await offsetsPast(-1, place)
        console.info(`killed at ${atKill} between ${before} and ${all} offsets`)
        // It had begun, and it was not over yet.
        expect(atKill).toBeGreaterThan(before)
        expect(atKill).toBeLessThan(all)
        return end
      })
    },
    patienceMs,
  )
})

/** Waits until the pipeline's topics hold more than so many offsets together, or a process is over. */
async function offsetsPast(count: number, { names }: Place, over?: Promise<End>): Promise<number> {
  const log = await openKafkaLog({ brokers: services().kafka.split(",") })
  const wanted = topics.map((topic) => names.topicPrefix! + topic)
  let running = true
  void over?.then(() => (running = false))
  try {
    let sum = 0
    await until(async () => {
      const there = new Set((await log.topics()).map(({ name }) => name))
      const bounds = await Promise.all(wanted.filter((name) => there.has(name)).map((name) => log.bounds(name)))
      sum = Number(bounds.flat().reduce((ends, { end }) => ends + end, 0n))
      return sum > count || !running
    }, patienceMs)
    return sum
  } finally {
    await log.close()
  }
}

/** Tables are named after topics. */
function unprefixed(results: Results, prefix: string): Results {
  const length = prefix.replaceAll(".", "_").length
  return { ...results, tables: new Map([...results.tables].map(([name, rows]) => [name.slice(length), rows])) }
}
