import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it, vi } from "vitest"
import { convert, isUnit } from "../../formats/ucum/index.ts"

const file = join(process.env["WEIR_TEST_DATA"] ?? "../shared/data", "ucum/UcumFunctionalTests.xml")
const absent = !existsSync(file)
if (absent) console.warn("skipped: the UCUM functional tests are not in the test data")

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" }
const decode = (text: string) => text.replace(/&(\w+);/g, (whole, name: string) => entities[name] ?? whole)

/** The cases of one section, comments taken out. */
function cases(section: string): Record<string, string>[] {
  const xml = readFileSync(file, "utf8").replace(/<!--[\s\S]*?-->/g, "")
  const body = new RegExp(`<${section}>([\\s\\S]*?)</${section}>`).exec(xml)![1]!
  return [...body.matchAll(/<case ([^>]*?)\/?>/g)].map((found) =>
    Object.fromEntries([...found[1]!.matchAll(/(\w+)="([^"]*)"/g)].map((part) => [part[1]!, decode(part[2]!)])),
  )
}

const significant = (text: string) =>
  text
    .replace(/e.*$/i, "")
    .replace(/[^0-9]/g, "")
    .replace(/^0+/, "").length

describe.skipIf(absent)("UCUM functional tests (shared data)", () => {
  it("all 529 validations: a unit is valid exactly when the table says so", () => {
    const table = cases("validation")
    expect(table).toHaveLength(529)
    const wrong = table.filter(({ unit, valid }) => String(isUnit(unit!)) !== valid).map(({ id }) => id)
    expect(wrong).toEqual([])
  })

  it("all conversions, to the digits that the table states", () => {
    const table = cases("conversion")
    expect(table.length).toBeGreaterThanOrEqual(30)
    for (const { id, value, srcUnit, dstUnit, outcome } of table) {
      const result = convert(Number(value), srcUnit!, dstUnit!)
      const stated = Number(outcome)
      const digits = Math.min(significant(outcome!), 10)
      expect("value" in result ? Number(result.value.toPrecision(digits)) : result, id).toBe(
        Number(stated.toPrecision(digits)),
      )
    }
  })
})

describe("units", () => {
  it("mass and amount of substance convert only by a declared molar mass", () => {
    expect(convert(132.6, "umol/L", "mg/dL")).toEqual({ fault: "incommensurable" })
    expect(convert(132.6, "umol/L", "mg/dL", 113.12)).toEqual({ value: 1.4999712 })
    expect(convert(1.5, "mg/dL", "umol/L", 113.12)).toEqual({ value: 132.602545969 })
  })

  it("special and arbitrary units", () => {
    expect(convert(37, "Cel", "[degF]")).toEqual({ value: 98.6 })
    expect(convert(1, "[iU]/L", "U/L")).toEqual({ fault: "incommensurable" })
    expect(convert(1, "10*3/uL", "10*9/L")).toEqual({ value: 1 })
  })

  it("text that is no code is no unit, and none of it is printed", () => {
    const print = vi.spyOn(console, "log")
    for (const text of ["", "foo bar", "Gauss", "mg per dl", "(", "m".repeat(101), "{|}1", "µg/L"])
      expect(convert(1, text, "g"), text).toEqual({ fault: "unit-invalid" })
    expect(convert(1, "g", "m")).toEqual({ fault: "incommensurable" })
    expect(print).not.toHaveBeenCalled()
  })
})
