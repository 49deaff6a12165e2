import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { runChain } from "../../core/engine/chain.ts"
import { foldDeriveDiff } from "../../core/fold.ts"
import { Schema, defineStateful, int, keep, optional, port, prefixed, recordType, string } from "../../core/index.ts"
import type { Derived, FoldSpec, Ports, Row } from "../../core/index.ts"
import { memoryState, record, testContext } from "../kit/index.ts"
import type { MemoryState } from "../kit/index.ts"

const file = join(process.env["WEIR_TEST_DATA"] ?? "../shared/data", "kafka-joins/kafka-join-expectations.json")
const absent = !existsSync(file)
if (absent) console.warn("SKIPPED: Kafka Streams' join expectations, as ../shared/data/kafka-joins is not there")

/** One record of an input, as Kafka Streams' tests pipe it in. */
interface Given {
  readonly side: "left" | "right"
  readonly key: number | null
  readonly value: string | null
  readonly ts: number
}
interface Told {
  readonly key: number
  readonly value: string | null
  readonly ts: number
}
interface Case {
  readonly class: string
  readonly test: string
  readonly input: string
  readonly join: readonly ("join" | "leftJoin" | "outerJoin")[]
  readonly versioned: boolean
  /** For each record of the input, what came out of it. */
  readonly expected: readonly (readonly Told[])[]
}
interface Expectations {
  readonly inputs: Readonly<Record<string, readonly Given[]>>
  readonly tests: readonly Case[]
}

const expectations = absent ? { inputs: {}, tests: [] } : (JSON.parse(readFileSync(file, "utf8")) as Expectations)
const tableTable = expectations.tests.filter((one) => one.class === "TableTableJoinIntegrationTest")
const nameOf = ({ test }: Case): string => test.replace(/^test/, "")

const side = recordType({
  name: "side",
  doc: "A row of a table; a text that is null was deleted at that time.",
  fields: { text: keep(optional(string), "what it says"), ts: keep(int, "when") },
  id: [],
})
const joined = recordType({
  name: "joined",
  doc: "What stands of both tables.",
  fields: { text: keep(string, "both texts, with - between") },
  id: [],
})
const ports = {
  inputs: { left: port(side, "row"), right: port(side, "row") },
  outputs: { out: port(joined, "row") },
} satisfies { inputs: Ports; outputs: Ports }

interface Side {
  readonly text: string | null
  readonly ts: number
}
const joins = {
  join: (a: string | null, b: string | null) => a !== null && b !== null,
  leftJoin: (a: string | null) => a !== null,
  outerJoin: (a: string | null, b: string | null) => a !== null || b !== null,
}

/** Left with right, and what comes of it with right again where two joins follow each other. */
const textOf = (kinds: Case["join"], left: string | null, right: string | null): string | null =>
  kinds.reduce<string | null>(
    (text, kind) => (joins[kind](text, right) ? `${text ?? "null"}-${right ?? "null"}` : null),
    left,
  )

/** The join as a plugin's author writes it: which fact a record is, what it touches, and what stands. */
const joinOf = (kinds: Case["join"]) =>
  defineStateful({
    name: "table-join",
    summary: "Joins two tables by key",
    options: Schema.Struct({}),
    ...ports,
    create: async () => {
      const spec: FoldSpec<typeof ports.inputs, { text: string }> = {
        fact: ({ input, value }) => ({ id: input, rows: value === null ? [] : [[input, value]] }),
        index: () => [],
        units: () => [{ id: "joined", reads: [prefixed("left"), prefixed("right")] }],
        derive: (_key, _unit, [left, right]) => ({ rows: standing(kinds, only(left!), only(right!)) }),
      }
      return foldDeriveDiff<typeof ports.inputs, typeof ports.outputs, { text: string }>("out", spec)
    },
  })

const only = (rows: readonly Row[]): Side | undefined => rows[0]?.[1] as Side | undefined

function standing(kinds: Case["join"], left: Side | undefined, right: Side | undefined): Derived<{ text: string }>[] {
  const text = textOf(kinds, left?.text ?? null, right?.text ?? null)
  const time = Math.max(left?.ts ?? 0, right?.ts ?? 0)
  return text === null ? [] : [{ id: "joined", value: { text }, time }]
}

/** How a null of Kafka's tables comes in: as a fact that says so, or as a retract, which leaves no time behind. */
type Nulls = "facts" | "retracts"

const recordOf = ({ side: input, key, value, ts }: Given, nulls: Nulls) =>
  record<Side>(
    {
      key: String(key),
      id: "row",
      version: BigInt(ts),
      time: ts,
      ...(value === null && nulls === "retracts"
        ? { op: "retract" as const, value: null }
        : { value: { text: value, ts } }),
    },
    input,
  )

/** A claim of the join's task, that is given batches through the engine's own chain. */
async function taskOf(kinds: Case["join"], state: MemoryState = memoryState()) {
  const plugin = joinOf(kinds)
  const steps = [{ plugin, instance: (await plugin.create({}, testContext())) as never }]
  return async (given: readonly Given[], nulls: Nulls): Promise<Told[]> => {
    const batch = given.map((one) => recordOf(one, nulls))
    const { emitted } = await runChain("join", steps as never, { batch, zone: "phi" }, state)
    return emitted.map(({ draft: { key, op, value, time } }) => ({
      key: Number(key),
      value: op === "retract" ? null : (value as { text: string }).text,
      ts: time,
    }))
  }
}

/** What comes out of each record of a case's input, one record a step. Nothing has no key in Weir: those are left out. */
async function stepsOf({ join: kinds, input }: Case, nulls: Nulls = "facts"): Promise<Told[][]> {
  const step = await taskOf(kinds)
  const told: Told[][] = []
  for (const given of expectations.inputs[input]!) told.push(given.key === null ? [] : await step([given], nulls))
  return told
}

const text = (told: readonly Told[]): string => told.map(({ value, ts }) => `${value}@${ts}`).join(" ") || "nothing"

/** Where two runs tell something else: step (from 1), the record, what Kafka Streams tells, what Weir does. */
function differences({ input, expected }: Case, found: readonly (readonly Told[])[]): string[] {
  return expectations.inputs[input]!.flatMap((given, at) => {
    const [theirs, ours] = [text(once(expected[at]!)), text(found[at]!)]
    const what = `${at + 1} ${given.side} ${given.value}@${given.ts}`
    return theirs === ours ? [] : [`${what}: ${theirs}, Weir ${ours}`]
  })
}

/** Of two joins in a row the second hears of a change of the right table twice, and tells it twice. */
const once = (told: readonly Told[]): readonly Told[] =>
  told.filter((one, at) => at === 0 || text([one]) !== text([told[at - 1]!]))

/** What is known to be told otherwise in the cases in order. When the first of two joins loses its row because of the right
 * table, the second, inner one finds nothing to its right any more and tells no deletion: readers of Kafka Streams keep the row. */
const keptForEver: Readonly<Record<string, readonly string[]>> = {
  InnerInner: ["11 right null@11: nothing, Weir null@11"],
  OuterInner: ["8 right null@8: nothing, Weir null@8"],
}

const older = {
  "14": "14 right d@7: null-d@7, Weir nothing",
  "17": "17 right null@3: null@3, Weir nothing",
}

/** The cases that go by arrival where Weir goes by versions: a record that is older than what is known of its side changes nothing
 * in Weir, whenever it comes. A table without versions takes it for the newest (docs/decisions/0036-kafka-joins.md). */
const byArrival: Readonly<Record<string, readonly string[]>> = {
  Inner: [
    "15 left D@6: D-d@7, Weir nothing",
    "16 left null@2: null@7, Weir nothing",
    "20 left null@10: null@14, Weir nothing",
    "23 right f@3: F-f@4, Weir nothing",
  ],
  Left: [
    "15 left D@6: D-d@7, Weir nothing",
    "16 left null@2: null@7, Weir nothing",
    "20 left null@10: null@14, Weir nothing",
    "22 left F@4: F-null@4, Weir nothing",
    "23 right f@3: F-f@4, Weir nothing",
  ],
  Outer: [
    older["14"],
    "15 left D@6: D-d@7, Weir nothing",
    "16 left null@2: null-d@7, Weir nothing",
    older["17"],
    "20 left null@10: null-e@14, Weir nothing",
    "21 right null@9: null@9, Weir nothing",
    "22 left F@4: F-null@4, Weir nothing",
    "23 right f@3: F-f@4, Weir nothing",
  ],
  InnerWithLeftVersionedOnly: ["21 right null@9: null@15, Weir nothing", "23 right f@3: E-f@15, Weir nothing"],
  LeftWithLeftVersionedOnly: ["21 right null@9: E-null@15, Weir nothing", "23 right f@3: E-f@15, Weir nothing"],
  OuterWithLeftVersionedOnly: [
    older["14"],
    older["17"],
    "21 right null@9: E-null@15, Weir nothing",
    "23 right f@3: E-f@15, Weir nothing",
  ],
  InnerWithRightVersionedOnly: ["20 left null@10: null@14, Weir nothing", "22 left F@4: F-e@14, Weir nothing"],
  LeftWithRightVersionedOnly: [
    "15 left D@6: D-null@6, Weir nothing",
    "16 left null@2: null@2, Weir nothing",
    "20 left null@10: null@14, Weir nothing",
    "22 left F@4: F-e@14, Weir nothing",
  ],
  OuterWithRightVersionedOnly: [
    "15 left D@6: D-null@6, Weir nothing",
    "16 left null@2: null@2, Weir nothing",
    "20 left null@10: null-e@14, Weir nothing",
    "22 left F@4: F-e@14, Weir nothing",
  ],
}

const versioned = /VersionedStores$/
const halfVersioned = /VersionedOnly$/
const outOfOrder = tableTable.filter(({ input }) => input === "input")
const inOrder = tableTable.filter(({ input }) => input !== "input")

describe.skipIf(absent)("Kafka Streams' expectations of table-table joins (shared data)", () => {
  it("has the 21 cases that are told of here", () => {
    expect(tableTable).toHaveLength(21)
    expect(outOfOrder.filter(({ test }) => versioned.test(test))).toHaveLength(3)
    expect(outOfOrder.filter(({ test }) => halfVersioned.test(test))).toHaveLength(6)
    expect(inOrder).toHaveLength(9)
  })

  it.each(outOfOrder.filter(({ test }) => versioned.test(test)).map((one) => [nameOf(one), one] as const))(
    "%s: told alike, record by record, with its time",
    async (_, one) => expect(await stepsOf(one)).toEqual(one.expected),
  )

  it.each(inOrder.map((one) => [nameOf(one), one] as const))(
    "%s: told alike, a change once, but for a deletion that Kafka Streams never tells",
    async (name, one) => expect(differences(one, await stepsOf(one))).toEqual(keptForEver[name] ?? []),
  )

  it.each(outOfOrder.filter(({ test }) => !versioned.test(test)).map((one) => [nameOf(one), one] as const))(
    "%s: goes by arrival, where Weir tells what the versioned tables do",
    async (name, one) => {
      const told = await stepsOf(one)
      expect(differences(one, told)).toEqual(byArrival[name])
      const same = outOfOrder.find(({ test, join: kinds }) => versioned.test(test) && kinds[0] === one.join[0])!
      expect(told).toEqual(same.expected)
    },
  )

  it.each(tableTable.map((one) => [nameOf(one), one] as const))(
    "%s: a retract for null gives the same rows; it leaves no time, so a row's is that of what stands",
    async (_, one) => {
      const rows = (steps: readonly (readonly Told[])[]) => steps.map((told) => told.map(({ value }) => value))
      expect(rows(await stepsOf(one, "retracts"))).toEqual(rows(await stepsOf(one)))
    },
  )

  it.each(outOfOrder.filter(({ test }) => versioned.test(test)).map((one) => [nameOf(one), one] as const))(
    "%s: in any order and any batches the row that stands in the end is the same",
    async (_, one) => {
      const given = expectations.inputs[one.input]!
      const shuffled = fc.shuffledSubarray([...given], { minLength: given.length })
      await fc.assert(
        fc.asyncProperty(shuffled, fc.integer({ min: 1, max: given.length }), async (records, size) => {
          const step = await taskOf(one.join)
          const told: Told[] = []
          for (let from = 0; from < records.length; from += size)
            told.push(...(await step(records.slice(from, from + size), "facts")))
          expect(told.at(-1)).toEqual(one.expected.flat().at(-1))
        }),
        { numRuns: 50 },
      )
    },
  )
})
