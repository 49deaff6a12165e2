import { expect, it } from "vitest"
import { Room } from "../../transforms/deidentify/dicom-room.ts"

it("bounds the bytes that are in memory at once; one that is larger than that goes alone, in its turn", async () => {
  const room = new Room(100)
  let [now, peak] = [0, 0]
  const order: number[] = []
  const sizes = [60, 30, 70, 10, 250, 5, 100, 90, 10]
  await Promise.all(
    sizes.map((size, at) =>
      room.use(size, async () => {
        order.push(at)
        now += size
        if (size <= 100) peak = Math.max(peak, now)
        else expect(now).toBe(size)
        for (let turn = 0; turn < size; turn++) await Promise.resolve()
        now -= size
      }),
    ),
  )
  expect(order).toEqual([...sizes.keys()])
  expect(peak).toBeLessThanOrEqual(100)
})

it("gives room back when work fails", async () => {
  const room = new Room(10)
  await expect(room.use(10, () => Promise.reject(new Error("no")))).rejects.toThrow("no")
  expect(await room.use(10, async () => 1)).toBe(1)
})
