import { randomUUID } from "node:crypto"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Fetched, Log, Member, Message, Reader } from "../../core/ports/log.ts"

/** Opens the log under test, again and again: each as another process would. */
export type OpenLog = () => Promise<Log>

/** How much a read of the contract takes. */
export const LIMIT = { maxBytes: 8 << 20, maxMessages: 1000, waitMs: 100 }

/** A name that nobody else uses. */
export const unique = (name: string): string => `${name}-${randomUUID().slice(0, 8)}`

/** A message with this text. */
export const message = (value: string, timestamp = 1000): Message => ({
  key: Buffer.from("k"),
  value: Buffer.from(value),
  timestamp,
})

/** Messages whose texts count on from a number. */
export const messages = (from: number, count: number): Message[] =>
  Array.from({ length: count }, (_, i) => message(String(from + i)))

/** The text of a message. */
export const text = ({ value }: Fetched): string => Buffer.from(value ?? []).toString()

/** Reads until nothing more is there. */
export async function toHead(reader: Reader, limit = LIMIT): Promise<Fetched[]> {
  const all: Fetched[] = []
  for (;;) {
    const batch = await reader.read(limit)
    all.push(...batch.messages)
    if (batch.messages.length === 0 && batch.next === batch.head) return all
  }
}

/** Resolves when the condition is true; throws after `ms`. */
export async function until(condition: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  for (const end = Date.now() + ms; !(await condition());) {
    if (Date.now() > end) throw new Error("the condition did not come true")
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** The contract of the Log port, run on every driver. */
export function logContract(name: string, open: OpenLog): void {
  describe(`${name} keeps the contract of the Log`, () => {
    let log: Log
    beforeAll(async () => {
      log = await open()
    })
    afterAll(() => log?.close())
    const current = () => log
    topicsContract(current)
    readingContract(current)
    transactionsContract(current, open)
    describe("a group", () => groupsContract(current, open))
  })
}

async function newTopic(log: Log, partitions = 1, more = {}): Promise<string> {
  const name = unique("t")
  await log.ensureTopics([{ name, partitions, ...more }])
  return name
}

function topicsContract(log: () => Log): void {
  it("makes topics once, says how they are, and refuses another partition count", async () => {
    const [plain, compact, kept] = [unique("plain"), unique("compact"), unique("kept")]
    const specs = [
      { name: plain, partitions: 2 },
      { name: compact, partitions: 1, compact: true },
      { name: kept, partitions: 1, retention: 86_400_000 },
    ]
    await log().ensureTopics(specs)
    await log().ensureTopics(specs)
    expect((await log().topics()).filter(({ name }) => specs.some((spec) => spec.name === name))).toEqual(
      specs.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    )
    const other = log().ensureTopics([{ name: plain, partitions: 3 }])
    await expect(other).rejects.toMatchObject({ meaning: "fatal", code: "topic-mismatch" })
    await expect(log().ensureTopics([{ name: "no/topic", partitions: 1 }])).rejects.toMatchObject({ meaning: "fatal" })
    expect(await log().bounds(plain)).toEqual([
      { start: 0n, end: 0n },
      { start: 0n, end: 0n },
    ])
  })

  it("makes a topic once, however many ask for it at the same time", async () => {
    const name = unique("t")
    await Promise.all(Array.from({ length: 5 }, () => log().ensureTopics([{ name, partitions: 3 }])))
    expect(await log().bounds(name)).toHaveLength(3)
  })

  it("gives back keys, values, times, headers and nulls", async () => {
    for (const more of [{}, { retention: 86_400_000 }]) {
      const name = await newTopic(log(), 1, more)
      const writer = await log().writer(unique("w"))
      const given: Message[] = [
        { key: Buffer.from([0, 255]), value: Buffer.alloc(0), timestamp: 0 },
        { key: null, value: null, timestamp: 1_234_567_890_123, headers: { a: "ä", b: "" } },
        { key: new Uint8Array([1, 2, 3]), value: new Uint8Array(70_000).fill(7), timestamp: -5 },
        { key: Buffer.from("k"), value: Buffer.from("v"), timestamp: 4_102_444_800_000 },
      ]
      await writer.transact([{ topic: name, partition: 0, messages: given }])
      const read = await toHead(await log().reader(name, 0, 0n))
      expect(read).toEqual(
        given.map((each, i) => ({
          ...each,
          offset: BigInt(i),
          key: each.key === null ? null : Buffer.from(each.key),
          value: each.value === null ? null : Buffer.from(each.value),
          timestamp: Math.max(0, each.timestamp),
        })),
      )
      await writer.close()
    }
  })
}

function readingContract(log: () => Log): void {
  it("is caught up exactly when next is head", async () => {
    const name = await newTopic(log())
    const writer = await log().writer(unique("w"))
    const reader = await log().reader(name, 0, 0n)
    expect(await reader.read({ ...LIMIT, waitMs: 0 })).toEqual({ messages: [], next: 0n, head: 0n })
    for (let i = 0; i < 3; i++) await writer.transact([{ topic: name, partition: 0, messages: messages(i * 10, 10) }])
    const [{ end } = { end: -1n }] = await log().bounds(name)
    expect(end).toBeGreaterThanOrEqual(30n)
    const first = await reader.read({ ...LIMIT, maxMessages: 25 })
    expect(first.messages).toHaveLength(25)
    expect(first.next < first.head).toBe(true)
    const rest = await reader.read(LIMIT)
    expect(rest.messages.map(text)).toEqual(["25", "26", "27", "28", "29"])
    expect([rest.next, rest.head]).toEqual([end, end])
    expect(await reader.read({ ...LIMIT, waitMs: 0 })).toEqual({ messages: [], next: end, head: end })
    const last = await (await log().reader(name, 0, rest.messages.at(-1)!.offset)).read({ ...LIMIT, waitMs: 0 })
    expect(last.messages.map(text)).toEqual(["29"])
    expect([last.next, last.head]).toEqual([end, end])
    await writer.close()
  })

  it("shows what was committed as soon as the writer says so", async () => {
    const name = await newTopic(log(), 3)
    const writer = await log().writer(unique("w"))
    const readers = await Promise.all([0, 1, 2].map((partition) => log().reader(name, partition, 0n)))
    const before = [0n, 0n, 0n]
    for (let i = 1; i <= 40; i++) {
      await writer.transact([0, 1, 2].map((partition) => ({ topic: name, partition, messages: messages(i, 1) })))
      const ends = (await log().bounds(name)).map(({ end }) => end)
      expect(ends.every((end, partition) => end > before[partition]!)).toBe(true)
      before.splice(0, 3, ...ends)
      const read = await Promise.all(readers.map((reader) => reader.read({ ...LIMIT, waitMs: 0 })))
      expect(read.map((batch) => batch.messages.map(text))).toEqual([[String(i)], [String(i)], [String(i)]])
      expect(read.map(({ next }) => next)).toEqual(ends)
    }
    await writer.close()
  })

  it("does not take what it kept for the end, when more was written since", async () => {
    const name = await newTopic(log())
    const writer = await log().writer(unique("w"))
    const reader = await log().reader(name, 0, 0n)
    await writer.transact([{ topic: name, partition: 0, messages: messages(0, 4) }])
    await reader.read({ ...LIMIT, maxMessages: 2 })
    await writer.transact([{ topic: name, partition: 0, messages: messages(4, 2) }])
    const kept = await reader.read(LIMIT)
    expect(kept.messages.map(text)).toEqual(["2", "3"])
    expect(kept.next < kept.head).toBe(true)
    expect((await reader.read(LIMIT)).messages.map(text)).toEqual(["4", "5"])
    await writer.close()
  })

  it("gives at least one message, and no more bytes than it was told beyond that", async () => {
    const name = await newTopic(log())
    const writer = await log().writer(unique("w"))
    const large = Array.from({ length: 6 }, (_, i) => ({ ...message(""), value: Buffer.alloc(1000, i) }))
    await writer.transact([{ topic: name, partition: 0, messages: large }])
    const reader = await log().reader(name, 0, 0n)
    const counts: number[] = []
    for (const maxBytes of [1, 2500, 1, 1 << 20])
      counts.push((await reader.read({ ...LIMIT, maxBytes })).messages.length)
    expect(counts).toEqual([1, 2, 1, 2])
    await writer.close()
  })

  it("waits for a message, and no longer than it was told", async () => {
    const name = await newTopic(log())
    const writer = await log().writer(unique("w"))
    const reader = await log().reader(name, 0, 0n)
    const began = performance.now()
    expect((await reader.read({ ...LIMIT, waitMs: 300 })).messages).toEqual([])
    expect(performance.now() - began).toBeGreaterThan(280)
    const waiting = reader.read({ ...LIMIT, waitMs: 10_000 })
    await writer.transact([{ topic: name, partition: 0, messages: messages(0, 1) }])
    expect((await waiting).messages.map(text)).toEqual(["0"])
    expect(performance.now() - began).toBeLessThan(5000)
    await writer.close()
  })

  it("ends a read that waits when the reader is closed", async () => {
    const reader = await log().reader(await newTopic(log()), 0, 0n)
    const waiting = reader.read({ ...LIMIT, waitMs: 30_000 }).catch((error: unknown) => error)
    const began = performance.now()
    await reader.close()
    expect(await waiting).toMatchObject({ meaning: "retryable" })
    await expect(reader.read(LIMIT)).rejects.toMatchObject({ meaning: "retryable" })
    expect(performance.now() - began).toBeLessThan(5000)
  })

  it("refuses positions outside of what is there", async () => {
    const name = await newTopic(log())
    const writer = await log().writer(unique("w"))
    await writer.transact([{ topic: name, partition: 0, messages: messages(0, 3) }])
    const [bounds] = await log().bounds(name)
    const outside = { meaning: "systemic", code: "offset-out-of-range" }
    for (const beyond of [1n, 500n])
      await expect((await log().reader(name, 0, bounds!.end + beyond)).read(LIMIT)).rejects.toMatchObject(outside)
    const none = unique("none")
    await expect((await log().reader(none, 0, 0n)).read(LIMIT)).rejects.toMatchObject({ code: "topic-missing" })
    await writer.close()
  })
}

function transactionsContract(log: () => Log, open: OpenLog): void {
  it("publishes appends and offsets together", async () => {
    const [a, b, group] = [await newTopic(log(), 2), await newTopic(log(), 1), unique("g")]
    const writer = await log().writer(unique("w"))
    expect(await log().committed(group, a)).toEqual(new Map())
    await writer.transact(
      [
        { topic: a, partition: 1, messages: messages(0, 2) },
        { topic: b, partition: 0, messages: messages(2, 2) },
      ],
      [{ group, next: [{ topic: a, partition: 0, offset: 7n }] }],
    )
    await writer.transact([], [{ group, next: [{ topic: b, partition: 0, offset: 9n }] }])
    const id = unique("w2")
    await (await log().writer(id)).close()
    await until(async () => (await log().committed(group, b)).get(0) === 9n)
    expect(await log().committed(group, a)).toEqual(new Map([[0, 7n]]))
    expect((await toHead(await log().reader(a, 1, 0n))).map(text)).toEqual(["0", "1"])
    expect((await toHead(await log().reader(b, 0, 0n))).map(text)).toEqual(["2", "3"])
    await writer.close()
  })

  it("takes a transaction without anything in it", async () => {
    const name = await newTopic(log())
    const writer = await log().writer(unique("w"))
    await writer.transact([])
    await writer.transact([{ topic: name, partition: 0, messages: [] }], [{ group: unique("g"), next: [] }])
    await writer.transact([{ topic: name, partition: 0, messages: messages(0, 1) }])
    expect((await toHead(await log().reader(name, 0, 0n))).map(text)).toEqual(["0"])
    await writer.close()
  })

  it("runs the transactions of a writer one after another, in the order in which they were asked for", async () => {
    const name = await newTopic(log())
    const writer = await log().writer(unique("w"))
    await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        writer.transact([{ topic: name, partition: 0, messages: messages(i * 2, 2) }]),
      ),
    )
    const read = await toHead(await log().reader(name, 0, 0n))
    expect(read.map(text)).toEqual(Array.from({ length: 20 }, (_, i) => String(i)))
    expect(read.every(({ offset }, i) => i === 0 || offset > read[i - 1]!.offset)).toBe(true)
    await writer.close()
  })

  it("takes two writers of a partition at the same time: all of both, each in its order, at offsets of its own", async () => {
    const name = await newTopic(log())
    const elsewhere = await open()
    const writers = [await log().writer(unique("w")), await elsewhere.writer(unique("w"))]
    const ends: bigint[] = []
    const write = async (i: number) => {
      for (let n = 0; n < 12; n++) {
        await writers[i]!.transact([
          { topic: name, partition: 0, messages: [message(`${i}.${n}.a`), message(`${i}.${n}.b`)] },
        ])
        ends.push((await log().bounds(name))[0]!.end)
      }
    }
    await Promise.all([write(0), write(1)])
    const read = await toHead(await log().reader(name, 0, 0n))
    expect(new Set(read.map(({ offset }) => offset)).size).toBe(48)
    expect(read.map(({ offset }) => offset)).toEqual(read.map(({ offset }) => offset).toSorted((a, b) => Number(a - b)))
    for (const i of [0, 1])
      expect(read.map(text).filter((each) => each.startsWith(`${i}.`))).toEqual(
        Array.from({ length: 12 }, (_, n) => [`${i}.${n}.a`, `${i}.${n}.b`]).flat(),
      )
    // What is told of the end never goes back.
    expect(ends).toEqual(ends.toSorted((a, b) => Number(a - b)))
    for (const writer of writers) await writer.close()
    await elsewhere.close()
  })

  it("shows others what was committed, and nothing else", async () => {
    const name = await newTopic(log())
    const elsewhere = await open()
    const writers = [await log().writer(unique("w")), await elsewhere.writer(unique("w"))]
    for (const [i, writer] of writers.entries())
      await writer.transact([{ topic: name, partition: 0, messages: messages(i, 1) }])
    for (const each of [log(), elsewhere])
      expect((await toHead(await each.reader(name, 0, 0n))).map(text)).toEqual(["0", "1"])
    await elsewhere.close()
  })

  it("fences every older writer of an id, from another process too, and reads the newest position after it", async () => {
    const [name, group, id] = [await newTopic(log()), unique("g"), unique("w")]
    const elsewhere = await open()
    const old = await log().writer(id)
    await old.transact(
      [{ topic: name, partition: 0, messages: messages(0, 1) }],
      [{ group, next: [{ topic: name, partition: 0, offset: 1n }] }],
    )
    const fresh = await elsewhere.writer(id)
    expect(await elsewhere.committed(group, name)).toEqual(new Map([[0, 1n]]))
    const fenced = { meaning: "fatal", code: "fenced" }
    const late = old.transact([{ topic: name, partition: 0, messages: messages(1, 1) }])
    await expect(late).rejects.toMatchObject(fenced)
    const later = old.transact([{ topic: name, partition: 0, messages: messages(1, 1) }])
    await expect(later).rejects.toMatchObject(fenced)
    await fresh.transact([{ topic: name, partition: 0, messages: messages(2, 1) }])
    expect((await toHead(await log().reader(name, 0, 0n))).map(text)).toEqual(["0", "2"])
    await old.close()
    await elsewhere.close()
  })

  it("fences by offsets alone", async () => {
    const [name, group, id] = [await newTopic(log()), unique("g"), unique("w")]
    const old = await log().writer(id)
    const fresh = await log().writer(id)
    const stale = old.transact([], [{ group, next: [{ topic: name, partition: 0, offset: 5n }] }])
    await expect(stale).rejects.toMatchObject({ code: "fenced" })
    await fresh.transact([], [{ group, next: [{ topic: name, partition: 0, offset: 6n }] }])
    await log().writer(id)
    expect(await log().committed(group, name)).toEqual(new Map([[0, 6n]]))
  })

  it("settles what an older writer had under way before it gives out the id", async () => {
    const [name, group, id] = [await newTopic(log()), unique("g"), unique("w")]
    for (let round = 0; round < 5; round++) {
      const old = await log().writer(id)
      const wait = old
        .transact(
          [{ topic: name, partition: 0, messages: messages(round, 1) }],
          [{ group, next: [{ topic: name, partition: 0, offset: BigInt(round + 1) }] }],
        )
        .then(
          () => true,
          () => false,
        )
      const fresh = await log().writer(id)
      const seen = (await log().committed(group, name)).get(0) === BigInt(round + 1)
      const wasCommitted = await wait
      if (wasCommitted) expect(seen).toBe(true)
      expect((await log().committed(group, name)).get(0) === BigInt(round + 1)).toBe(seen)
      await fresh.close()
    }
  })

  it("writes transactions larger than a batch, and refuses a message that is too large as a bad record", async () => {
    const name = await newTopic(log())
    const writer = await log().writer(unique("w"))
    const big = Array.from({ length: 24 }, (_, i) => ({ ...message(String(i)), value: Buffer.alloc(1 << 20, i) }))
    await writer.transact([{ topic: name, partition: 0, messages: big }])
    const read = await toHead(await log().reader(name, 0, 0n))
    expect(read.map(({ value }) => value?.[0])).toEqual(big.map((_, i) => i))
    const huge = { ...message("x"), value: Buffer.alloc(9 << 20) }
    const refused = writer.transact([{ topic: name, partition: 0, messages: [huge] }])
    await expect(refused).rejects.toMatchObject({ meaning: "bad-record", code: "message-too-large" })
    const after = writer.transact([{ topic: name, partition: 0, messages: messages(0, 1) }])
    await expect(after).rejects.toMatchObject({ code: "message-too-large" })
    await writer.close()
    const [bounds] = await log().bounds(name)
    expect((await toHead(await log().reader(name, 0, bounds!.end))).length).toBe(0)
  })
}

function groupsContract(log: () => Log, open: OpenLog): void {
  const joined: Member[] = []
  afterAll(() => Promise.all(joined.map((member) => member.leave())))
  const join = async (from: Log, group: string, topics: readonly string[], partitions: number) => {
    const seen: (readonly number[])[] = []
    const member = await from.join({ group, topics, partitions, onAssigned: (each) => void seen.push(each) })
    joined.push(member)
    return { member, seen }
  }

  it("gives partition p of each topic to one member, keeps what it can, and hands over at once on leaving", async () => {
    const [a, b, group] = [await newTopic(log(), 4), await newTopic(log(), 4), unique("g")]
    const one = await join(log(), group, [a, b], 4)
    expect(one.seen).toEqual([[0, 1, 2, 3]])
    expect([0, 1, 2, 3].every((partition) => one.member.owns(partition))).toBe(true)
    const elsewhere = await open()
    const two = await join(elsewhere, group, [a, b], 4)
    await until(() => one.member.assigned().length === 2 && two.member.assigned().length === 2)
    expect([...one.member.assigned(), ...two.member.assigned()].toSorted()).toEqual([0, 1, 2, 3])
    const lost = two.member.assigned()[0]!
    expect(await one.member.confirm(lost)).toBe(false)
    expect(await one.member.confirm(one.member.assigned()[0]!)).toBe(true)
    await expect(one.member.reader(a, lost, 0n)).rejects.toMatchObject({ code: "revoked" })
    const kept = one.member.assigned()
    const began = performance.now()
    await two.member.leave()
    await until(() => one.member.assigned().length === 4)
    expect(performance.now() - began).toBeLessThan(3000)
    expect(one.seen.at(-1)).toEqual([0, 1, 2, 3])
    expect(kept.every((partition) => one.member.owns(partition))).toBe(true)
    await elsewhere.close()
  })

  it("tells how many members it has, also to another process", async () => {
    const [group, topic] = [unique("group"), unique("topic")]
    await log().ensureTopics([{ name: topic, partitions: 2 }])
    expect(await log().members(group)).toBe(0)
    const other = await open()
    const member = await log().join({ group, topics: [topic], partitions: 2, onAssigned: () => {} })
    expect(await other.members(group)).toBe(1)
    await member.leave()
    await until(async () => (await other.members(group)) === 0)
    await other.close()
  })

  it("assigns anew when a process closes the log", async () => {
    const [a, group] = [await newTopic(log(), 2), unique("g")]
    const one = await join(log(), group, [a], 2)
    const elsewhere = await open()
    await elsewhere.join({ group, topics: [a], partitions: 2, onAssigned: () => {} })
    await until(() => one.member.assigned().length === 1)
    await elsewhere.close()
    await until(() => one.member.assigned().length === 2)
    expect(one.seen.at(-1)).toEqual([0, 1])
  })

  it("gives nothing to a member that is one too many, until another leaves", async () => {
    const [a, group] = [await newTopic(log(), 1), unique("g")]
    const one = await join(log(), group, [a], 1)
    const two = await join(log(), group, [a], 1)
    await until(() => one.member.assigned().length + two.member.assigned().length === 1)
    const [busy, idle] = one.member.assigned().length === 1 ? [one, two] : [two, one]
    await until(() => busy.member.owns(0))
    expect([busy.member.owns(0), idle.member.owns(0)]).toEqual([true, false])
    await busy.member.leave()
    await until(() => idle.member.owns(0))
    expect(busy.member.owns(0)).toBe(false)
    expect(await busy.member.confirm(0)).toBe(false)
  })

  it("ends a read that waits when its partition goes to another", async () => {
    const [a, group] = [await newTopic(log(), 2), unique("g")]
    const one = await join(log(), group, [a], 2)
    const reading = [0, 1].map(async (partition) => {
      const reader = await one.member.reader(a, partition, 0n)
      return reader.read({ ...LIMIT, waitMs: 8000 }).then(
        () => "empty",
        (error: { code: string }) => error.code,
      )
    })
    const two = await join(log(), group, [a], 2)
    await until(() => one.member.assigned().length === 1)
    expect(await reading[two.member.assigned()[0]!]).toBe("revoked")
    await two.member.leave()
  })

  it("keeps its members while the process is busy with something else", async () => {
    const [a, group] = [await newTopic(log(), 1), unique("g")]
    const one = await join(log(), group, [a], 1)
    const reader = await one.member.reader(a, 0, 0n)
    const end = performance.now() + 7000
    while (performance.now() < end) await reader.read({ ...LIMIT, waitMs: 500 })
    expect(one.seen).toHaveLength(1)
    expect(one.member.owns(0)).toBe(true)
  })

  it("refuses topics that do not have the same partitions", async () => {
    const [a, b] = [await newTopic(log(), 1), await newTopic(log(), 2)]
    await expect(join(log(), unique("g"), [a, b], 1)).rejects.toMatchObject({ code: "topic-mismatch" })
  })
}
