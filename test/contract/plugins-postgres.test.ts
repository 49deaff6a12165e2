import { Client } from "pg"
import { afterAll, beforeAll, expect } from "vitest"
import { label, rowId } from "../../core/index.ts"
import type { Draft, Label } from "../../core/index.ts"
import { postgres } from "../../sinks/postgres/index.ts"
import { pluginContract } from "../kit/index.ts"
import { temporaryPostgres } from "../oracle/postgres.ts"

let server: Awaited<ReturnType<typeof temporaryPostgres>>
let databases = 0
beforeAll(async () => {
  server = await temporaryPostgres()
})
afterAll(() => server.close())

const topic = "curated.labels"

const labelDraft = (at: number): Draft<Label> => {
  const studyInstanceUid = `1.2.840.4711.${at % 4}`
  const gone = at % 7 === 6
  const value: Label = {
    phenotype: "renal",
    ruleVersion: "1",
    studyInstanceUid,
    value: "positive",
    reason: "matched",
    rung: "encounter",
    ambiguous: false,
    candidates: at,
    clinicalTime: null,
    knownTime: null,
    grade: "laboratory",
    evidence: [{ resourceType: "Observation", resourceId: `obs-778899-${at}`, revision: 1, time: 0, role: "supports" }],
  }
  return {
    key: `person-${at % 4}`,
    id: rowId(["renal", studyInstanceUid]),
    op: gone ? "retract" : "upsert",
    // Now and then an older version comes late.
    version: BigInt(at % 5 === 4 ? 1 : at + 1),
    value: gone ? null : value,
    time: at,
  }
}

pluginContract(postgres, [
  {
    name: "labels with several versions, some late, some taken back",
    canaries: ["obs-778899", "1.2.840.4711.1"],
    inputs: [{ topic, zone: "limited", type: label }],
    drafts: { [topic]: Array.from({ length: 20 }, (_, at) => labelDraft(at)) },
    open: async () => {
      const name = `contract_${databases++}`
      await server.client.query(`CREATE DATABASE ${name}`)
      const url = `postgres://oracle:oracle@127.0.0.1:${server.client.port}/${name}`
      return {
        options: {},
        context: { storeUrl: url, name: "warehouse" },
        read: async () => {
          const db = new Client({ connectionString: url })
          await db.connect()
          const { rows } = await db.query("SELECT to_jsonb(t) FROM limited.curated_labels t ORDER BY to_jsonb(t)::text")
          await db.end()
          return rows
        },
      }
    },
    check: (rows) => expect((rows as readonly unknown[]).length).toBeGreaterThan(1),
  },
])
