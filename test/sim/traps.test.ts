import { describe, expect, it } from "vitest"
import type { GroupOffsets } from "../../core/ports/log.ts"
import { SimBroker } from "./broker.ts"
import type { LogBugs } from "./broker.ts"
import type { Target } from "./faults.ts"
import { SimLog } from "./log.ts"
import { SimProcess, SimWorld } from "./world.ts"

/** Under each of these seeds the brokers draw otherwise. */
const seeds = Array.from({ length: 40 }, (_, at) => at + 1)
const sessionMs = 6000
/** The brokers settle what nobody ends for so long. */
const transactionMs = 10_000

interface Stage {
  readonly world: SimWorld
  readonly broker: SimBroker
  readonly log: SimLog
  /** Another process's. */
  readonly other: SimLog
  readonly process: SimProcess
}

/** Plays a scene to its end in the world of a seed; `targets` are the only faults. */
async function play<A>(
  seed: number,
  targets: readonly Target[],
  scene: (stage: Stage) => Promise<A>,
  bugs: LogBugs = {},
): Promise<A> {
  const world = new SimWorld(seed, { budget: 0, rate: 0, coarse: 0, targets, skip: new Set() }, sessionMs, false)
  const broker = new SimBroker(world, sessionMs, bugs)
  broker.ensure({ name: "in", partitions: 1 })
  broker.ensure({ name: "out", partitions: 1 })
  const process = new SimProcess("first")
  const stage = {
    world,
    broker,
    process,
    log: new SimLog(broker, process),
    other: new SimLog(broker, new SimProcess("second")),
  }
  let over = false
  const played = scene(stage).finally(() => (over = true))
  await Promise.all([
    played,
    world.run(
      () => over,
      () => false,
      10_000,
    ),
  ])
  return played
}

const id = "writer"
const to = (text: string) => [
  { topic: "out", partition: 0, messages: [{ key: null, value: Buffer.from(text), timestamp: 0 }] },
]
const upTo = (offset: bigint): GroupOffsets[] => [{ group: "group", next: [{ topic: "in", partition: 0, offset }] }]

/** What a reader is given that begins at the start. */
async function read(log: SimLog): Promise<string[]> {
  const reader = await log.reader("out", 0, 0n)
  const found: string[] = []
  for (;;) {
    const { messages, next, head } = await reader.read({ maxBytes: 1 << 20, maxMessages: 100, waitMs: 0 })
    found.push(...messages.map(({ value }) => Buffer.from(value!).toString()))
    // An open transaction hides what is behind it: nothing more is given, though the head is further.
    if (next === head || messages.length === 0) return found
  }
}
const offsetOf = async (log: SimLog) => (await log.committed("group", "in")).get(0) ?? 0n
const codeOf = (done: Promise<void>): Promise<string> =>
  done.then(
    () => "done",
    (error: { code: string }) => error.code,
  )

/** What comes first: the end of a process does not end what it waits for. */
const orDead = (process: SimProcess, told: Promise<string>): Promise<string> =>
  process.state === "dead"
    ? Promise.resolve("died")
    : Promise.race([told, new Promise<string>((resolve) => process.onDeath.add(() => resolve("died")))])

/** How many times what was found. */
function tally(found: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const each of found) counts[each] = (counts[each] ?? 0) + 1
  return counts
}

describe("a fetch of committed offsets", () => {
  const scene = async ({ log, other }: Stage) => {
    const writer = await log.writer(id)
    await writer.transact(to("a"), upTo(1n))
    const early = await offsetOf(other)
    await other.writer(id)
    return { early, after: await offsetOf(other) }
  }

  it("may be stale although the commit was acknowledged, and is not once the writer's id was given out anew", async () => {
    const all = []
    for (const seed of seeds) all.push(await play(seed, [], scene))
    const early = tally(all.map((each) => String(each.early)))
    expect(Object.keys(early).sort()).toEqual(["0", "1"])
    expect(tally(all.map(({ after }) => String(after)))).toEqual({ 1: seeds.length })
  })
})

describe("a commit without an answer", () => {
  const commit = async (stage: Stage) => {
    const { log, other, process, world } = stage
    const begun = world.now
    const writer = await log.writer(id)
    const told = await orDead(process, codeOf(writer.transact(to("a"), upTo(1n))))
    const again = await orDead(process, codeOf(writer.transact(to("b"), upTo(2n))))
    const early = await read(other)
    const expired = world.now - begun >= transactionMs
    world.bury(process)
    await other.writer(id)
    return { told, again, early, expired, settled: await read(other), offset: await offsetOf(other) }
  }

  it("may have been done, or not; who opens the writer again learns which, records and offsets alike", async () => {
    const all = []
    for (const seed of seeds)
      all.push(await play(seed, [{ operation: "writer.transact records", mishap: "torn", call: 1 }], commit))
    expect(Object.keys(tally(all.map(({ told }) => told))).sort()).toEqual(["died", "unknown-outcome"])
    for (const end of ["died", "unknown-outcome"]) {
      const came = all.filter(({ told }) => told === end)
      const outcomes = tally(came.map(({ settled, offset }) => `${settled.join()} to ${offset}`))
      expect(Object.keys(outcomes).sort()).toEqual([" to 0", "a to 1"])
      for (const { early, expired } of came) if (!expired) expect(early).toEqual([])
    }
  })

  it("was done where only its answer was lost, and the writer can be used no more", async () => {
    for (const seed of seeds) {
      const target: Target = { operation: "writer.transact records", mishap: "answer lost", call: 1 }
      const { told, again, settled, offset } = await play(seed, [target], commit)
      expect({ seed, told, again, settled, offset }).toEqual({
        seed,
        told: "unknown-outcome",
        again: "unknown-outcome",
        settled: ["a"],
        offset: 1n,
      })
    }
  })

  it("hides what others committed behind it until it is settled", async () => {
    const behind = async ({ log, other, process, world }: Stage) => {
      const begun = world.now
      const writer = await log.writer(id)
      await orDead(process, codeOf(writer.transact(to("a"))))
      await (await other.writer("another")).transact(to("b"))
      const early = await read(other)
      const expired = world.now - begun >= transactionMs
      await other.writer(id)
      return { early, expired, shown: await read(other) }
    }
    const all = []
    for (const seed of seeds)
      all.push(await play(seed, [{ operation: "writer.transact records", mishap: "torn", call: 1 }], behind))
    const open = all.filter(({ expired }) => !expired)
    expect(open.length).toBeGreaterThan(seeds.length / 2)
    for (const { early } of open) expect(early).toEqual([])
    expect(Object.keys(tally(all.map(({ shown }) => shown.join()))).sort()).toEqual(["a,b", "b"])
  })
})

describe("a producer that was thought dead", () => {
  /** The first process stands still in the midst of a transaction; the second takes over; the first goes on. */
  const zombie = async ({ log, other, world, process }: Stage) => {
    const old = await log.writer(id)
    const late = codeOf(old.transact(to("late"), upTo(1n)))
    const stopped = new Promise<void>((resolve) => process.onStop.add(resolve))
    await stopped
    const fresh = await other.writer(id)
    const found = await offsetOf(other)
    await fresh.transact(to(`new from ${found}`), upTo(found + 1n))
    const told = await late
    const later = await codeOf(old.transact(to("later"), upTo(9n)))
    world.bury(process)
    await other.writer(id)
    return { found, told, later, records: await read(other), offset: await offsetOf(other) }
  }
  const target: Target = { operation: "writer.transact records", mishap: "zombie", call: 1 }

  it("is fenced when it goes on: nothing of it comes later, and what it had under way counts wholly or not at all", async () => {
    const all = []
    for (const seed of seeds) {
      const { later, told, found, records, offset } = await play(seed, [target], zombie)
      const before = found === 1n ? ["late"] : []
      expect({ seed, later, records, offset }).toEqual({
        seed,
        later: "fenced",
        records: [...before, `new from ${found}`],
        offset: found + 1n,
      })
      all.push(`${told}, ${found === 1n ? "counts" : "counts not"}`)
    }
    // A zombie may be told that it was fenced although its transaction counts.
    expect(Object.keys(tally(all)).sort()).toEqual(["done, counts", "fenced, counts", "fenced, counts not"])
  })

  it("writes over its successor where brokers do not fence", async () => {
    let over = 0
    for (const seed of seeds)
      if ((await play(seed, [target], zombie, { noFencing: true })).records.includes("later")) over++
    expect(over).toBeGreaterThan(0)
  })
})
