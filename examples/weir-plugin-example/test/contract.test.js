import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect } from "vitest"
import { pluginContract, record } from "weir/testing"
import { activity, activityBand, rowFiles, stepsCsv } from "../index.js"

const folder = () => mkdtemp(join(tmpdir(), "weir-plugin-example-"))

pluginContract(stepsCsv, [
  {
    name: "a file with a broken line",
    canaries: ["NHS-4711", "yesterday"],
    open: async () => {
      const base = await folder()
      const lines = Array.from(
        { length: 30 },
        (_, at) => `NHS-47${at % 3}1,2026-01-${String((at % 28) + 1).padStart(2, "0")},${at * 997}`,
      )
      await writeFile(
        join(base, "steps.csv"),
        [...lines.slice(0, 9), "NHS-4711,yesterday,12", ...lines.slice(9)].join("\n"),
      )
      return { options: { path: join(base, "steps.csv") }, close: () => rm(base, { recursive: true }) }
    },
    check: ({ appended, failed }) => {
      expect(appended).toHaveLength(30)
      expect(failed.map(({ place, error }) => `${place} ${error.code}`)).toEqual(["line 10 not-a-step-count"])
    },
  },
])

/** @param {number} steps @param {bigint} version */
const day = (steps, version) =>
  record({
    key: "NHS-4711",
    id: "NHS-4711/2026-01-05",
    version,
    value: { patient: "NHS-4711", day: "2026-01-05", steps },
  })

pluginContract(activityBand, [
  {
    name: "days of each band, one on which nothing was counted, one that is taken back",
    canaries: ["NHS-4711"],
    open: () => ({ options: { high: 12_000 } }),
    records: [
      day(3000, 1n),
      day(11_999, 2n),
      day(12_000, 3n),
      day(0, 4n),
      { ...day(0, 5n), op: "retract", value: null },
    ],
    check: ({ emitted, dropped }) => {
      expect(emitted.map(({ draft }) => /** @type {any} */ (draft.value)?.band)).toEqual([
        "low",
        "moderate",
        "high",
        undefined,
      ])
      expect(dropped.map(({ reason }) => reason)).toEqual(["not-worn"])
    },
  },
])

pluginContract(rowFiles, [
  {
    name: "rows with several versions, also out of order",
    canaries: ["NHS-4711"],
    inputs: [{ topic: "activity", zone: "phi", type: activity }],
    drafts: {
      activity: [3n, 1n, 2n, 4n].flatMap((version) =>
        ["NHS-4711", "NHS-4721", "NHS-4731"].map((patient) => ({
          key: patient,
          id: `${patient}/2026-01-05`,
          op: /** @type {const} */ ("upsert"),
          version,
          value: { patient, day: "2026-01-05", band: `of version ${version}` },
          time: 0,
        })),
      ),
    },
    open: async () => {
      const base = await folder()
      return {
        options: { path: base },
        read: async () =>
          Promise.all(
            (await readdir(join(base, "activity")))
              .sort()
              .map((name) => readFile(join(base, "activity", name), "utf8")),
          ),
        close: () => rm(base, { recursive: true }),
      }
    },
    check: (rows) => {
      expect(rows).toHaveLength(3)
      for (const row of /** @type {string[]} */ (rows)) expect(JSON.parse(row)).toMatchObject({ version: "4" })
    },
  },
])
