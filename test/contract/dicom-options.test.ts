import table from "../../formats/dicom/data/table-e1-1.json" with { type: "json" }
import dictionary from "../../formats/dicom/data/dictionary.json" with { type: "json" }
import { describe, expect, it } from "vitest"
import { parseWhole, profileOptions } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"
import { build, person, refusal, release, slice, textsOf } from "./dicom-slice.ts"

type Option = (typeof profileOptions)[number]

/** Option columns of Table E.1-1 as the table names them. */
const columns: Readonly<Record<string, Option>> = {
  rtnUIDsOpt: "retain-uids",
  rtnDevIdOpt: "retain-device-identity",
  rtnInstIdOpt: "retain-institution-identity",
  rtnPatCharsOpt: "retain-patient-characteristics",
  rtnLongFullDatesOpt: "retain-longitudinal-full-dates",
  rtnLongModifDatesOpt: "retain-longitudinal-modified-dates",
  cleanDescOpt: "clean-descriptors",
  cleanStructContOpt: "clean-structured-content",
  cleanGraphOpt: "clean-graphics",
}
const names = table.columns.split(", ")
const vrs = new Map((dictionary.rows as string[][]).map(([tag, vr]) => [tag!, vr!]))

/** A value that says nothing of anybody, as the VR has it. */
const plain: Readonly<Record<string, string | number>> = {
  AE: "ARCHIVE1",
  AS: "034Y",
  CS: "FEMALE",
  DA: "20240229",
  DS: "12.5",
  DT: "20240229101500",
  IS: "7",
  LO: "chest",
  LT: "chest",
  SH: "chest",
  ST: "chest",
  TM: "101500",
  UC: "chest",
  UI: "1.2.3.4.77",
  US: 1,
  UT: "chest",
}

interface Case {
  readonly option: Option
  readonly tag: string
  readonly vr: string
}

/** Rows of a column with an action, those whose attributes a slice has anyway or that decide on the object apart. */
function rowsOf(column: string, action: string): readonly Case[] {
  const at = names.indexOf(column)
  const others = new Set([
    "00180010",
    "00080018",
    "0020000D",
    "0020000E",
    "00080201",
    "04000600",
    "00181012",
    "00181014",
  ])
  return (table.rows as string[][])
    .filter(
      (row) => row[at] === action && /^[0-9A-F]{8}$/.test(row[0]!) && row[0]! > "00080005" && !others.has(row[0]!),
    )
    .map((row) => ({ option: columns[column]!, tag: row[0]!, vr: vrs.get(row[0]!)! }))
    .filter(({ vr }) => vr in plain)
}
const pathOf = (tag: string) => `(${tag.slice(0, 4)},${tag.slice(4)})`
const element = ({ tag, vr }: Case, value = plain[vr]!): DataElement => ({ tag, vr, value })

/** The value of an attribute after de-identification; of numbers their bytes. */
function after(one: Case, options: readonly Option[], value?: string): string | undefined {
  const bytes = build(slice(element(one, value)))
  return textsOf(release(bytes, options)).get(pathOf(one.tag))
}

const ofAttributes = Object.entries(columns).filter(([, option]) => !/structured|graphics/.test(option))
describe.each(ofAttributes)("column %s of Table E.1-1", (column, option) => {
  const kept = rowsOf(column, "K")
  const cleaned = rowsOf(column, "C")

  if (kept.length > 0)
    it("K: keeps each attribute as it is, and the basic action is another", () => {
      for (const one of kept) {
        const [before] = [textsOf(build(slice(element(one)))).get(pathOf(one.tag))]
        expect(after(one, [option]), one.tag).toBe(before)
        expect(after(one, []), one.tag).not.toBe(before)
      }
    })

  if (cleaned.length > 0)
    it("C: keeps what is harmless in each attribute, in its way", () => {
      for (const one of cleaned.filter(({ vr }) => vr !== "CS")) {
        const now = after(one, [option])
        if (one.vr === "DA") expect(now, one.tag).toBe("20230125")
        else if (one.vr === "DT") expect(now, one.tag).toBe("20230125101500")
        else if (one.vr === "AE") expect(now, one.tag).toBe(person.identifier("application-entity", "ARCHIVE1"))
        else expect(now, one.tag).toBe(plain[one.vr])
      }
    })

  if (cleaned.some(({ vr }) => /^(?:LO|SH|ST|LT|UT|UC)$/.test(vr)))
    it("C: takes out what identifies, everywhere", () => {
      for (const one of cleaned.filter(({ vr }) => /^(?:LO|SH|ST|LT|UT|UC)$/.test(vr)))
        expect(after(one, [option], "chest of Jane Doe"), one.tag).toBe("chest of")
    })
})

describe("options together", () => {
  it("C wins over K: a calibration date is shifted where devices are kept and dates modified", () => {
    const one = { option: "retain-device-identity", tag: "00181200", vr: "DA" } as const
    expect(after(one, ["retain-device-identity"])).toBe("20240229")
    expect(after(one, ["retain-device-identity", "retain-longitudinal-modified-dates"])).toBe("20230125")
  })

  it("full and modified dates exclude each other", () => {
    expect(() =>
      release(build(slice()), ["retain-longitudinal-full-dates", "retain-longitudinal-modified-dates"]),
    ).toThrow(/exclude each other/)
  })

  it("say their codes of CID 7050, and 0028,0303 what became of dates", () => {
    const codes: Readonly<Record<Option, string>> = {
      "retain-safe-private": "113111",
      "retain-uids": "113110",
      "retain-device-identity": "113109",
      "retain-institution-identity": "113112",
      "retain-patient-characteristics": "113108",
      "retain-longitudinal-full-dates": "113106",
      "retain-longitudinal-modified-dates": "113107",
      "clean-descriptors": "113105",
      "clean-structured-content": "113104",
      "clean-graphics": "113103",
      "clean-recognizable-visual-features": "113102",
      "clean-pixel-data": "113101",
    }
    for (const option of profileOptions) {
      const out = textsOf(release(build(slice()), [option]))
      expect(out.get("(0012,0064)[0].(0008,0100)")).toBe("113100")
      expect(out.get("(0012,0064)[1].(0008,0100)"), option).toBe(codes[option])
      expect(out.get("(0012,0062)")).toBe("YES")
      const dates = { full: "UNMODIFIED", modified: "MODIFIED" }[/(full|modified)-dates/.exec(option)?.[1] as "full"]
      expect(out.get("(0028,0303)"), option).toBe(dates ?? "REMOVED")
    }
  })

  it("the birth date goes whatever dates are kept, in every format", () => {
    for (const option of ["retain-longitudinal-full-dates", "retain-longitudinal-modified-dates"] as const) {
      const out = textsOf(
        release(
          build(
            slice(
              { tag: "00100030", vr: "DA", value: "19500101" },
              { tag: "00100032", vr: "TM", value: "0815" },
              { tag: "00100033", vr: "LO", value: "Showa 25" },
            ),
          ),
          [option, "retain-patient-characteristics"],
        ),
      )
      expect(out.get("(0010,0030)")).toBe("")
      expect(out.has("(0010,0032)")).toBe(false)
      expect(out.has("(0010,0033)")).toBe(false)
    }
  })

  it("what an option keeps takes the basic action where it names the person", () => {
    const institution = { tag: "00080080", vr: "LO", value: "Practice of Dr. Doe" }
    const out = textsOf(release(build(slice(institution)), ["retain-institution-identity"]))
    expect(out.get("(0008,0080)")).toBeUndefined()
  })
})

describe("an action that depends on the attribute's type in the IOD", () => {
  const of = (sopClass: string, ...more: readonly DataElement[]) =>
    textsOf(release(build(slice({ tag: "00080016", vr: "UI", value: sopClass }, ...more)), []))
  const enhancedCt = "1.2.840.10008.5.1.4.1.1.2.1"
  const ct = "1.2.840.10008.5.1.4.1.1.2"

  it("Z/D: Content Date is of type 1 in multi-frame objects, 2C in a CT image", () => {
    const date: DataElement = { tag: "00080023", vr: "DA", value: "20240229" }
    expect(of(enhancedCt, date).get("(0008,0023)")).toBe("19000101")
    expect(of(ct, date).get("(0008,0023)")).toBe("")
  })

  it("X/Z/U*: references in functional groups stay, mapped", () => {
    const source: DataElement = { tag: "00082112", vr: "SQ", items: [[{ tag: "00081155", vr: "UI", value: "1.2.9" }]] }
    const groups: DataElement = {
      tag: "52009230",
      vr: "SQ",
      items: [[{ tag: "00089124", vr: "SQ", items: [[source]] }]],
    }
    expect(of(enhancedCt, groups).get("(5200,9230)[0].(0008,9124)[0].(0008,2112)[0].(0008,1155)")).toBe(
      person.uid("1.2.9"),
    )
    expect(of(ct, source).has("(0008,2112)")).toBe(false)
  })

  it("X/D: an SR item's Observation DateTime is of type 1C", () => {
    const items: DataElement = {
      tag: "0040A730",
      vr: "SQ",
      items: [
        [
          { tag: "0040A032", vr: "DT", value: "20240229" },
          { tag: "0040A160", vr: "UT", value: "normal" },
        ],
      ],
    }
    const sr = slice({ tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.88.33" }, items, {
      tag: "7FE00010",
      vr: "OW",
    })
    const out = textsOf(release(build(sr), ["clean-structured-content"]))
    expect(out.get("(0040,A730)[0].(0040,A032)")).toBe("19000101000000")
    expect(refusal(build(sr), [])).toBe("structured-report")
  })
})

describe("an attribute that no table knows", () => {
  it("stays byte for byte where it is the standard's, and goes, counted, where it is nobody's", () => {
    const bytes = build(
      slice(
        { tag: "00189073", vr: "FD", value: 1.5 },
        { tag: "00080999", vr: "LO", value: "x" },
        { tag: "00280106", vr: "US", value: 3 },
      ),
    )
    const out = parseWhole(release(bytes, []))
    const before = parseWhole(bytes)
    for (const tag of [0x00189073, 0x00280106]) {
      const [a, b] = [before, out].map(({ dataSet, source }) => {
        const one = dataSet.elements.find((element) => element.tag === tag)!
        return Buffer.from(source.bytes(one.start, one.end)).toString("hex")
      })
      expect(b).toBe(a)
    }
    expect(out.dataSet.elements.some(({ tag }) => tag === 0x00080999)).toBe(false)
  })

  it("overlays and curves go as a whole (repeating groups)", () => {
    const out = parseWhole(
      release(
        build(
          slice(
            { tag: "60020010", vr: "US", value: 2 },
            { tag: "60023000", vr: "OW", value: [1, 2] },
            { tag: "60024000", vr: "LT", value: "Jane Doe" },
            { tag: "50020005", vr: "US", value: 2 },
            { tag: "50023000", vr: "OW", value: [1, 2] },
          ),
        ),
        [],
      ),
    )
    expect(out.dataSet.elements.filter(({ tag }) => tag >>> 24 === 0x50 || tag >>> 24 === 0x60)).toEqual([])
  })
})
