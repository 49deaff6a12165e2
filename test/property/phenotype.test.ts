import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Label } from "../../core/index.ts"
import { all, any, not } from "../../transforms/phenotype/finding.ts"
import type { Finding, Value } from "../../transforms/phenotype/finding.ts"
import { interval } from "../../formats/fhir/time.ts"
import { eventReads, eventSorts } from "../../transforms/phenotype/sorts.ts"
import { issuers, randomHistory } from "../oracle/random-history.ts"
import type { Event } from "../oracle/random-history.ts"
import { personEventOf, streamLabels, studyRecordOf } from "../oracle/stream.ts"

const now = Date.parse("2020-03-20T00:00:00Z")
const complete = new Map([["ehr/*", Date.parse("2020-03-10T00:00:00Z")]])

/** A history of one person from a list of arbitrary numbers, so that a failure shrinks. */
const history = fc
  .infiniteStream(fc.nat({ max: 1_000_000_000 }))
  .map((numbers) => randomHistory("p", (below) => (numbers.next().value as number) % below))

/** The same row and version with another content: two sources of truth that disagree. */
function withTies(events: readonly Event[]): readonly Event[] {
  return events.flatMap((event): readonly Event[] => {
    if (event.kind === "study") return [event, { ...event, study: { ...event.study, modalities: ["OT"] } }]
    const body = JSON.stringify({ ...(JSON.parse(event.resource.body) as object), status: "final" })
    return [event, { ...event, resource: { ...event.resource, body } }]
  })
}

const recordOf = (event: Event) =>
  event.kind === "study" ? studyRecordOf(event.study, event.op) : personEventOf(event.resource, event.op)

async function labelsOf(events: readonly Event[], batch: number): Promise<Record<string, Label>> {
  const standing = await streamLabels({
    options: { definitions: "test/oracle/phenotypes", "accession-issuers": issuers },
    records: events.map(recordOf),
    batch,
    now,
    complete,
  })
  return Object.fromEntries([...standing.rows].map(([slot, { label }]) => [slot, label]))
}

describe("labels", () => {
  it("are the same, byte for byte, in any order of arrival, in any batches, with any duplicates and ties", async () => {
    const arrival = history.chain((events) => {
      const tied = withTies(events)
      return fc.tuple(
        fc.constant(tied),
        fc.shuffledSubarray([...tied, ...tied], { minLength: 0 }).map((some) => [...some, ...tied]),
        fc.array(fc.nat(), { minLength: 3 * tied.length, maxLength: 3 * tied.length }),
        fc.integer({ min: 1, max: 20 }),
      )
    })
    await fc.assert(
      fc.asyncProperty(arrival, async ([events, doubled, order, batch]) => {
        const mixed = doubled.map((event, at) => [order[at] ?? 0, event] as const).sort(([a], [b]) => a - b)
        expect(
          await labelsOf(
            mixed.map(([, event]) => event),
            batch,
          ),
        ).toEqual(await labelsOf(events, 5))
      }),
      { numRuns: 60 },
    )
  })
})

describe("four values", () => {
  const values: readonly Value[] = ["positive", "negative", "uncertain", "unknown"]
  const finding = fc
    .constantFrom(...values)
    .map((value): Finding => ({ value, reason: value, rung: "none", candidates: 0, grade: "none", used: [] }))
  const some = fc.array(finding, { minLength: 1, maxLength: 4 })

  it("De Morgan's laws hold, and `not` twice is nothing", () => {
    fc.assert(
      fc.property(some, (findings) => {
        expect(not(all(findings)).value).toBe(any(findings.map(not)).value)
        expect(not(any(findings)).value).toBe(all(findings.map(not)).value)
        for (const one of findings) expect(not(not(one)).value).toBe(one.value)
      }),
    )
  })

  it("nothing but a part that decides makes a value of what is unknown", () => {
    fc.assert(
      fc.property(some, (findings) => {
        const has = (value: Value) => findings.some((one) => one.value === value)
        expect(any(findings).value === "positive").toBe(has("positive"))
        expect(all(findings).value === "negative").toBe(has("negative"))
        if (has("unknown")) expect(any(findings).value).not.toBe("negative")
        if (has("unknown")) expect(all(findings).value).not.toBe("positive")
      }),
    )
  })
})

describe("events of a person", () => {
  const time = fc.integer({ min: interval("1890")!.from, max: interval("2150")!.to })
  it("a stored event is found from every earlier time on, and from no later one, in a few ranges", () => {
    fc.assert(
      fc.property(
        time,
        fc.oneof(time, fc.constant(0)),
        fc.integer({ min: -90_000_000, max: 90_000_000 }),
        (event, far, near) => {
          const from = far === 0 ? event + near : far
          const { sort, counts } = eventSorts(event, "id")
          const ranges = eventReads(from)
          expect(ranges.length).toBeLessThanOrEqual(4)
          const found = [sort, ...counts].some((row) => ranges.some((range) => row >= range.from && row < range.to))
          expect(found).toBe(event >= from)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
