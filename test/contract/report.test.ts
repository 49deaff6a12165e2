import { describe, expect, it } from "vitest"
import { pairs } from "../../cli/report/before-after.ts"
import { ImageTally } from "../../cli/report/images.ts"
import type { PrivacyReport } from "../../cli/report/model.ts"
import { privacyPage } from "../../cli/report/page.ts"
import { Newest, reportsOf } from "../../cli/report/records.ts"
import type { MadeRow } from "../../core/engine/made.ts"
import type { InstanceRow } from "../../transforms/deidentify/dicom-rows.ts"
import { slice } from "./dicom-border.ts"

const at = ["t", 0, "1"] as const
const stated = { study: "1.2", series: "1.3", object: { key: "k", size: 1, sha256: "s" }, time: 0 }
const out = { id: "2.25.1", revision: "1", op: "upsert", stamp: "", origin: at } as const
const profile = "weir-ps3.15-2024b-basic retain-uids faces-allowed"
const verdict = (tool: string, counts: Record<string, number>) =>
  ({ risk: "none", released: { profile } as never, made: { tool, key: "k1", counts } }) as const
const row = (more: Partial<InstanceRow>): InstanceRow => ({ version: "1", at, origin: at, stated, ...more })

function tallied(...rows: readonly InstanceRow[]) {
  const tally = new ImageTally()
  for (const one of rows) tally.add({ row: one, part: undefined })
  return tally.report()
}

describe("the counts of a report", () => {
  it("are of what stands: nothing of what was taken back, refused or waits; and name each version that made some of it", () => {
    const { stated: _, ...left } = row({ out: { ...out, op: "retract" }, verdict: verdict("0.1.0", { removed: 9 }) })
    const report = tallied(
      row({ out, verdict: verdict("0.1.0", { removed: 2, uidsMapped: 1 }) }),
      row({ out, verdict: verdict("0.2.0", { removed: 3 }) }),
      row({ out, verdict: { risk: "none", released: { profile } as never } }),
      row({ verdict: { risk: "none", refused: { reason: "overlay" } } }),
      row({ waits: true }),
      left,
    )
    expect(report).toMatchInlineSnapshot(`
      {
        "actions": {
          "removed": 5,
          "uidsMapped": 1,
        },
        "applied": [
          {
            "codes": [
              {
                "code": "113100",
                "meaning": "Basic Application Confidentiality Profile",
              },
              {
                "code": "113110",
                "meaning": "Retain UIDs Option",
              },
            ],
            "edition": "2024b",
            "facesAllowed": true,
            "instances": 1,
            "keyId": "",
            "options": [
              "retain-uids",
            ],
            "standard": "PS3.15 Annex E",
            "tool": "",
          },
          {
            "codes": [
              {
                "code": "113100",
                "meaning": "Basic Application Confidentiality Profile",
              },
              {
                "code": "113110",
                "meaning": "Retain UIDs Option",
              },
            ],
            "edition": "2024b",
            "facesAllowed": true,
            "instances": 1,
            "keyId": "k1",
            "options": [
              "retain-uids",
            ],
            "standard": "PS3.15 Annex E",
            "tool": "0.1.0",
          },
          {
            "codes": [
              {
                "code": "113100",
                "meaning": "Basic Application Confidentiality Profile",
              },
              {
                "code": "113110",
                "meaning": "Retain UIDs Option",
              },
            ],
            "edition": "2024b",
            "facesAllowed": true,
            "instances": 1,
            "keyId": "k1",
            "options": [
              "retain-uids",
            ],
            "standard": "PS3.15 Annex E",
            "tool": "0.2.0",
          },
        ],
        "refusals": {
          "overlay": 1,
        },
        "refused": 1,
        "released": 3,
        "takenBack": 1,
        "uncounted": 1,
        "waiting": 1,
      }
    `)
  })
})

describe("a report's page", () => {
  it("shows names of a pipeline file as they are written, whatever they are", () => {
    const evil = `"><script>alert(1)</script>'&`
    const report: PrivacyReport = {
      format: "weir-privacy-report-1",
      subject: { kind: "data-set", topic: evil, zone: evil, rows: 1, profiles: { [evil]: 1 } },
      pipeline: evil,
      tool: evil,
      made: evil,
      stages: [
        {
          stage: evil,
          transforms: [{ plugin: evil, statement: evil }],
          images: { ...tallied(row({ out, verdict: verdict(evil, { [evil]: 1 }) })), refusals: { [evil]: 1 } },
          deadLetters: { [evil]: 1 },
        },
      ],
    }
    const page = privacyPage(report)
    expect(page).not.toContain("<script")
    expect(page).not.toContain(`"><`.concat("script"))
    expect(page).toContain("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;&amp;")
  })
})

describe("an image before and after", () => {
  it("tells by comparison what became of each element, nested ones too, and shows no value after of one refused", () => {
    const original = slice("1.2.3.4.5.61")
    for (const one of pairs(original, undefined, []))
      expect([one.action, one.after], one.path).toEqual(["not-released", undefined])
    const same = pairs(original, original, [])
    expect(new Set(same.map(({ action }) => action))).toEqual(
      new Set(["kept"].concat(same.some(({ vr }) => vr === "SQ") ? ["items"] : [])),
    )
    expect(same.find(({ keyword }) => keyword === "PatientName")!.rule).toMatch(/every output has the pseudonym here/)
  })
})

describe("the counts of records in a report", () => {
  const row = (version: bigint, made?: MadeRow["made"]): MadeRow => ({
    stage: "resources",
    version: String(version),
    tool: "0.1.0",
    ...(made === undefined ? {} : { made }),
  })
  const made = (kept: number) => ({ rules: "r", keyId: "k", actions: { kept }, findings: { name: 1 } })
  const summed = (...rows: readonly (readonly [key: string, row: MadeRow])[]) => {
    const newest = new Newest<MadeRow>()
    for (const [key, one] of rows) newest.add(key, BigInt(one.version), one)
    return reportsOf(newest.rows).get("resources")
  }

  it("are of the newest version of each, in whatever order versions were committed", () => {
    const expected = {
      released: 2,
      takenBack: 0,
      applied: [{ tool: "0.1.0", rules: "r", keyId: "k", records: 2 }],
      actions: { kept: 12 },
      findings: { name: 2 },
    }
    expect(summed(["a", row(1n, made(5))], ["a", row(2n, made(10))], ["b", row(1n, made(2))])).toEqual(expected)
    expect(summed(["a", row(2n, made(10))], ["b", row(1n, made(2))], ["a", row(1n, made(5))])).toEqual(expected)
  })

  it("leave out what was taken back, until it comes anew", () => {
    expect(summed(["a", row(1n, made(5))], ["a", row(2n)])).toMatchObject({ released: 0, takenBack: 1, actions: {} })
    // A dead letter that is replayed late brings back nothing.
    expect(summed(["a", row(2n)], ["a", row(1n, made(5))])).toMatchObject({ released: 0, takenBack: 1 })
    expect(summed(["a", row(2n)], ["a", row(3n, made(7))])).toMatchObject({ released: 1, actions: { kept: 7 } })
  })
})
