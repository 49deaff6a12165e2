import { describe, expect, it } from "vitest"
import { buildPart10, deidentifier, parseWhole, Values } from "../../formats/dicom/index.ts"
import type { DataElement, DataSet, Parsed, ProfileOption } from "../../formats/dicom/index.ts"
import { identifiersIn } from "../../formats/dicom/known-identifiers.ts"
import { rulesFor } from "../../formats/dicom/profile.ts"
import { selfCheck } from "../../formats/dicom/self-check.ts"
import { vrName } from "../../formats/dicom/vr.ts"
import { build, explicitLittle, person, slice, verdictOn } from "./dicom-slice.ts"

const options: readonly ProfileOption[] = ["retain-longitudinal-modified-dates"]
const deflated = "1.2.840.10008.1.2.1.99"

/** A study of Yvonne Quillfeather, with every kind of identifier, at the top and inside. */
const original: readonly DataElement[] = slice(
  { tag: "00080005", vr: "CS", value: "ISO_IR 144" },
  { tag: "00080020", vr: "DA", value: "20240115" },
  { tag: "0008002A", vr: "DT", value: "20240115101112" },
  { tag: "00080050", vr: "SH", value: "ACC-778899" },
  { tag: "00080070", vr: "LO", value: "Acme" },
  { tag: "00080080", vr: "LO", value: "Brannigan Infirmary" },
  { tag: "00080090", vr: "PN", value: "OKONJO^ADA" },
  { tag: "00081030", vr: "LO", value: "CT chest" },
  { tag: "00081140", vr: "SQ", items: [[{ tag: "00081155", vr: "UI", value: "1.2.3.4.99.1" }]] },
  { tag: "00081250", vr: "SQ", items: [[{ tag: "00081090", vr: "LO", value: "Model" }], []] },
  { tag: "00100010", vr: "PN", value: "QUILLFEATHER^YVONNE" },
  { tag: "00100020", vr: "LO", value: "47118221" },
  { tag: "00100030", vr: "DA", value: "19610203" },
  { tag: "00101000", vr: "LO", value: "ALT-5544" },
  { tag: "00101001", vr: "PN", value: "ИВАНОВА^ИРИНА" },
  { tag: "00101002", vr: "SQ", items: [[{ tag: "00100020", vr: "LO", value: "NESTED-9931" }]] },
  { tag: "00101005", vr: "PN", value: "TREVELYAN^YVONNE" },
  { tag: "00101040", vr: "LO", value: "12 Pondicherry Lodge" },
  { tag: "00102154", vr: "SH", value: "+44 20 7946 0991" },
  { tag: "00200052", vr: "UI", value: "1.2.3.4.77" },
  { tag: "00380010", vr: "LO", value: "ADM-7781" },
)

const elements = (parsed: Parsed, dataSet: DataSet, values: Values): DataElement[] =>
  dataSet.elements.map((element) => {
    const tag = element.tag.toString(16).toUpperCase().padStart(8, "0")
    const vr = vrName(element.vr)
    if (element.items === undefined) return { tag, vr, value: Buffer.from(values.bytes(element)) }
    const items = element.items.map((item) => elements(parsed, item, new Values(parsed.source, item, values.charset)))
    return { tag, vr, items }
  })

/** The elements of what is released. */
function releasedElements(syntax: string): readonly DataElement[] {
  const bytes = build(original, syntax)
  const verdict = verdictOn(bytes, options)
  if (verdict.kind !== "released") throw new Error(JSON.stringify(verdict))
  const { prefix, copy } = verdict
  const parsed = parseWhole(Buffer.concat([prefix, bytes.subarray(copy.from, copy.to)]))
  return elements(parsed, parsed.dataSet, new Values(parsed.source, parsed.dataSet))
}

/** What the check finds in a file that took the place of the released one. */
function found(prefix: Uint8Array, summary: object = {}, from: Uint8Array = build(original)): readonly string[] {
  const parsed = parseWhole(from)
  const its = {
    source: parsed.source,
    rules: rulesFor(new Set(options)),
    safePrivate: false,
    cleaning: false,
    dates: "removed" as const,
  }
  const known = identifiersIn(parsed, false, (tag) => its.rules.get(tag)?.option !== undefined)
  return selfCheck(parsed, its, known)({ prefix, copy: { from: 0, to: 0 }, summary })
}

const at = (list: readonly DataElement[], element: DataElement): readonly DataElement[] => [
  ...list.filter(({ tag }) => tag !== element.tag),
  element,
]
/** The element put into the item of a sequence that the output has, or into sequences around it. */
const inside = (list: readonly DataElement[], element: DataElement): readonly DataElement[] =>
  list.map((one) =>
    one.tag === "00081250" ? { ...one, items: [at(one.items![0]!, element), ...one.items!.slice(1)] } : one,
  )
const deep = (element: DataElement, levels: number): DataElement =>
  levels === 0 ? element : { tag: "00081250", vr: "SQ", items: [[deep(element, levels - 1)]] }

/** Original values of the patient. */
const identifiers: Readonly<Record<string, string>> = {
  "family name": "Quillfeather",
  "whole name": "Quillfeather, Yvonne",
  "given name": "YVONNE",
  "birth name": "trevelyan",
  "patient id": "47118221",
  "other id": "ALT-5544",
  "id in an item": "NESTED-9931",
  address: "12 Pondicherry Lodge",
  phone: "+44 20 7946 0991",
  accession: "ACC-778899",
  admission: "ADM-7781",
  "birth date": "19610203",
  "study UID": "1.2.3.4.1",
  "frame of reference": "1.2.3.4.77",
  "a reference": "1.2.3.4.99.1",
}

type Place = (clean: readonly DataElement[], value: string) => readonly DataElement[]
const text =
  (tag: string, vr: string): Place =>
  (clean, value) =>
    at(clean, { tag, vr, value })
/** Where a value may be put back: places that a text fits, whatever it is. */
const places: Readonly<Record<string, Place>> = {
  "a short text off the table": text("00080070", "LO"),
  "a long text": text("00184000", "LT"),
  "an unlimited text": text("00189185", "ST"),
  "the middle of a sentence": (clean, value) => at(clean, { tag: "00189185", vr: "ST", value: `see ${value}, again` }),
  "a second value": (clean, value) => at(clean, { tag: "00181020", vr: "LO", value: `v1\\${value}` }),
  "an item": (clean, value) => inside(clean, { tag: "00081090", vr: "LO", value }),
  "an item of an item of an item": (clean, value) => inside(clean, deep({ tag: "00080070", vr: "LO", value }, 3)),
  bytes: (clean, value) => at(clean, { tag: "00282000", vr: "OB", value: Buffer.from(`\x01\x02${value}\x03`) }),
  words: (clean, value) => at(clean, { tag: "00281201", vr: "OW", value: Buffer.from(`\x01\x02${value}\x03`) }),
  "an unknown value": (clean, value) => at(clean, { tag: "00189073", vr: "UN", value: Buffer.from(value) }),
  "a private attribute": text("00091001", "LO"),
  "a private attribute of an item": (clean, value) => inside(clean, { tag: "00091001", vr: "LO", value }),
  "an attribute of no dictionary": text("00080999", "LO"),
  "an attribute that is to be removed": text("00081084", "LO"),
  "an overlay's comment": text("60004000", "LT"),
  "trailing padding": (clean, value) => at(clean, { tag: "FFFCFFFC", vr: "OB", value: Buffer.from(value) }),
  "file meta information": (clean, value) => at(clean, { tag: "00020013", vr: "SH", value }),
  "private file meta information": (clean, value) =>
    at(clean, { tag: "00020102", vr: "OB", value: Buffer.from(value) }),
  "a title of the sender": text("00020016", "AE"),
}

describe("the self-check", () => {
  const clean = releasedElements(explicitLittle)
  const write = (list: readonly DataElement[], syntax = explicitLittle) => buildPart10(list, { transferSyntax: syntax })

  it("finds nothing in what is released, in any transfer syntax", () => {
    for (const syntax of [explicitLittle, "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", deflated])
      expect(found(write(releasedElements(syntax), syntax), {}, build(original, syntax)), syntax).toEqual([])
  })

  describe.each(Object.entries(identifiers))("an original %s", (_, value) => {
    it.each(Object.entries(places))("put back into %s is found", (_name, place) => {
      expect(found(write(place(clean, value)))).not.toEqual([])
      expect(found(write(place(clean, value), deflated))).not.toEqual([])
    })

    it("is found in the preamble, and in what is told beside the object", () => {
      const bytes = Buffer.from(write(clean))
      bytes.write(value)
      expect(found(bytes)).toContain("preamble")
      expect(found(write(clean), { bodyPart: value })).toEqual(["summary.bodyPart"])
    })
  })

  /** Every value of the original that the profile takes, as it was written. */
  const parsedOriginal = parseWhole(build(original))
  const before = elements(
    parsedOriginal,
    parsedOriginal.dataSet,
    new Values(parsedOriginal.source, parsedOriginal.dataSet),
  )
  const hex = ({ value }: DataElement) => Buffer.from((value ?? []) as Uint8Array).toString("hex")
  const taken = before.filter((was) => {
    const now = clean.find(({ tag }) => tag === was.tag)
    return was.items === undefined && was.tag !== "7FE00010" && (now === undefined || hex(now) !== hex(was))
  })
  it.each(taken.map((one) => [one.tag, one] as const))("%s back at its own place is found", (tag, back) => {
    expect(taken.length).toBeGreaterThan(15)
    expect(found(write(at(clean, back)))).toContain(`(${tag.slice(0, 4)},${tag.slice(4)})`)
  })

  it("finds a name in the bytes of its own character set, where another is stated", () => {
    const bytes = Buffer.concat([Buffer.from("of "), Buffer.from([0xb8, 0xb2, 0xb0, 0xbd, 0xbe, 0xb2, 0xb0])])
    const other = at(at(clean, { tag: "00080005", vr: "CS", value: "ISO_IR 100" }), {
      tag: "00080070",
      vr: "LO",
      value: bytes,
    })
    expect(found(write(other))).toEqual(["(0008,0070)"])
  })

  it.each<[string, BufferEncoding, boolean]>([
    ["UTF-16 little endian", "utf16le", false],
    ["UTF-16 big endian", "utf16le", true],
  ])("finds a name in bytes as %s", (_, encoding, swap) => {
    const word = Buffer.from("Quillfeather", encoding)
    const list = at(clean, { tag: "00282000", vr: "OB", value: swap ? word.swap16() : word })
    expect(found(write(list))).toEqual(["(0028,2000)"])
    const asText = at(clean, { tag: "00189185", vr: "ST", value: swap ? Buffer.from(word) : word })
    expect(found(write(asText))).toEqual(["(0018,9185)"])
  })

  it("finds a name in an element of more than a megabyte", () => {
    const long = Buffer.concat([Buffer.alloc(3 << 20, 0x41), Buffer.from(" Quillfeather ")])
    expect(found(write(at(clean, { tag: "00281201", vr: "OW", value: long })))).toEqual(["(0028,1201)"])
  })

  it("finds a name in a comment segment of an encoded frame", () => {
    const segment = (text: string) => Buffer.concat([Buffer.from([0xff, 0xfe, 0, text.length + 2]), Buffer.from(text)])
    const frame = Buffer.concat([Buffer.from([0xff, 0xd8]), segment("Quillfeather"), Buffer.from([0xff, 0xda, 0, 2])])
    const from = build(
      slice(...original.filter(({ tag }) => tag !== "7FE00010"), { tag: "7FE00010", vr: "OB", fragments: [frame] }),
      "1.2.840.10008.1.2.4.50",
    )
    const parsed = parseWhole(from)
    const its = {
      source: parsed.source,
      rules: rulesFor(new Set(options)),
      safePrivate: false,
      cleaning: false,
      dates: "removed" as const,
    }
    const check = selfCheck(
      parsed,
      its,
      identifiersIn(parsed, false, () => false),
    )
    const pixels = parsed.dataSet.elements.at(-1)!
    const copy = { from: pixels.start, to: pixels.end }
    expect(check({ prefix: write(clean), copy, summary: {} })).toContain("(7FE0,0010)")
  })

  it("quarantines the object, by the way of every caller", () => {
    const broken = deidentifier({ options, faces: "refuse" })
    const header = build(original)
    // A pseudonym that is the patient's own id is the plainest mistake that a caller can make.
    const verdict = broken({ header, size: header.length }, { person: { ...person, patientId: () => "47118221" } })
    expect(verdict).toEqual({ kind: "refused", reason: "identifier-left", path: "(0010,0020)" })
  })
})
