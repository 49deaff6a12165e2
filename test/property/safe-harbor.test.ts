import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import dictionary from "../../formats/dicom/data/dictionary.json" with { type: "json" }
import { Values, buildPart10, deidentifier, parseWhole } from "../../formats/dicom/index.ts"
import type { DataElement, DataSet, Pseudonyms } from "../../formats/dicom/index.ts"
import { DA, DT, TM } from "../../formats/dicom/vr.ts"
import { deidentifyText } from "../../formats/text/index.ts"
import { dateForms, report, surrogatesOf } from "./report-generator.ts"

const person: Pseudonyms = {
  patientId: () => "pseudonympseudonympseudony",
  patientName: () => "pseudonympseudonympseudony",
  uid: (uid) => `2.25.${BigInt(`0x${Buffer.from(uid).toString("hex")}`) % 10n ** 38n}`,
  accession: () => "AAAABBBBCCCCDDDD",
  identifier: () => "AAAABBBBCCCCDDDD",
  shiftDays: 0,
}
const core: readonly DataElement[] = [
  { tag: "00080008", vr: "CS", value: ["ORIGINAL", "PRIMARY"] },
  { tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.2" },
  { tag: "00080018", vr: "UI", value: "1.2.3.4.5" },
  { tag: "00080060", vr: "CS", value: "CT" },
  { tag: "00180015", vr: "CS", value: "CHEST" },
  { tag: "0020000D", vr: "UI", value: "1.2.3.4.1" },
  { tag: "0020000E", vr: "UI", value: "1.2.3.4.2" },
]
const judged = /^(?:0012006|002803|0002|0004|FFF|7FE|04000500|001810)/
const rows = (dictionary.rows as string[][]).filter(([tag]) => /^[0-9A-F]{8}$/.test(tag!) && !judged.test(tag!))
const ofVr = (...vrs: readonly string[]) =>
  rows.filter(([, vr]) => vrs.includes(vr!)).map(([tag, vr]) => ({ tag: tag!, vr: vr! }))
const two = (n: number) => String(n).padStart(2, "0")

const day = fc.record({
  y: fc.integer({ min: 1980, max: 2024 }),
  m: fc.integer({ min: 1, max: 12 }),
  d: fc.integer({ min: 2, max: 28 }),
})
const time = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 1, max: 59 }), fc.integer({ min: 1, max: 59 }))

/** An attribute that tells when: a date, a date time, a time, or a text with a date in it. */
const telling = fc
  .tuple(fc.constantFrom(...ofVr("DA", "DT", "TM", "LO", "ST", "UT")), day, time, fc.boolean())
  .map(([{ tag, vr }, { y, m, d }, [hour, minute, second], zone]): DataElement => {
    const [date, clock] = [`${y}${two(m)}${two(d)}`, `${two(hour)}${two(minute)}${two(second)}`]
    const value =
      vr === "DA"
        ? date
        : vr === "DT"
          ? `${date}${clock}.25${zone ? "+0200" : ""}`
          : vr === "TM"
            ? clock
            : `of ${y}-${two(m)}-${two(d)}`
    return { tag, vr, value }
  })

const unique = (elements: readonly DataElement[]) => [...new Map(elements.map((one) => [one.tag, one])).values()]
const options = fc.subarray([
  "clean-descriptors",
  "clean-structured-content",
  "clean-graphics",
  "retain-patient-characteristics",
] as const)

/** Every value that tells when, at every depth. */
function whens({ elements }: DataSet, values: Values): string[] {
  return elements.flatMap((element) => {
    if (element.items !== undefined)
      return element.items.flatMap((item) => whens(item, new Values(values.source, item, values.charset)))
    return [DA, DT, TM].includes(element.vr) ? [values.text(element)] : []
  })
}

describe("safe harbor, for anything that tells when", () => {
  it("keeps in images no date finer than its year, and no time of day, in any attribute at any depth", () => {
    fc.assert(
      fc.property(fc.array(telling, { minLength: 1, maxLength: 12 }), options, (elements, asked) => {
        const inner = { tag: "00081250", vr: "SQ", items: [unique(elements)] }
        const bytes = buildPart10(unique([...elements, inner, ...core]), { transferSyntax: "1.2.840.10008.1.2.1" })
        const deidentify = deidentifier({
          options: [...asked, "retain-longitudinal-modified-dates"],
          faces: "refuse",
          legal: "safe-harbor",
        })
        const verdict = deidentify({ header: bytes, size: bytes.length }, { person })
        if (verdict.kind !== "released") throw new Error(JSON.stringify(verdict))
        const { dataSet, source } = parseWhole(Buffer.concat([verdict.prefix, verdict.suffix]))
        for (const text of whens(dataSet, new Values(source, dataSet)))
          expect(text.trim()).toMatch(/^(?:\d{4}0101|\d{4}|1900010[12](?:0{6})?|0{6}|)$/)
        const all = Buffer.from(source.header).toString("latin1")
        for (const { vr, value } of elements)
          if (!["DA", "DT", "TM"].includes(vr)) expect(all).not.toContain((value as string).slice(3))
      }),
      { numRuns: 400 },
    )
  })

  const surrogates = { ...surrogatesOf(new Uint8Array(32).fill(9), "p"), dates: "year" as const }

  it("keeps in reports no date finer than its year, in any form, and nothing that was planted", () => {
    fc.assert(
      fc.property(fc.constantFrom(...dateForms), day, time, (form, { y, m, d }, [hour, minute]) => {
        const text = `Seen on ${form(y, m, d)} at ${hour}:${two(minute)} and again.`
        const { text: cleaned } = deidentifyText(text, { names: [], ids: [], birthDates: [] }, surrogates)
        expect(cleaned).toBe(`Seen on ${y} and again.`)
      }),
      { numRuns: 400 },
    )
    fc.assert(
      fc.property(report, ({ person: who, text, planted }) => {
        const { text: cleaned } = deidentifyText(text, who, surrogates)
        const found = planted.filter((each) =>
          new RegExp(`(?<![\\p{L}\\p{N}])${each.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")}(?![\\p{L}\\p{N}])`, "iu").test(
            cleaned,
          ),
        )
        expect(found, cleaned).toEqual([])
      }),
      { numRuns: 300 },
    )
  })
})
