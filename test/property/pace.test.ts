import { setImmediate as turn } from "node:timers/promises"
import { describe, expect, it } from "vitest"
import { bisect } from "../../core/engine/bisect.ts"
import { Pace } from "../../core/engine/pace.ts"
import type { Rec } from "../../core/index.ts"
import { badRecord } from "../../core/index.ts"

const records = (count: number): Rec[] =>
  Array.from({ length: count }, (_, at) => {
    const place = { topic: "t", partition: 0, offset: BigInt(at) }
    return {
      key: "k",
      id: `${at}`,
      op: "upsert",
      version: 1n,
      value: {},
      time: 0,
      at: place,
      origin: place,
      zone: "phi",
      type: "x",
    }
  })

/** A plugin that needs so many ms of the processor, or of waiting, for each record. */
class Slow {
  readonly parts: number[] = []
  readonly seen: string[] = []
  readonly #pace: Pace
  #now = 0
  readonly #computes: number
  readonly #waits: number

  constructor(computes: number, waits: number) {
    this.#computes = computes
    this.#waits = waits
    this.#pace = new Pace(() => this.#now, turn)
  }

  run(batch: readonly Rec[], bad: string | undefined = undefined) {
    const attempt = async (part: readonly Rec[]) => {
      this.#now += this.#computes * part.length
      if (part.some(({ id }) => id === bad)) throw badRecord("bad", "a bad record")
      if (this.#waits > 0) {
        await turn()
        await turn()
        this.#now += this.#waits * part.length
      }
      this.parts.push(part.length)
      this.seen.push(...part.map(({ id }) => id))
      return { emitted: [], held: [], dropped: [], failed: [], made: [] }
    }
    return bisect(batch, attempt, async () => {}, "slow", this.#pace)
  }
}

describe("a batch of a plugin", () => {
  it("that computes is cut so that others have their turn ten times a second", async () => {
    const slow = new Slow(20, 0)
    await slow.run(records(1000))
    expect(slow.parts.slice(1).every((part) => part * 20 <= 100)).toBe(true)
    expect(slow.parts[0]! * 20).toBeLessThan(1000)
    expect(slow.seen).toEqual(records(1000).map(({ id }) => id))
  })

  it("that takes a tenth of a second for one record is given one at a time", async () => {
    const slow = new Slow(400, 0)
    await slow.run(records(40))
    expect(slow.parts.slice(1)).toEqual(Array.from({ length: 8 }, () => 1))
  })

  it("that is quick stays whole, after the first ones", async () => {
    const slow = new Slow(0.01, 0)
    for (let batch = 0; batch < 7; batch++) await slow.run(records(1000))
    expect(slow.parts.slice(-2)).toEqual([1000, 1000])
  })

  it("that only waits stays whole, however long it waits", async () => {
    const slow = new Slow(0, 20)
    for (let batch = 0; batch < 7; batch++) await slow.run(records(1000))
    expect(slow.parts.slice(-2)).toEqual([1000, 1000])
  })

  it("gives up one bad record alone, also when it is cut", async () => {
    const slow = new Slow(20, 0)
    const { failed } = await slow.run(records(200), "77")
    expect(failed.map(({ root }) => root.at.offset)).toEqual([77n])
    expect(slow.seen).toEqual(
      records(200)
        .map(({ id }) => id)
        .filter((id) => id !== "77"),
    )
  })
})
