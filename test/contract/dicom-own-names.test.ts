import { describe, expect, it } from "vitest"
import type { DataElement, ProfileOption } from "../../formats/dicom/index.ts"
import { build, refusal, release, slice, textsOf } from "./dicom-slice.ts"

const of = (tag: string, vr: string, value: string | readonly string[]): DataElement => ({ tag, vr, value })
const patient = (name: string, id = "MRN-4711"): readonly DataElement[] => [
  of("00100010", "PN", name),
  of("00100020", "LO", id),
]
const code = (value: string, scheme: string, meaning: string): readonly DataElement[] => [
  of("00080100", "SH", value),
  of("00080102", "SH", scheme),
  of("00080104", "LO", meaning),
]
const region = (...entry: readonly DataElement[]): DataElement => ({ tag: "00082218", vr: "SQ", items: [entry] })
const texts = (elements: readonly DataElement[], options: readonly ProfileOption[] = []) =>
  textsOf(release(build(slice(...elements)), options))
const verdict = (elements: readonly DataElement[], options: readonly ProfileOption[] = []) =>
  refusal(build(slice(...elements)), options)

describe("a patient's own name in a text that Table E.1-1 passes over", () => {
  it.each([
    ["a content description", "00700081", "LO", "ADC map of Whitfield", "ADC map of ANONYMOUS"],
    ["in another order", "00700081", "LO", "ADC map, MARGUERITE WHITFIELD", "ADC map, ANONYMOUS ANONYMOUS"],
    ["an id", "00700081", "LO", "ADC map 44719022", "ADC map ANONYMOUS"],
    ["an explanation of windows", "00281055", "LO", "Lung for Whitfield", "Lung for ANONYMOUS"],
  ])("is taken out, and the object passes: %s", (_, tag, vr, text, left) => {
    const elements = [...patient("Whitfield^Marguerite", "44719022"), of(tag, vr, text)]
    expect(texts(elements).get(`(${tag.slice(0, 4)},${tag.slice(4)})`)).toBe(left)
  })

  it("is taken out of the values of it, and of no others", () => {
    const elements = [...patient("Whitfield^Marguerite"), of("00281055", "LO", ["Lung", "Whitfield"])]
    expect(texts(elements).get("(0028,1055)")).toBe("Lung\\ANONYMOUS")
  })

  it("is taken out with its accents, in the character set of the text", () => {
    const elements = [
      of("00080005", "CS", "ISO_IR 192"),
      ...patient("Žižkovský^Vojtěch"),
      of("00700081", "LO", "ADC map, zizkovsky; ŽIŽKOVSKÝ"),
    ]
    expect(texts(elements).get("(0070,0081)")).toBe("ADC map, ANONYMOUS; ANONYMOUS")
  })

  it("costs the text where the place is too short for it", () => {
    const elements = [...patient("Li-Bjornsen^Bo"), of("00283003", "LO", "x".repeat(55) + " Bjornsen")]
    const out = texts([{ tag: "00283000", vr: "SQ", items: [[elements[2]!]] }, ...elements.slice(0, 2)])
    expect(out.get("(0028,3000)[0].(0028,3003)")).toBe("ANONYMOUS")
  })

  it("makes a label that is a code string, and a number that is the id, a dummy", () => {
    const whose = patient("Whitfield^Marguerite", "4471902")
    const label = of("00700080", "CS", "WHITFIELD_1")
    const out = texts([...whose, label, of("00201041", "DS", "4471902"), of("00200011", "IS", "4471902")])
    expect(out.get("(0070,0080)")).toBe("ANONYMOUS")
    expect(out.get("(0020,1041)")).toBe("0")
    expect(out.get("(0020,0011)")).toBe("0")
    expect(texts([...whose, of("00700080", "CS", "ARROW_1")]).get("(0070,0080)")).toBe("ARROW_1")
  })

  it("in the value of a site's own code takes that value", () => {
    const elements = [...patient("Whitfield^Marguerite"), region(...code("CT-WHITFIELD", "99SITE", "CT"))]
    expect(texts(elements).get("(0008,2218)[0].(0008,0100)")).toBe("ANONYMOUS")
  })

  it("holds the object in the name of the maker, in code strings, and in codes of published schemes", () => {
    const whose = patient("Whitfield^Marguerite")
    expect(verdict([...whose, of("00080070", "LO", "Scanner of Whitfield")])).toBe("identifier-left")
    expect(verdict([...whose, of("00080008", "CS", ["ORIGINAL", "PRIMARY", "WHITFIELD"])])).toBe("identifier-left")
    expect(verdict([...whose, region(...code("WHITFIELD", "SCT", "Chest"))])).toBe("identifier-left")
    expect(verdict([...whose, region(...code("51185008", "SCT", "Chest of Whitfield"))])).toBe("identifier-left")
  })
})

describe("a description that Table E.1-1 passes over", () => {
  it.each([
    ["a day", "done 03/14/2019, liver"],
    ["a day as machines write it", "liver 20190314"],
    ["a day with its month's name", "12 Mar 2019, liver"],
    ["a phone number", "liver, call (415) 555-0134"],
    ["an address of mail", "liver m.whitfield@mail.example"],
    ["a name after a title", "liver for Dr. Gustafsonby"],
  ])("does not tell %s", (_, text) => {
    const description = of("00700081", "LO", text)
    expect(texts([description]).get("(0070,0081)")).toBe("ANONYMOUS")
    const cleaned = texts([description], ["clean-descriptors"]).get("(0070,0081)")!
    expect(cleaned).toContain("liver")
    expect(cleaned).not.toMatch(/2019|0134|Mar|whitfield|Gustaf/i)
  })

  it("keeps days where true dates stay, and versions of software, which look like days", () => {
    const description = of("00700081", "LO", "liver 20190314")
    expect(texts([description], ["retain-longitudinal-full-dates"]).get("(0070,0081)")).toBe("liver 20190314")
    const software = of("00181020", "LO", "syngo, call (415) 555-0134")
    expect(texts([software]).get("(0018,1020)")).toBe("ANONYMOUS")
    expect(texts([of("00181020", "LO", "1.2.14")]).get("(0018,1020)")).toBe("1.2.14")
  })
})

describe("words of places", () => {
  const places = [of("00080080", "LO", "Tollgate Mercy Hospital"), of("00101040", "LO", "4821 Maple Rd, Brannighan")]
  const device = ["retain-device-identity"] as const

  it("stay neither in what is kept of a device nor in texts that the table passes over", () => {
    const station = texts([...places, of("00081010", "SH", "CT BRANNIGHAN")], device)
    expect(station.has("(0008,1010)")).toBe(false)
    expect(texts([...places, of("00081010", "SH", "CT66231")], device).get("(0008,1010)")).toBe("CT66231")
    const text = of("00700081", "LO", "SUV map, Tollgate")
    expect(texts([...places, text]).get("(0070,0081)")).toBe("SUV map, ANONYMOUS")
    expect(texts([...places, text], ["retain-institution-identity"]).get("(0070,0081)")).toBe("SUV map, Tollgate")
  })

  it("are none in the web address that a program or who made a coding scheme is called by", () => {
    const program = "https://github.com/someone/program.git"
    expect(texts([...patient("Whitfield^M"), of("00081090", "LO", program)]).get("(0008,1090)")).toBe(program)
    const scheme = { tag: "00080110", vr: "SQ", items: [[of("00080102", "SH", "99X"), of("00080116", "ST", program)]] }
    expect(texts([...patient("Whitfield^M"), scheme]).get("(0008,0110)[0].(0008,0116)")).toBe(program)
    expect(texts([...patient("Whitfield^M"), of("00281055", "LO", program)]).get("(0028,1055)")).not.toContain("github")
  })

  it("are no maker's", () => {
    const maker = [of("00080080", "LO", "Siemens Technologies"), of("00080070", "LO", "SIEMENS Technologies")]
    expect(texts(maker).get("(0008,0070)")).toBe("SIEMENS Technologies")
  })
})

describe("a name that is a word", () => {
  it("holds nothing as a code, a published meaning or a term of the standard has it", () => {
    expect(verdict([...patient("Test^Zelindra"), region(...code("TEST", "SCT", "Lung"))])).toBe("released")
    const head = [...patient("HEAD^Long"), of("00180015", "CS", "CHEST"), region(...code("69536005", "SCT", "Head"))]
    expect(verdict(head)).toBe("released")
    expect(texts(head).get("(0008,2218)[0].(0008,0104)")).toBe("Head")
    const li = [...patient("Xu^Ng"), region(...code("X", "SCT", "Ng"))]
    expect(verdict(li)).toBe("released")
  })

  it("holds the object as a site's own scheme or code has it", () => {
    const whose = patient("Test^Zelindra")
    expect(verdict([...whose, region(...code("1", "TEST", "Lung"))])).toBe("identifier-left")
    expect(verdict([...whose, region(...code("TEST", "99LOCAL", "Lung"))])).toBe("identifier-left")
  })

  it("is the maker's where the maker is known", () => {
    const elements = [...patient("Siemens^Philipa"), of("00080070", "LO", "SIEMENS")]
    expect(texts(elements).get("(0008,0070)")).toBe("SIEMENS")
    expect(verdict([...elements.slice(0, 2), of("00080070", "LO", "SIEMENS of Philipa")])).toBe("identifier-left")
  })

  it("does not stay in a text, wherever it stands", () => {
    const elements = [...patient("Barrett^Hope"), of("00700081", "LO", "ADC map Barrett")]
    expect(texts(elements).get("(0070,0081)")).toBe("ADC map ANONYMOUS")
    const both = [...patient("HEAD^Long"), of("00700081", "LO", "Long, Head")]
    expect(texts(both).get("(0070,0081)")).toBe("ANONYMOUS, ANONYMOUS")
    const described = [...patient("Test^Zelindra"), of("0008103E", "LO", "Lung test")]
    expect(texts(described, ["clean-descriptors"]).get("(0008,103E)")).toBe("Lung")
  })
})
