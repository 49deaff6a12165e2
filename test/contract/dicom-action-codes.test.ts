import dictionary from "../../formats/dicom/data/dictionary.json" with { type: "json" }
import table from "../../formats/dicom/data/table-e1-1.json" with { type: "json" }
import { describe, expect, it } from "vitest"
import type { DataElement, ProfileOption } from "../../formats/dicom/index.ts"
import { build, person, release, slice, textsOf } from "./dicom-slice.ts"

/** Option columns of Table E.1-1. */
const columns: Readonly<Record<string, ProfileOption>> = {
  rtnSafePrivOpt: "retain-safe-private",
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
/** A value that says nothing of anybody, is none of the dummies, and that an option that cleans may keep. */
const plain: Readonly<Record<string, string>> = {
  AE: "ARCHIVE1",
  AS: "034Y",
  CS: "FEMALE",
  DA: "20240229",
  DS: "12.5",
  DT: "20240229101500",
  IS: "7",
  LO: "chest",
  LT: "chest",
  PN: "CHEST",
  SH: "chest",
  ST: "chest",
  TM: "101500",
  UC: "chest",
  UI: "1.2.3.4.77",
  UR: "http://chest.example/",
  UT: "chest",
}
/** Rows that decide on the object, or that a slice has anyway, and a capture device's, which is refused. */
const apart = /^(?:0002|00080005|00080018|0020000[DE]|001810(?:1[0-9AB])|0400|FFF|0010001|0010002|00080050|00080201)/

interface Row {
  readonly tag: string
  readonly vr: string
  readonly basic: string
  readonly code: string
}

const rowsOf = (column: string): readonly Row[] =>
  (table.rows as string[][])
    .filter((row) => /^[0-9A-F]{8}$/.test(row[0]!) && row[names.indexOf(column)] !== "")
    .map((row) => ({ tag: row[0]!, vr: vrs.get(row[0]!)!, basic: row[1]!, code: row[names.indexOf(column)]! }))

const testable = ({ tag, vr }: Row): boolean => !apart.test(tag) && (vr in plain || vr === "SQ")
const inner: DataElement = { tag: "00280010", vr: "US", value: 3 }
const element = ({ tag, vr }: Row): DataElement =>
  vr === "SQ" ? { tag, vr, items: [[inner]] } : { tag, vr, value: plain[vr]! }
const pathOf = (tag: string) => `(${tag.slice(0, 4)},${tag.slice(4)})`
const after = (row: Row, options: readonly ProfileOption[]): string | undefined =>
  textsOf(release(build(slice(element(row))), options)).get(pathOf(row.tag))

/** The value inside a sequence: of an item that is kept as it was, of one of dummies 0. */
const insideOf = (row: Row, options: readonly ProfileOption[]): string | undefined => {
  const verdict = release(build(slice(element(row))), options)
  return textsOf(verdict)
    .get(`${pathOf(row.tag)}[0].(0028,0010)`)
    ?.replace("\u0003", "3")
}
/** What becomes of a value that names the patient. */
const told = ({ tag, vr }: Row, option: ProfileOption): string =>
  textsOf(release(build(slice({ tag, vr, value: "JANE DOE" })), [option])).get(pathOf(tag)) ?? ""

type Fate = "absent" | "empty" | "same" | "uid" | "other"
function fateOf(row: Row, now: string | undefined): Fate {
  if (now === undefined) return "absent"
  if (now === "" || now === "0 items") return "empty"
  if (now === person.uid(plain["UI"]!)) return "uid"
  return now === (row.vr === "SQ" ? "1 items" : plain[row.vr]) ? "same" : "other"
}

/** What each action code may come to (PS3.15 Table E.1-1a); of the compound ones by the type in the IOD, see below. */
const allowed: Readonly<Record<string, readonly Fate[]>> = {
  X: ["absent"],
  Z: ["empty"],
  D: ["other"],
  U: ["uid"],
  "X/Z": ["absent", "empty"],
  "X/D": ["absent", "other"],
  "Z/D": ["empty", "other"],
  "X/Z/D": ["absent", "empty", "other"],
  "X/Z/U*": ["absent"],
}

/** Column, code of the basic profile, code of the option: how many rows of the table are put to the test. */
const covered = Object.entries(columns).flatMap(([column, option]) =>
  [...Map.groupBy(rowsOf(column), ({ basic, code }) => `${basic} ${code}`)].map(([codes, rows]) => {
    const [basic, code] = codes.split(" ") as [string, string]
    return { option, basic, code, all: rows.length, rows: rows.filter(testable) }
  }),
)

describe("each option column of Table E.1-1, by the codes of its rows", () => {
  it("has each of its codes under test", () => {
    const untested = covered.filter(({ rows }) => rows.length === 0)
    const told = untested.map(({ option, basic, code }) => `${option} ${basic} ${code}`)
    expect(told).toEqual([])
    // The one row of Retain Safe Private is all private attributes: dicom-safe-private.test.ts.
    const options = new Set([...covered.map(({ option }) => option), "retain-safe-private"])
    expect([...options].sort()).toEqual(Object.values(columns).sort())
    const codes = new Set((table.rows as string[][]).map((row) => row[1]))
    expect([...codes].filter((code) => allowed[code!] === undefined)).toEqual([])
  })

  it.each(covered.filter(({ rows }) => rows.length > 0))(
    "$option: $basic without it ($all rows)",
    ({ basic, rows }) => {
      for (const row of rows) {
        const fate = fateOf(row, after(row, []))
        // A sequence of dummies has an item still; a UID for a UID is a dummy.
        const more: Readonly<Record<string, Fate>> = { SQ: "same", UI: "uid" }
        const fates = [...allowed[basic]!, ...(/[DU]/.test(basic) ? [more[row.vr] ?? "other"] : [])]
        expect(fates, `${row.tag} ${row.vr}`).toContain(fate)
      }
    },
  )

  it.each(covered.filter(({ rows, code }) => rows.length > 0 && code === "K"))(
    "$option: K keeps what $basic would take",
    ({ option, rows }) => {
      for (const row of rows) {
        expect(fateOf(row, after(row, [option])), `${row.tag} ${row.vr}`).toBe("same")
        if (row.vr === "SQ") expect(insideOf(row, [option]), row.tag).toBe("3")
      }
    },
  )

  it.each(covered.filter(({ rows, code }) => rows.length > 0 && code === "C"))(
    "$option: C cleans what $basic would take",
    ({ option, rows }) => {
      for (const row of rows) {
        const now = after(row, [option])
        const where = `${row.tag} ${row.vr}`
        if (row.vr === "DA") expect(now, where).toBe("20230125")
        else if (row.vr === "DT") expect(now, where).toBe("20230125101500")
        else if (row.vr === "AE") expect(fateOf(row, now), where).toBe("other")
        // Names, numbers and addresses have no text to be cleaned: the basic action.
        else if (["PN", "UR", "CS", "UI", "DS", "IS", "AS"].includes(row.vr))
          expect(now, where).not.toMatch(/CHEST|chest/)
        else expect(fateOf(row, now), where).toBe("same")
        if (row.vr === "SQ") expect(insideOf(row, [option]), where).toBe("3")
        if (row.vr === "CS") expect(told(row, option), where).not.toMatch(/JANE/)
      }
    },
  )
})

describe("compound codes, by the attribute's type in the IOD (PS3.3 A.3, A.38, A.21, A.19)", () => {
  const uid = (number: string) => `1.2.840.10008.5.1.4.1.1.${number}`
  const [ct, enhancedCt, pet, structures] = [uid("2"), uid("2.1"), uid("128"), uid("481.3")]
  it.each<[string, string, string, string, string, Fate]>([
    ["X/Z", "3", ct, "00080022", "DA", "absent"],
    ["X/Z", "2", pet, "00080022", "DA", "empty"],
    ["X/D", "3", ct, "00080021", "DA", "absent"],
    ["X/D", "1", pet, "00080021", "DA", "other"],
    ["Z/D", "2C", ct, "00080023", "DA", "empty"],
    ["Z/D", "1", enhancedCt, "00080023", "DA", "other"],
    ["X/Z/D", "3", ct, "00181000", "LO", "absent"],
    ["X/Z/D", "2", structures, "00081070", "PN", "empty"],
    ["X/Z/D", "1", enhancedCt, "00181000", "LO", "other"],
    ["X/Z/D", "1C", enhancedCt, "0008002A", "DT", "other"],
    ["X/Z/U*", "3", ct, "00082112", "SQ", "absent"],
  ])("%s of type %s in %s: %s %s is %s", (basic, _type, sopClass, tag, vr, fate) => {
    const row = { tag, vr, basic, code: "" }
    expect((table.rows as string[][]).find(([known]) => known === tag)?.[1]).toBe(basic)
    const files = slice({ tag: "00080016", vr: "UI", value: sopClass }, element(row))
    const pixels = sopClass === structures ? files.filter((one) => !/^0028|^7FE0/.test(one.tag)) : files
    const out = textsOf(release(build(pixels), []))
    expect(fateOf(row, out.get(pathOf(tag)))).toBe(fate)
  })
})
