import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Blame } from "../../core/engine/blame.ts"
import { badRecord, classify } from "../../core/index.ts"

const refused = badRecord("row-refused", "the row was refused")
const minute = 60_000

/** A partition's rows, judged at times of the test's own. */
class Partition {
  now = 0
  readonly #blame = new Blame(() => this.now)

  /** What becomes of the rows that are refused: "held" or "given up". */
  tried(count: number, taken = 0, before = 0): string {
    try {
      this.#blame.judge(count, taken, before, refused)
      return "given up"
    } catch (thrown) {
      const { meaning, code } = classify(thrown)
      return meaning === "systemic" && code === "most-failing" ? "held" : `${meaning} ${code}`
    }
  }

  taken(): void {
    this.#blame.taken()
  }

  /** Tries them as often as the engine does at the latest, until they are given up, at most until then. */
  until(end: number, count: number): boolean {
    for (; this.now < end; this.now += 15_000) if (this.tried(count) === "given up") return true
    return false
  }
}

describe("a refused row", () => {
  it("is given up at once where as many rows are taken beside it", () => {
    expect(new Partition().tried(1, 1)).toBe("given up")
    expect(new Partition().tried(20, 1980)).toBe("given up")
    expect(new Partition().tried(21, 20)).toBe("held")
  })

  it("that came alone is tried again for a minute", () => {
    const partition = new Partition()
    expect(partition.tried(1)).toBe("held")
    partition.now = minute - 1
    expect(partition.tried(1)).toBe("held")
    partition.now = minute
    expect(partition.tried(1)).toBe("given up")
  })

  it("is tried for twice as long each time that none was taken since, and as at first once one was", () => {
    const partition = new Partition()
    expect(partition.until(Infinity, 1)).toBe(true)
    const second = partition.now
    expect(partition.until(second + 2 * minute, 1)).toBe(false)
    expect(partition.until(second + 2 * minute + 1, 1)).toBe(true)
    partition.taken()
    const third = partition.now
    expect(partition.until(third + minute, 1)).toBe(false)
    expect(partition.until(third + minute + 1, 1)).toBe(true)
  })

  it("is never given up as one of ten without any that is taken", () => {
    const partition = new Partition()
    expect(partition.until(1000 * minute, 10)).toBe(false)
    expect(partition.tried(10, 10)).toBe("given up")
  })

  it("of a batch that is searched by halving counts once", () => {
    const partition = new Partition()
    for (let given = 0; given < 9; given++) {
      while (partition.now < 1000 * minute && partition.tried(given + 1, 0, given) === "held") partition.now += minute
    }
    expect(partition.now).toBeLessThan(1000 * minute)
    expect(partition.until(1000 * minute + partition.now, 1)).toBe(false)
  })

  it("is one of nine at most that an outage of a day can cost, however its rows come", () => {
    const arrivals = fc.array(fc.nat(4), { minLength: 1, maxLength: 50 })
    fc.assert(
      fc.property(arrivals, (rows) => {
        const partition = new Partition()
        let waiting = 0
        let lost = 0
        for (let at = 0; partition.now < 1440 * minute; partition.now += 15_000, at++) {
          waiting += rows[at % rows.length]!
          if (waiting === 0 || partition.tried(waiting) === "held") continue
          lost += waiting
          waiting = 0
        }
        expect(lost).toBeLessThan(10)
      }),
    )
  })
})
