import { expect, it } from "vitest"
import { Memory } from "../../cli/deid/memory.ts"

const canTakeBack = "transfer" in ArrayBuffer.prototype

it.runIf(canTakeBack)(
  "uses the memory of one file for the next, and whatever still refers to the first sees nothing",
  async () => {
    const memory = new Memory()
    const first = await memory.lend(async (take) => take(70_000).fill(1))
    const part = await memory.lend(async (take) => {
      const next = take(65_000)
      expect(next).toHaveLength(65_000)
      // Nobody else has had this memory.
      expect(next.every((byte) => byte === 1)).toBe(true)
      return next.subarray(10, 20)
    })
    expect([first.length, part.length]).toEqual([0, 0])
  },
)

it("lends different memory to files that are at hand at the same time", async () => {
  const memory = new Memory()
  for (let round = 0; round < 2; round++) {
    const both = await Promise.all(
      [1, 2].map((value) =>
        memory.lend(async (take) => {
          const bytes = take(1000).fill(value)
          await new Promise(setImmediate)
          return bytes.every((byte) => byte === value)
        }),
      ),
    )
    expect(both).toEqual([true, true])
  }
})

it("does not take back what something may still read into: after a failure, or what is too large to be kept", async () => {
  const memory = new Memory()
  let failed: Uint8Array | undefined
  const work = memory.lend(async (take) => {
    failed = take(1000).fill(3)
    throw new Error("no")
  })
  await expect(work).rejects.toThrow("no")
  expect(failed).toHaveLength(1000)
  const large = await memory.lend(async (take) => take(9 << 20))
  expect(large).toHaveLength(9 << 20)
})

it.runIf(canTakeBack)("leaves to another thread what was handed to it", async () => {
  const memory = new Memory()
  const handed = await memory.lend(async (take) => {
    const { buffer } = take(1000).fill(5)
    return new Uint8Array((buffer as ArrayBuffer).transfer(), 0, 1000)
  })
  await memory.lend(async (take) => take(1000).fill(6))
  expect(handed.every((byte) => byte === 5)).toBe(true)
})
