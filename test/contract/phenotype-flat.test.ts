import { describe, expect, it } from "vitest"
import type { State } from "../../core/index.ts"
import { phenotype } from "../../transforms/phenotype/index.ts"
import { memoryState, runStateful, testContext } from "../kit/index.ts"
import type { MemoryState } from "../kit/index.ts"
import { seeded } from "../oracle/random-history.ts"
import { personEventOf, studyRecordOf } from "../oracle/stream.ts"

const chunkSize = 512

/** The rows of one key in order, in chunks, so that inserting stays cheap when they are many. */
class SortedRows {
  readonly #chunks: [string, unknown][][] = [[]]

  #place(sort: string): { chunk: number; at: number; found: boolean } {
    let [low, high] = [0, this.#chunks.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#chunks[middle]![0]![0] <= sort) low = middle
      else high = middle - 1
    }
    const rows = this.#chunks[low]!
    let [from, to] = [0, rows.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if (rows[middle]![0] < sort) from = middle + 1
      else to = middle
    }
    return { chunk: low, at: from, found: rows[from]?.[0] === sort }
  }

  get(sort: string): unknown {
    const { chunk, at, found } = this.#place(sort)
    return found ? this.#chunks[chunk]![at]![1] : undefined
  }

  put(sort: string, value: unknown): void {
    const { chunk, at, found } = this.#place(sort)
    const rows = this.#chunks[chunk]!
    rows.splice(at, found ? 1 : 0, [sort, value])
    if (rows.length > chunkSize) this.#chunks.splice(chunk + 1, 0, rows.splice(chunkSize / 2))
  }

  delete(sort: string): void {
    const { chunk, at, found } = this.#place(sort)
    if (!found) return
    this.#chunks[chunk]!.splice(at, 1)
    if (this.#chunks[chunk]!.length === 0 && this.#chunks.length > 1) this.#chunks.splice(chunk, 1)
  }

  *range(from: string, to: string): Generator<[string, unknown]> {
    const { chunk, at } = this.#place(from)
    for (let index = chunk, start = at; index < this.#chunks.length; index++, start = 0)
      for (const row of this.#chunks[index]!.slice(start)) {
        if (row[0] >= to) return
        yield row
      }
  }
}

/** A State that counts what it is asked for. Sorts of this transform are ASCII, so text order is byte order. */
function countingState() {
  const keys = new Map<string, SortedRows>()
  const count = { rows: 0, reads: 0 }
  const rowsOf = (key: string) => keys.get(key) ?? keys.set(key, new SortedRows()).get(key)!
  const state: State = {
    get: async <T>(asked: readonly (readonly [string, string])[]) => {
      count.reads++
      count.rows += asked.length
      return asked.map(([key, sort]) => rowsOf(key).get(sort) as T | undefined)
    },
    scan: async <T>(ranges: readonly { readonly key: string; readonly from?: string; readonly to?: string }[]) => {
      count.reads++
      const found = ranges.map(
        ({ key, from = "", to = "\u{10ffff}" }) => [...rowsOf(key).range(from, to)] as [string, T][],
      )
      count.rows += found.flat().length + ranges.length
      return found
    },
    put: (puts) => puts.forEach(([key, sort, value]) => rowsOf(key).put(sort, value)),
    delete: (gone) => gone.forEach(([key, sort]) => rowsOf(key).delete(sort)),
    shared: memoryState().shared,
    timer: () => {},
    cancel: () => {},
    refer: () => {},
    own: () => {},
    ownRecords: () => {},
    read: () => {},
    now: 0,
    completeThrough: new Map(),
  }
  return { state: state as MemoryState, count }
}

const year = 365 * 86_400_000
const facts = 100_000
const codes = ["2160-0", "2339-0", "718-7", "6298-4", "2947-0"]

describe("one patient with 100,000 facts in batches of 10", () => {
  it(
    "costs the same for each batch: only touched windows are read, in at most four reads and a check",
    { timeout: 180_000 },
    async () => {
      const instance = await phenotype.create({ definitions: "test/oracle/phenotypes" }, testContext())
      const { state, count } = countingState()
      const pick = seeded(7)
      const start = Date.parse("1990-01-01T00:00:00Z")
      const studies = Array.from({ length: 5 }, (_, at) => {
        const first = start + 5 * at * year
        return {
          person: "p",
          uid: `1.${at}`,
          version: 1n,
          accession: "",
          issuer: "",
          modalities: ["CT"],
          bodyParts: [],
          first,
          last: first,
        }
      })
      await runStateful(
        instance,
        state,
        studies.map((study) => studyRecordOf(study)),
      )
      const rows: number[] = []
      const reads: number[] = []
      const times: number[] = []
      for (let from = 0; from < facts; from += 10) {
        const batch = Array.from({ length: 10 }, (_, at) => {
          const time = new Date(start + ((from + at) / facts) * 30 * year).toISOString()
          const value = { value: 1 + pick(10) / 10, system: "http://unitsofmeasure.org", code: "mg/dL" }
          const code = { coding: [{ system: "http://loinc.org", code: codes[pick(codes.length)] }] }
          const body = {
            resourceType: "Observation",
            id: `o${from + at}`,
            status: "final",
            code,
            effectiveDateTime: time,
            valueQuantity: value,
          }
          return personEventOf({
            person: "p",
            type: "Observation",
            id: body.id,
            version: 1n,
            body: JSON.stringify(body),
          })
        })
        const [rowsBefore, readsBefore, began] = [count.rows, count.reads, performance.now()]
        await runStateful(instance, state, batch)
        rows.push(count.rows - rowsBefore)
        reads.push(count.reads - readsBefore)
        times.push(performance.now() - began)
      }
      const mean = (list: readonly number[]) => list.reduce((sum, one) => sum + one, 0) / list.length
      const tenth = rows.length / 10
      const by = (list: readonly number[]) =>
        Array.from({ length: 10 }, (_, at) => Number(mean(list.slice(at * tenth, (at + 1) * tenth)).toFixed(2)))
      console.info(JSON.stringify({ rowsReadByTenths: by(rows), msByTenths: by(times) }))
      const median = (list: readonly number[]) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]!
      expect(Math.max(...reads)).toBeLessThanOrEqual(5)
      expect(median(rows.slice(-tenth))).toBeLessThanOrEqual(median(rows.slice(0, tenth)) * 1.2)
      expect(mean(rows.slice(-tenth))).toBeLessThan(100)
    },
  )
})
