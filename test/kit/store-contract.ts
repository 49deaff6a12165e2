import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { StepChange, StepTransaction, Store, TaskStore } from "../../core/ports/store.ts"
import type { Timer } from "../../core/index.ts"
import { openProxy } from "./proxy.ts"
import type { Proxy } from "./proxy.ts"

/** A promise that the test opens. */
function gate(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((open) => (resolve = open))
  return { promise, resolve: () => resolve() }
}

/** How the suite opens the Store that it tries. */
export interface StoreOpener {
  /** Opens it; a second time as another process would. */
  open(): Promise<Store>
  /** Opens the Store whose server is reached at another address: through a proxy that loses connections. */
  openAt(url: string): Promise<Store>
  /** Opens that proxy, before the server of a url; of TCP if it is not said. */
  openProxy?(url: string): Promise<Proxy>
  /** False: there are no tables to ask, and its queries are not tried. */
  readonly queries?: boolean
}

const nothing: StepChange = {
  puts: [],
  deletes: [],
  sharedPuts: [],
  sharedDeletes: [],
  timers: [],
  cancels: [],
  positions: [],
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (payload: Uint8Array): string => new TextDecoder().decode(payload)

/** Runs one step: its change, committed. */
async function step(task: TaskStore, change: Partial<StepChange>): Promise<bigint> {
  return (await task.begin()).commit({ ...nothing, ...change })
}

/** Looks at a task's state and leaves it as it is. */
async function look<T>(task: TaskStore, reading: (tx: StepTransaction) => Promise<T>): Promise<T> {
  const tx = await task.begin()
  try {
    return await reading(tx)
  } finally {
    await tx.rollback()
  }
}

/** Follows a promise without waiting for it. */
function follow(promise: Promise<unknown>): { readonly settled: boolean } {
  const state = { settled: false }
  const settle = () => {
    state.settled = true
  }
  promise.then(settle, settle)
  return state
}

const timer = (key: string, name: string, due: number, clock: Timer["clock"] = "quiet"): Timer => ({
  key,
  name,
  due,
  clock,
  origin: { topic: "t", partition: 3, offset: 9_007_199_254_740_993n },
})

/** What the calls of an owner that lost its task may say: each leads to claiming again. */
const lostTask = { code: expect.stringMatching(/^(fenced|unreachable|unknown-outcome)$/) }

/** The contract of the Store port, run on every driver. Each test works on a pipeline of its own name. */
export function storeContract(name: string, opener: StoreOpener): void {
  describe(`${name} keeps the contract of Store`, () => {
    let store: Store
    let other: Store
    let pipelines = 0
    const run = `${Date.now()}`
    const pipeline = () => `contract-${run}-${++pipelines}`
    beforeAll(async () => {
      store = await opener.open()
      other = await opener.open()
    })
    afterAll(async () => {
      await store?.close()
      await other?.close()
    })

    describe("claims", () => {
      it("finds nothing in a task that is new", async () => {
        const task = await store.claim(pipeline(), "s", 0)
        expect(task).toMatchObject({ epoch: 1n, outbox: 0n, published: 0n, positions: [], facts: {}, pending: [] })
        expect([task.dueQuiet, task.dueCalendar]).toEqual([undefined, undefined])
        await task.release()
      })

      it("finds what the steps before left", async () => {
        const name = pipeline()
        const first = await store.claim(name, "s", 7)
        const positions = [
          {
            topic: "a",
            next: 9_007_199_254_740_993n,
            last: { offset: 9_007_199_254_740_992n, checksum: 4_294_967_295 },
          },
          { topic: "b", next: 0n },
        ]
        const facts = {
          ended: { "t|source/s": true },
          complete: { "f/x": { "t|w": -1.5 } },
          closed: false,
          odd: 'é"\\ü',
        }
        await step(first, { positions, facts, timers: [timer("k", "n", 50), timer("k", "m", 20, "calendar")] })
        const second = await other.claim(name, "s", 7)
        expect(second.epoch).toBe(2n)
        expect(second.positions.toSorted((x, y) => (x.topic < y.topic ? -1 : 1))).toEqual(positions)
        expect(second.facts).toEqual(facts)
        expect([second.dueQuiet, second.dueCalendar]).toEqual([50, 20])
      })

      it("tells where the tasks of a pipeline stand, and claims none", async () => {
        const name = pipeline()
        expect(await store.positions(name)).toEqual([])
        const task = await store.claim(name, "stage", 2)
        const positions = [{ topic: "t", next: 9_007_199_254_740_993n, last: { offset: 8n, checksum: 7 } }]
        await step(task, { positions })
        expect(await other.positions(name)).toEqual([{ stage: "stage", partition: 2, positions }])
        await step(task, {})
      })

      it("tells what is committed of tasks to somebody who does not own them, and disturbs none", async () => {
        if (store.tasks === undefined) return
        const name = pipeline()
        expect(await other.tasks!(name)).toEqual([])
        const task = await store.claim(name, "s", 3)
        await store.claim(name, "r", 1)
        const positions = [{ topic: "a", next: 5n, last: { offset: 4n, checksum: 7 } }]
        const timers = [
          { ...timer("k", "n", 50), since: 31 },
          { ...timer("k", "o", 40), since: 30 },
          timer("k", "m", 20, "calendar"),
        ]
        await step(task, { positions, facts: { closed: "m" }, timers, outbox: bytes("one") })
        const open = await task.begin()
        const [other0, seen] = await other.tasks!(name)
        expect(other0).toMatchObject({ stage: "r", partition: 1, epoch: 1n, pending: 0 })
        expect(seen).toEqual({
          stage: "s",
          partition: 3,
          epoch: 1n,
          outbox: 1n,
          published: 0n,
          positions,
          facts: { closed: "m" },
          pending: 1,
          timers: { quiet: { armed: 2, due: 40 }, calendar: { armed: 1, due: 20 } },
          waiting: { entries: 2, since: 30 },
        })
        await open.rollback()
        await step(task, { published: 1n })
        expect((await other.tasks!(name))[1]).toMatchObject({ epoch: 1n, published: 1n, pending: 0 })
      })

      it("keeps the positions and facts that a step does not name", async () => {
        const name = pipeline()
        const task = await store.claim(name, "s", 0)
        await step(task, {
          positions: [
            { topic: "a", next: 5n },
            { topic: "b", next: 6n },
          ],
          facts: { closed: true },
        })
        await step(task, { positions: [{ topic: "b", next: 7n }] })
        const again = await store.claim(name, "s", 0)
        expect(Object.fromEntries(again.positions.map(({ topic, next }) => [topic, next]))).toEqual({ a: 5n, b: 7n })
        expect(again.facts).toEqual({ closed: true })
      })

      it("holds tasks of other pipelines, stages and partitions apart", async () => {
        const [one, two] = [pipeline(), pipeline()]
        const places: readonly (readonly [string, string, number])[] = [
          [one, "s", 0],
          [one, "s", 1],
          [one, "t", 0],
          [two, "s", 0],
        ]
        const tasks = await Promise.all(places.map((place) => store.claim(...place)))
        await Promise.all(tasks.map((task, at) => step(task, { puts: [["k", "", `${at}`]], outbox: bytes(`${at}`) })))
        for (const [at, place] of places.entries()) {
          const task = await other.claim(...place)
          expect(task.epoch).toBe(2n)
          expect(task.pending.map(({ payload }) => textOf(payload))).toEqual([`${at}`])
          expect(await look(task, (tx) => tx.get([["k", ""]]))).toEqual([`${at}`])
        }
      })

      it("gives claims at the same moment different epochs", async () => {
        const name = pipeline()
        const claims = await Promise.all(
          Array.from({ length: 8 }, (_, at) => (at % 2 ? store : other).claim(name, "s", 0)),
        )
        expect(claims.map(({ epoch }) => epoch).sort()).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n])
      })
    })

    describe("fencing", () => {
      it("refuses every step of an older claim", async () => {
        const name = pipeline()
        const older = await store.claim(name, "s", 0)
        const newer = await other.claim(name, "s", 0)
        await expect(older.begin()).rejects.toMatchObject({ code: "fenced" })
        await expect(older.markPublished(1n)).rejects.toMatchObject({ code: "fenced" })
        await step(newer, { puts: [["k", "", "newer"]] })
        await expect(older.begin()).rejects.toMatchObject({ code: "fenced" })
      })

      it("does not wait for an older owner in the middle of a step, of whom nothing is kept", async () => {
        const name = pipeline()
        const older = await store.claim(name, "s", 0)
        const tx = await older.begin()
        await tx.shared.lock(["k"])
        const newer = await other.claim(name, "s", 0)
        const change = { ...nothing, puts: [["k", "", "old"]] as const, outbox: bytes("old") }
        await expect(tx.commit(change)).rejects.toMatchObject(lostTask)
        await tx.rollback()
        await expect(older.begin()).rejects.toMatchObject({ code: "fenced" })
        expect(await look(newer, (own) => own.get([["k", ""]]))).toEqual([undefined])
        expect(await step(newer, { outbox: bytes("new") })).toBe(1n)
      })
    })

    describe("state", () => {
      it("gives back what was put, in the order of the question", async () => {
        const task = await store.claim(pipeline(), "s", 0)
        await step(task, {
          puts: [
            ["a", "1", "1"],
            ["a", "2", '"two"'],
            ["b", "1", "[3]"],
          ],
        })
        await step(task, {
          puts: [["a", "1", '{"changed":1}']],
          deletes: [
            ["a", "2"],
            ["none", ""],
          ],
        })
        const keys = [
          ["b", "1"],
          ["a", "2"],
          ["a", "1"],
          ["b", "1"],
          ["c", "1"],
          ["a", ""],
        ] as const
        expect(await look(task, (tx) => tx.get(keys))).toEqual([
          "[3]",
          undefined,
          '{"changed":1}',
          "[3]",
          undefined,
          undefined,
        ])
        expect(await look(task, (tx) => tx.get([]))).toEqual([])
        expect(await look(task, (tx) => tx.scan([]))).toEqual([])
      })

      it("scans ranges by UTF-8 bytes, each in order", async () => {
        const task = await store.claim(pipeline(), "s", 0)
        const sorted = [
          "",
          "\0",
          "\u0001",
          "\u0001\u0001",
          "\u0001\u0002",
          " ",
          "1",
          "10",
          "2",
          "A",
          "A\0",
          "A\u0001",
          "AA",
          "B",
          "_",
          "a",
          "a b",
          "aa",
          "ab",
          "b",
          "é",
          "\uFFFD",
          "\u{1F600}",
        ]
        const puts = sorted.toReversed().map((sort) => ["k", sort, JSON.stringify(sort)] as const)
        await step(task, { puts: [...puts, ["j", "x", "0"], ["k\0", "x", "0"], ["kk", "x", "0"]] })
        const ranges = [
          { key: "k" },
          { key: "none" },
          { key: "k", from: "A" },
          { key: "k", to: "A" },
          { key: "k", from: "\u0001\u0001", to: "2" },
          { key: "k", from: "A\0", to: "B" },
          { key: "k", from: "\uFFFD" },
          { key: "k", from: "b", to: "a" },
          { key: "k", from: "a", to: "a" },
        ]
        const order = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))
        expect(sorted.toSorted(order)).toEqual(sorted)
        const found = await look(task, (tx) => tx.scan(ranges))
        for (const [at, { key, from = "", to }] of ranges.entries()) {
          const expected =
            key === "k"
              ? sorted.filter((sort) => order(sort, from) >= 0 && (to === undefined || order(sort, to) < 0))
              : []
          expect(found[at], JSON.stringify(ranges[at])).toEqual(expected.map((sort) => [sort, JSON.stringify(sort)]))
        }
      })

      it("takes any text as a key and any JSON as a value", async () => {
        const task = await store.claim(pipeline(), "s", 0)
        const odd = [
          "",
          "NULL",
          "null",
          '"',
          "\\",
          '\\"',
          "{a,b}",
          "a,b",
          "'",
          "\n\t\r",
          "\0",
          "\u0001",
          "e\u0301",
          "\u{10FFFF}",
          "$1",
          "%s",
        ]
        const puts = odd.map((text) => [text, text, JSON.stringify({ [text]: text })] as const)
        await step(task, { puts })
        expect(await look(task, (tx) => tx.get(odd.map((text) => [text, text])))).toEqual(puts.map((row) => row[2]))
        const scanned = await look(task, (tx) => tx.scan(odd.map((key) => ({ key }))))
        expect(scanned).toEqual(puts.map(([, sort, value]) => [[sort, value]]))
        await step(task, { deletes: odd.map((text) => [text, text] as const) })
        expect(await look(task, (tx) => tx.scan(odd.map((key) => ({ key }))))).toEqual(odd.map(() => []))
      })

      it("blames the record for a key that nothing can hold", async () => {
        const task = await store.claim(pipeline(), "s", 0)
        for (const key of ["k".repeat(5000), "half \uD800"])
          await look(task, (tx) =>
            expect(tx.get([[key, ""]])).rejects.toMatchObject({ meaning: "bad-record", code: "state-key" }),
          )
      })

      it("writes a large step whole", async () => {
        const task = await store.claim(pipeline(), "s", 0)
        const value = JSON.stringify("v".repeat(20_000))
        const puts = Array.from({ length: 1500 }, (_, at) => [`k${at % 100}`, `${at}`.padStart(5, "0"), value] as const)
        await step(task, { puts, outbox: new Uint8Array(10_000_000) })
        const found = await look(task, (tx) => tx.scan(Array.from({ length: 100 }, (_, at) => ({ key: `k${at}` }))))
        expect(found.flat()).toHaveLength(1500)
        expect(found.every((rows) => rows.every(([, text]) => text === value))).toBe(true)
      })

      it("keeps nothing of a step that is rolled back, and takes no number for it", async () => {
        const task = await store.claim(pipeline(), "s", 0)
        const tx = await task.begin()
        await tx.get([["k", ""]])
        await tx.rollback()
        await tx.rollback()
        expect(await step(task, { puts: [["k", "", "1"]], outbox: bytes("1") })).toBe(1n)
        await expect(
          step(task, {
            puts: [["k", "", "2"]],
            timers: [timer("k", "n", Number.NaN)],
            sharedPuts: [["x".repeat(9000), "", "1"]],
          }),
        ).rejects.toThrow()
        expect(await look(task, (own) => own.get([["k", ""]]))).toEqual(["1"])
        expect(await step(task, { outbox: bytes("2") })).toBe(2n)
      })
    })

    describe("the outbox", () => {
      it("is numbered without gaps, and only steps that publish count", async () => {
        const name = pipeline()
        const task = await store.claim(name, "s", 0)
        expect(await step(task, { outbox: bytes("one") })).toBe(1n)
        expect(await step(task, {})).toBe(1n)
        expect(await step(task, { outbox: new Uint8Array([0, 255, 10]) })).toBe(2n)
        const again = await other.claim(name, "s", 0)
        expect(again.outbox).toBe(2n)
        expect(again.pending.map(({ number, payload }) => [number, [...payload]])).toEqual([
          [1n, [...bytes("one")]],
          [2n, [0, 255, 10]],
        ])
        expect(await step(again, { outbox: bytes("three") })).toBe(3n)
      })

      it("forgets what is published, in a step and outside, and never takes that back", async () => {
        const name = pipeline()
        const task = await store.claim(name, "s", 0)
        for (const text of ["1", "2", "3", "4"]) await step(task, { outbox: bytes(text) })
        await task.markPublished(2n)
        await step(task, { published: 3n, outbox: bytes("5") })
        await task.markPublished(1n)
        await step(task, { published: 0n })
        const again = await other.claim(name, "s", 0)
        expect(again.published).toBe(3n)
        expect(again.pending.map(({ number }) => number)).toEqual([4n, 5n])
        await again.markPublished(5n)
        expect((await store.claim(name, "s", 0)).pending).toEqual([])
      })
    })

    describe("timers", () => {
      it("fire by their own clock, earliest first", async () => {
        const task = await store.claim(pipeline(), "s", 0)
        const armed = [
          timer("b", "n", 30),
          timer("a", "n", 10),
          { ...timer("a", "m", 20), since: 1.5 },
          timer("a", "c", 5, "calendar"),
          timer("z", "n", 31),
        ]
        await step(task, { timers: armed })
        expect(await look(task, (tx) => tx.due("quiet", 30, 10))).toEqual([armed[1], armed[2], armed[0]])
        expect(await look(task, (tx) => tx.due("quiet", 30, 2))).toEqual([armed[1], armed[2]])
        expect(await look(task, (tx) => tx.due("quiet", 9, 10))).toEqual([])
        expect(await look(task, (tx) => tx.due("calendar", Number.MAX_SAFE_INTEGER, 10))).toEqual([armed[3]])
      })

      it("are one for a key and name: armed again they move, cancelled they are gone", async () => {
        const name = pipeline()
        const task = await store.claim(name, "s", 0)
        await step(task, { timers: [timer("a", "n", 10), timer("b", "n", 20), timer("c", "n", 30)] })
        await step(task, {
          timers: [timer("a", "n", 40)],
          cancels: [
            ["b", "n"],
            ["none", "n"],
          ],
        })
        expect(await look(task, (tx) => tx.due("quiet", 100, 10))).toEqual([timer("c", "n", 30), timer("a", "n", 40)])
        expect((await store.claim(name, "s", 0)).dueQuiet).toBe(30)
      })

      it("change their clock when they are armed again", async () => {
        const name = pipeline()
        const task = await store.claim(name, "s", 0)
        await step(task, { timers: [timer("a", "n", 10)] })
        await step(task, { timers: [timer("a", "n", 1_893_456_000_000, "calendar")] })
        const again = await store.claim(name, "s", 0)
        expect([again.dueQuiet, again.dueCalendar]).toEqual([undefined, 1_893_456_000_000])
      })
    })

    describe("state that a stage shares", () => {
      it("is seen by all tasks of the stage, and by no other stage", async () => {
        const name = pipeline()
        const [zero, one, stranger] = [
          await store.claim(name, "s", 0),
          await other.claim(name, "s", 1),
          await other.claim(name, "t", 0),
        ]
        await step(zero, {
          sharedPuts: [
            ["k", "1", "1"],
            ["k", "2", "2"],
          ],
          puts: [["k", "1", "own"]],
        })
        expect(await look(one, (tx) => tx.shared.get([["k", "1"]]))).toEqual(["1"])
        expect(await look(one, (tx) => tx.get([["k", "1"]]))).toEqual([undefined])
        expect(await look(stranger, (tx) => tx.shared.scan([{ key: "k" }]))).toEqual([[]])
        await step(one, { sharedDeletes: [["k", "1"]] })
        expect(await look(zero, (tx) => tx.shared.scan([{ key: "k" }]))).toEqual([[["2", "2"]]])
      })

      it("is locked by key to the end of the step, and the next one sees what was written", async () => {
        const name = pipeline()
        const [zero, one] = [await store.claim(name, "s", 0), await other.claim(name, "s", 1)]
        for (const value of ["of a new key", "of a known key"]) {
          const first = await zero.begin()
          await first.shared.lock(["a", "b"])
          const second = await one.begin()
          await second.shared.lock(["c"])
          const waiting = second.shared.lock(["b"])
          const state = follow(waiting)
          await first.shared.lock(["b", "d"])
          await first.shared.get([["b", ""]])
          expect(state.settled, value).toBe(false)
          await first.commit({ ...nothing, sharedPuts: [["b", "", value]] })
          await waiting
          expect(await second.shared.get([["b", ""]])).toEqual([value])
          await second.rollback()
        }
      })

      it("is free again at once when the step is rolled back or fails", async () => {
        const name = pipeline()
        const [zero, one] = [await store.claim(name, "s", 0), await other.claim(name, "s", 1)]
        const first = await zero.begin()
        await first.shared.lock(["a"])
        await first.rollback()
        const second = await zero.begin()
        await second.shared.lock(["b"])
        await expect(second.commit({ ...nothing, sharedPuts: [["x".repeat(9000), "", "1"]] })).rejects.toThrow()
        await look(one, (tx) => tx.shared.lock(["a", "b"]))
      })

      it("counts right when tasks lock the same keys in any order", async () => {
        const name = pipeline()
        const tasks = await Promise.all([0, 1, 2, 3].map((at) => (at % 2 ? store : other).claim(name, "s", at)))
        const keys = ["d", "b", "a", "c", "e"]
        const work = async (task: TaskStore, at: number) => {
          for (let round = 0; round < 15; round++) {
            const some = [...keys.slice((round + at) % 5), ...keys.slice(0, (round + at) % 5)].slice(0, 3)
            const tx = await task.begin()
            await tx.shared.lock(some)
            const counts = await tx.shared.get(some.map((key) => [key, "n"]))
            await tx.commit({
              ...nothing,
              sharedPuts: some.map((key, i) => [key, "n", `${Number(counts[i] ?? 0) + 1}`]),
            })
          }
        }
        await Promise.all(tasks.map(work))
        const counts = await look(tasks[0]!, (tx) => tx.shared.get(keys.map((key) => [key, "n"])))
        expect(counts.reduce((sum, text) => sum + Number(text), 0)).toBe(4 * 15 * 3)
      })

      it("ends one of two steps that wait for each other, to be done again", async () => {
        const name = pipeline()
        const [zero, one] = [await store.claim(name, "s", 0), await other.claim(name, "s", 1)]
        const [first, second] = [await zero.begin(), await one.begin()]
        await first.shared.lock(["a"])
        await second.shared.lock(["b"])
        const ends = await Promise.allSettled([
          first.shared.lock(["b"]).then(
            () => first.rollback(),
            async (error: unknown) => {
              await first.rollback()
              throw error
            },
          ),
          second.shared.lock(["a"]).then(
            () => second.rollback(),
            async (error: unknown) => {
              await second.rollback()
              throw error
            },
          ),
        ])
        const failed = ends.filter((end) => end.status === "rejected")
        expect(failed).toHaveLength(1)
        expect(failed[0]!.reason).toMatchObject({ meaning: "retryable", code: "deadlock" })
      })
    })

    describe("lost connections", () => {
      let proxy: Proxy
      let fragile: Store
      beforeAll(async () => {
        proxy = await (opener.openProxy ?? openProxy)(store.url)
        fragile = await opener.openAt(proxy.url)
      })
      afterAll(async () => {
        await fragile?.close()
        await proxy?.close()
      })

      it.each(["reached", "did not reach"] as const)(
        "says unknown-outcome when the answer to a COMMIT is lost that %s the server, and the next claim finds out",
        async (fate) => {
          const name = pipeline()
          const task = await fragile.claim(name, "s", 0)
          await step(task, { puts: [["k", "", "1"]], outbox: bytes("1"), positions: [{ topic: "t", next: 1n }] })
          const tx = await task.begin()
          proxy.cutAt("COMMIT", fate === "reached" ? "answer" : "question")
          const change = {
            ...nothing,
            puts: [["k", "", "2"]] as const,
            outbox: bytes("2"),
            positions: [{ topic: "t", next: 2n }],
          }
          await expect(tx.commit(change)).rejects.toMatchObject({ meaning: "retryable", code: "unknown-outcome" })
          await tx.rollback()
          const again = await fragile.claim(name, "s", 0)
          const newest = fate === "reached" ? 2n : 1n
          expect(again.outbox).toBe(newest)
          expect(again.pending.map(({ number }) => number)).toEqual(fate === "reached" ? [1n, 2n] : [1n])
          expect(again.positions).toEqual([{ topic: "t", next: newest }])
          expect(await look(again, (own) => own.get([["k", ""]]))).toEqual([`${newest}`])
        },
      )

      it("takes six round trips for a step, however much it reads and writes", async () => {
        const task = await fragile.claim(pipeline(), "s", 0)
        const keys = Array.from({ length: 2000 }, (_, at) => [`k${at}`, "s"] as const)
        const puts = keys.map(([key, sort]) => [key, sort, '"value"'] as const)
        const whole = async () => {
          const tx = await task.begin()
          await tx.shared.lock(keys.map(([key]) => key))
          await tx.shared.get(keys)
          await tx.get(keys)
          await tx.scan(keys.map(([key]) => ({ key, from: "a", to: "z" })))
          const timers = keys.map(([key]) => timer(key, "n", 1))
          const changed = { puts, sharedPuts: puts, timers, outbox: bytes("1"), positions: [{ topic: "t", next: 1n }] }
          await tx.commit({ ...nothing, ...changed, deletes: [["none", ""]], cancels: [["none", ""]], published: 0n })
        }
        await whole()
        const before = proxy.roundTrips
        await whole()
        expect(proxy.roundTrips - before).toBeLessThanOrEqual(6)
      })

      it("says unreachable for anything else, and works on when the server is back", async () => {
        const task = await fragile.claim(pipeline(), "s", 0)
        const tx = await task.begin()
        proxy.refuse(true)
        await expect(tx.get([["k", ""]])).rejects.toMatchObject({ meaning: "retryable", code: "unreachable" })
        await tx.rollback()
        await expect(task.begin()).rejects.toMatchObject({ meaning: "retryable", code: "unreachable" })
        await expect(fragile.audit("look", "x")).rejects.toMatchObject({ meaning: "retryable", code: "unreachable" })
        proxy.refuse(false)
        expect(await step(task, { outbox: bytes("1") })).toBe(1n)
      })

      it("frees the locks of an owner that is gone in 10 s, and keeps those of one that only thinks for long", async () => {
        const name = pipeline()
        const thinker = await (await store.claim(name, "s", 0)).begin()
        const gone = await (await fragile.claim(name, "s", 1)).begin()
        await thinker.shared.lock(["thought"])
        await gone.shared.lock(["gone"])
        const since = performance.now()
        proxy.freeze(true)
        const heir = await other.claim(name, "s", 2)
        for (;;) {
          const tx = await heir.begin()
          const locked = await tx.shared.lock(["gone"]).then(
            () => true,
            (error: { code: string }) => error.code,
          )
          await tx.rollback()
          if (locked === true) break
          expect(locked).toBe("lock-timeout")
        }
        expect(performance.now() - since).toBeLessThan(12_000)
        proxy.freeze(false)
        await expect(gone.commit(nothing)).rejects.toMatchObject(lostTask)
        await thinker.commit({ ...nothing, sharedPuts: [["thought", "", "1"]] })
        expect(await look(heir, (tx) => tx.shared.get([["thought", ""]]))).toEqual(["1"])
      }, 40_000)
    })

    describe("references to objects", () => {
      const sweepAll = async (zone: string, olderThanMs = 0) => {
        const removed: string[] = []
        const count = await store.objects.sweep(zone, olderThanMs, async (keys) => void removed.push(...keys))
        expect(count).toBe(removed.length)
        return removed.sort()
      }

      it("sweeps what nothing refers to, and nothing else", async () => {
        const zone = pipeline()
        await store.objects.refresh(zone, ["a", "b", "c", "d"])
        await store.objects.refresh(`${zone}-other`, ["x"])
        await other.objects.count(zone, ["a", "b", "b"], 1)
        await store.objects.count(zone, ["b"], -1)
        expect(await sweepAll(zone)).toEqual(["c", "d"])
        expect(await sweepAll(zone)).toEqual([])
        await store.objects.count(zone, ["a", "b"], -1)
        expect(await sweepAll(zone)).toEqual(["a", "b"])
        await store.objects.refresh(zone, [])
        await store.objects.count(zone, [], 1)
      })

      it("comes to the same sum when a reference ends before it is counted", async () => {
        const zone = pipeline()
        await store.objects.count(zone, ["a"], -1)
        await store.objects.count(zone, ["a"], 2)
        expect(await sweepAll(zone)).toEqual([])
        await store.objects.count(zone, ["a"], -1)
        expect(await sweepAll(zone)).toEqual(["a"])
      })

      it("spares what was refreshed lately", async () => {
        const zone = pipeline()
        await store.objects.refresh(zone, ["a"])
        expect(await sweepAll(zone, 3_600_000)).toEqual([])
        expect(await sweepAll(zone)).toEqual(["a"])
      })

      it("keeps what nothing has referred to since it was put, where its record may not have been read", async () => {
        const zone = pipeline()
        const sweep = async (uncounted: number) => {
          const removed: string[] = []
          await store.objects.sweep(zone, 0, async (keys) => void removed.push(...keys), uncounted)
          return removed.sort()
        }
        await store.objects.refresh(zone, ["counted", "new", "again"])
        await store.objects.count(zone, ["counted", "again"], 1)
        await store.objects.count(zone, ["counted", "again"], -1)
        await store.objects.refresh(zone, ["again"])
        expect(await sweep(Number.POSITIVE_INFINITY)).toEqual(["counted"])
        expect(await sweep(3_600_000)).toEqual([])
        expect(await sweep(0)).toEqual(["again", "new"])
      })

      it("spares an object for a while after its last reference ended", async () => {
        const zone = pipeline()
        await store.objects.refresh(zone, ["a"])
        await store.objects.count(zone, ["a"], 1)
        await store.objects.count(zone, ["a"], -1)
        expect(await sweepAll(zone, 3_600_000)).toEqual([])
        expect(await sweepAll(zone)).toEqual(["a"])
      })

      it("counts what a step refers to with the step: all of it, or none", async () => {
        const [zone, name] = [pipeline(), pipeline()]
        await store.objects.refresh(zone, ["a", "b"])
        const task = await store.claim(name, "identify", 0)
        const refer = (...references: StepChange["references"] & {}) => step(task, { references })
        await refer({ zone, key: "a", by: 1 }, { zone, key: "b", by: 2 })
        expect(await sweepAll(zone)).toEqual([])
        const failing = { puts: [["k".repeat(3000), "", "1"]], references: [{ zone, key: "b", by: -2 }] } as const
        await expect(step(task, failing)).rejects.toMatchObject({ code: "state-key" })
        await refer({ zone, key: "b", by: -1 }, { zone, key: "a", by: -1 })
        expect(await sweepAll(zone)).toEqual(["a"])
        await refer({ zone, key: "b", by: -1 })
        expect(await sweepAll(zone)).toEqual(["b"])
      })

      it("sweeps more than it locks at once", async () => {
        const zone = pipeline()
        const keys = Array.from({ length: 350 }, (_, at) => `k/${at}`).sort()
        await store.objects.refresh(zone, keys)
        expect(await sweepAll(zone)).toEqual(keys)
      })

      it("keeps the rows of what could not be removed", async () => {
        const zone = pipeline()
        await store.objects.refresh(zone, ["a"])
        await expect(store.objects.sweep(zone, 0, () => Promise.reject(new Error("no")))).rejects.toThrow("no")
        expect(await sweepAll(zone)).toEqual(["a"])
      })

      it("lets a writer wait while its object is removed, so that what it then puts stays", async () => {
        const zone = pipeline()
        await store.objects.refresh(zone, ["a"])
        const objects = new Set(["a"])
        const [removing, go] = [gate(), gate()]
        const sweeping = store.objects.sweep(zone, 0, async (keys) => {
          removing.resolve()
          await go.promise
          for (const key of keys) objects.delete(key)
        })
        await removing.promise
        const writing = other.objects.refresh(zone, ["a"]).then(() => objects.add("a"))
        const state = follow(writing)
        await other.objects.refresh(zone, ["b"])
        expect(state.settled).toBe(false)
        go.resolve()
        expect(await sweeping).toBe(1)
        await writing
        expect([...objects]).toEqual(["a"])
        expect(await sweepAll(zone)).toEqual(["a", "b"])
      })

      it("does not remove what a writer refreshed before", async () => {
        const zone = pipeline()
        await Promise.all([
          ...Array.from({ length: 20 }, () => store.objects.refresh(zone, ["a", "b", "c"])),
          ...Array.from({ length: 20 }, () => other.objects.refresh(zone, ["c", "a", "b"])),
          ...Array.from({ length: 20 }, () => other.objects.count(zone, ["b", "c", "a"], 1)),
        ])
        expect(await sweepAll(zone)).toEqual([])
        await store.objects.count(zone, ["a", "b", "c"], -20)
        expect(await sweepAll(zone)).toEqual(["a", "b", "c"])
      })
    })

    describe.skipIf(opener.queries === false)("queries and the audit", () => {
      it("answers with columns and rows, large integers exactly", async () => {
        const answer = await store.query(
          "SELECT 9007199254740993::bigint AS n, 'x' AS t, NULL AS nothing, ARRAY[1,2] AS list",
          "clean",
        )
        expect(answer).toEqual({
          columns: ["n", "t", "nothing", "list"],
          rows: [[9_007_199_254_740_993n, "x", null, [1, 2]]],
        })
      })

      it("tells what is wrong with a query, and nothing of the rows", async () => {
        await expect(store.query("SELECT nonsense", "phi")).rejects.toMatchObject({
          code: "query",
          message: expect.stringContaining("nonsense"),
        })
        const divided = store.query("SELECT ('canary' || n)::int FROM generate_series(1, 2) n", "phi")
        await expect(divided).rejects.toMatchObject({ code: "query", message: expect.not.stringContaining("canary") })
      })

      it("keeps what was looked at, newest last", async () => {
        const action = pipeline()
        await store.audit(action, "topic read people.events")
        await other.audit(action, "sql")
        const { rows } = await store.query(
          `SELECT detail FROM weir.audit WHERE action = '${action}' ORDER BY number`,
          "phi",
        )
        expect(rows).toEqual([["topic read people.events"], ["sql"]])
      })

      it("shows the Store's own tables to no zone below phi", async () => {
        for (const zone of ["limited", "clean"] as const)
          for (const table of ["state", "shared_state", "outbox", "audit", "timers", "tasks"])
            await expect(store.query(`SELECT * FROM weir.${table}`, zone)).rejects.toMatchObject({
              code: "access-refused",
            })
      })
    })
  })
}
