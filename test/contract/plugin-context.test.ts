import { expect, it } from "vitest"
import { contextFor } from "../../core/engine/runtime.ts"
import type { Runtime } from "../../core/engine/runtime.ts"
import { curatedStudy, keep, recordType, string } from "../../core/index.ts"

const dose = recordType({ name: "dose", doc: "A dose.", fields: { unit: keep(string, "Unit.") }, id: ["unit"] })

it("tells a plugin the topic, zone and record type of each input and output, also of a type that a package declares", () => {
  const topics = new Map([
    ["doses", { zone: "phi", type: dose }],
    ["curated", { zone: "limited", type: curatedStudy }],
  ])
  const pipeline = { name: "p", folder: "/", topics, identity: [] }
  const runtime = { pipeline, store: { url: "" }, now: () => 0 } as unknown as Runtime
  const bound = { inputs: { in: "doses" }, outputs: { out: "curated" } }
  const { inputs, outputs } = contextFor(runtime, "stage", bound, new AbortController().signal)
  expect(inputs).toEqual({ in: { topic: "doses", zone: "phi", type: dose } })
  expect(outputs).toEqual({ out: { topic: "curated", zone: "limited", type: curatedStudy } })
})
