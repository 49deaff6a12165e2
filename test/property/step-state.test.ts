import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { compareUtf8 } from "../../core/engine/byte-order.ts"
import { StepState } from "../../core/engine/step-state.ts"
import type { StepTransaction } from "../../core/ports/store.ts"

const text = fc.string({ unit: fc.constantFrom("a", "b", "/", "é", "\uffee", "\u{1f600}", "\ud7ff"), maxLength: 4 })

/** A transaction over rows that were there before. */
function over(rows: ReadonlyMap<string, ReadonlyMap<string, string>>): StepTransaction {
  const reads = {
    get: async (keys: readonly (readonly [string, string])[]) => keys.map(([key, sort]) => rows.get(key)?.get(sort)),
    scan: async (ranges: readonly { key: string; from?: string; to?: string }[]) =>
      ranges.map(({ key, from = "", to }) =>
        [...(rows.get(key) ?? [])]
          .filter(([sort]) => bytes(sort, from) >= 0 && (to === undefined || bytes(sort, to) < 0))
          .sort(([a], [b]) => bytes(a, b)),
      ),
  }
  return { ...reads, shared: { ...reads, lock: async () => {} } } as unknown as StepTransaction
}
const bytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

describe("the state of a step", () => {
  it("orders texts as their UTF-8 bytes", () => {
    fc.assert(fc.property(text, text, (a, b) => Math.sign(compareUtf8(a, b)) === bytes(a, b)))
  })

  it("reads its own writes, those of earlier parts, and what was there before, in order", async () => {
    const write = fc.record({
      key: fc.constantFrom("k", "l"),
      sort: text,
      value: fc.option(fc.nat(9), { nil: undefined }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(write),
        fc.array(write),
        fc.array(write),
        fc.array(write),
        text,
        fc.option(text, { nil: undefined }),
        async (before, kept, dropped, own, from, to) => {
          const rows = new Map<string, Map<string, string>>()
          const apply = (writes: typeof own) => {
            for (const { key, sort, value } of writes) {
              if (!rows.has(key)) rows.set(key, new Map())
              if (value === undefined) rows.get(key)!.delete(sort)
              else rows.get(key)!.set(sort, String(value))
            }
          }
          apply(before)
          const was = new Map([...rows].map(([key, sorts]) => [key, new Map(sorts)] as const))
          const state = new StepState(over(was), 0, new Map())
          const put = (into: StepState, writes: typeof own) => {
            for (const { key, sort, value } of writes)
              if (value === undefined) into.delete([[key, sort]])
              else into.put([[key, sort, value]])
          }
          const first = state.part()
          put(first, kept)
          state.absorb(first)
          put(state.part(), dropped)
          const last = state.part()
          put(last, own)
          apply(kept)
          apply(own)
          const range = { key: "k", from, ...(to === undefined ? {} : { to }) }
          const [expected] = await over(rows).scan([range])
          const [found] = await last.scan<number>([range])
          expect(found).toEqual(expected!.map(([sort, value]) => [sort, Number(value)]))
          const keys = [...new Set([...before, ...own, ...kept].map(({ sort }) => sort))].map(
            (sort) => ["k", sort] as const,
          )
          expect(await last.get(keys)).toEqual(
            keys.map(([, sort]) => {
              const value = rows.get("k")?.get(sort)
              return value === undefined ? undefined : Number(value)
            }),
          )
        },
      ),
    )
  })
})
