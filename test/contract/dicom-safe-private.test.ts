import { describe, expect, it } from "vitest"
import type { DataElement } from "../../formats/dicom/index.ts"
import { build, person, release, slice, textsOf, verdictOn } from "./dicom-slice.ts"

const safe = ["retain-safe-private"] as const
const shifted = ["retain-safe-private", "retain-longitudinal-modified-dates"] as const
const implicit = "1.2.840.10008.1.2"

const creator = (tag: string, value: string): DataElement => ({ tag, vr: "LO", value })
const ge = creator("00430010", "GEMS_PARM_01")
const texts = (
  elements: readonly DataElement[],
  options: readonly (typeof shifted)[number][] = safe,
  syntax?: string,
) => textsOf(release(build(slice(...elements), syntax), options))

describe("Retain Safe Private", () => {
  it("keeps what its creator's table calls safe, removes all else of the block, and counts both", () => {
    const bytes = build(
      slice(ge, { tag: "00431034", vr: "IS", value: "7" }, { tag: "004310FE", vr: "LO", value: "Dr. Roe" }),
    )
    const out = textsOf(release(bytes, safe))
    expect(out.get("(0043,0010)")).toBe("GEMS_PARM_01")
    expect(out.get("(0043,1034)")).toBe("7")
    expect(out.has("(0043,10FE)")).toBe(false)
    const verdict = verdictOn(bytes, safe)
    expect(verdict.kind === "released" && verdict.report.counts).toMatchObject({ keptPrivate: 2, removedPrivate: 1 })
    expect([...textsOf(release(bytes, [])).keys()].some((path) => path.startsWith("(0043"))).toBe(false)
  })

  it("keeps a code of which a table removes only what came without a VR", () => {
    const out = texts([
      creator("20010010", "Philips Imaging DD 001"),
      { tag: "2001100B", vr: "CS", value: "TRANSVERSAL" },
    ])
    expect(out.get("(2001,100B)")).toBe("TRANSVERSAL")
  })

  it("goes by the creator, wherever its block lies", () => {
    const out = texts([creator("004300E7", "GEMS_PARM_01"), { tag: "0043E734", vr: "IS", value: "7" }])
    expect(out.get("(0043,E734)")).toBe("7")
  })

  it.each<[string, readonly DataElement[]]>([
    ["without creator", [{ tag: "00431034", vr: "IS", value: "7" }]],
    ["of an unknown creator", [creator("00430010", "ACME"), { tag: "00431034", vr: "IS", value: "7" }]],
    [
      "in a block that another has reserved",
      [creator("00430011", "GEMS_PARM_01"), { tag: "00431034", vr: "IS", value: "7" }],
    ],
    ["whose creator is empty", [creator("00430010", ""), { tag: "00431034", vr: "IS", value: "7" }]],
    ["below the blocks", [ge, { tag: "00430034", vr: "IS", value: "7" }, { tag: "00430001", vr: "IS", value: "7" }]],
  ])("removes attributes %s, and creators of which nothing is kept", (_, elements) => {
    expect([...texts(elements).keys()].filter((path) => path.startsWith("(0043"))).toEqual([])
  })

  it.each<[string, DataElement]>([
    ["a date in a text", { tag: "004310AA", vr: "LO", value: "scan of 20240229" }],
    ["a UID in a text", { tag: "004310AA", vr: "LO", value: "of 2.16.840.1.113883.9.8.7" }],
    ["the person", { tag: "004310AA", vr: "LO", value: "for doe" }],
    ["a social security number", { tag: "004310AA", vr: "LO", value: "of 123-45-6789" }],
    ["a name with a title", { tag: "004310AA", vr: "LO", value: "for Dr. Roe" }],
    ["a place of the object", { tag: "004310AA", vr: "LO", value: "Brannighan site" }],
    ["the person, misspelt", { tag: "00431027", vr: "SH", value: "778898" }],
    ["a name by its VR", { tag: "00431034", vr: "PN", value: "ROE^MAX" }],
    ["a text instead of a number", { tag: "00431034", vr: "IS", value: "Roe" }],
    ["a number that is a date", { tag: "00431034", vr: "IS", value: "20240229" }],
    ["readable bytes", { tag: "0043108B", vr: "OB", value: Buffer.from("\0\u0001Max Roe, Main St.\0") }],
    ["an age", { tag: "00431034", vr: "AS", value: "034Y" }],
  ])("removes what is called safe but is %s", (_, element) => {
    const institution = { tag: "00080080", vr: "LO", value: "Brannighan Clinic" }
    expect(texts([ge, institution, element]).has(`(0043,${element.tag.slice(4)})`)).toBe(false)
  })

  it("maps UIDs, shifts dates, and removes dates where dates are removed", () => {
    const elements = [
      creator("20050010", "PHILIPS MR IMAGING DD 005"),
      { tag: "20051036", vr: "UI", value: "1.2.3.4.1" },
      creator("00710010", "SIEMENS MED PT"),
      { tag: "00711022", vr: "DT", value: "20240229101500.5" },
    ]
    const out = texts(elements, shifted)
    expect(out.get("(2005,1036)")).toBe(person.uid("1.2.3.4.1"))
    expect(out.get("(0071,1022)")).toBe("20230125101500.5")
    expect(texts(elements).has("(0071,1022)")).toBe(false)
  })

  it("reads sequences inside, also where no VR is written, and standard attributes in them by their own rules", () => {
    const inner: readonly DataElement[] = [
      { tag: "00100010", vr: "PN", value: "DOE^JANE" },
      { tag: "00081155", vr: "UI", value: "1.2.3.4.1" },
      creator("00290010", "MMCPRIVATE"),
      { tag: "00291031", vr: "SQ", items: [[{ tag: "00081155", vr: "UI", value: "1.2.3.4.2" }]] },
      { tag: "002910FE", vr: "LO", value: "Jane Doe" },
    ]
    for (const syntax of [undefined, implicit]) {
      const out = texts(
        [creator("00290010", "MMCPRIVATE"), { tag: "00291031", vr: "SQ", items: [inner] }],
        safe,
        syntax,
      )
      expect(out.get("(0029,1031)[0].(0010,0010)")).toBe(person.patientName())
      expect(out.get("(0029,1031)[0].(0008,1155)")).toBe(person.uid("1.2.3.4.1"))
      expect(out.get("(0029,1031)[0].(0029,1031)[0].(0008,1155)")).toBe(person.uid("1.2.3.4.2"))
      expect(out.has("(0029,1031)[0].(0029,10FE)")).toBe(false)
    }
  })

  it("is the same in implicit VR, where the creator's table says the VR", () => {
    const elements = [ge, { tag: "00431034", vr: "IS", value: "7" }, { tag: "004310AA", vr: "LO", value: "20240229" }]
    const out = texts(elements, safe, implicit)
    expect(out.get("(0043,1034)")).toBe("7")
    expect(out.has("(0043,10AA)")).toBe(false)
  })

  it("keeps private attributes in items of standard sequences by the creators of the item", () => {
    const item = [ge, { tag: "00431034", vr: "IS", value: "7" }]
    const out = texts([{ tag: "00081250", vr: "SQ", items: [item, [item[1]!]] }])
    expect(out.get("(0008,1250)[0].(0043,1034)")).toBe("7")
    expect(out.has("(0008,1250)[1].(0043,1034)")).toBe(false)
  })

  it("takes no longer for many creators than for many elements", () => {
    const many: DataElement[] = []
    for (let group = 0x0101; group < 0x0101 + 2 * 40; group += 2)
      for (let block = 0x10; block < 0x10 + 100; block++) {
        const hex = (value: number, width: number) => value.toString(16).padStart(width, "0").toUpperCase()
        many.push(creator(`${hex(group, 4)}00${hex(block, 2)}`, "GEMS_PARM_01"))
        many.push({ tag: `${hex(group, 4)}${hex(block, 2)}34`, vr: "IS", value: "7" })
      }
    const bytes = build(slice(...many))
    const started = performance.now()
    release(bytes, safe)
    expect(performance.now() - started).toBeLessThan(2000)
  })
})
