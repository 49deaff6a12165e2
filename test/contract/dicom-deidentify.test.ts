import { inflateRawSync } from "node:zlib"
import { describe, expect, it } from "vitest"
import {
  buildPart10,
  deidentifier,
  findIdentifiers,
  parseWhole,
  seriesRisk,
  summarize,
  tagText,
  Values,
} from "../../formats/dicom/index.ts"
import type { DataElement, DataSet, Parsed, Policy, Pseudonyms, Released } from "../../formats/dicom/index.ts"

const person: Pseudonyms = {
  patientId: () => "pseudonympseudonympseudony",
  patientName: () => "pseudonympseudonympseudony",
  uid: (uid) => `2.25.${BigInt(`0x${Buffer.from(uid).toString("hex")}`) % 10n ** 38n}`,
  accession: (value, issuer) => `A${value.length}I${issuer.length}`.padEnd(16, "X"),
  identifier: (namespace, value) => `ID-${namespace.length}-${value.length}`,
  shiftDays: 400,
}

const ct = "1.2.840.10008.5.1.4.1.1.2"
const explicitLittle = "1.2.840.10008.1.2.1"
const syntaxes = {
  "explicit little endian": explicitLittle,
  "implicit little endian": "1.2.840.10008.1.2",
  "explicit big endian": "1.2.840.10008.1.2.2",
  "deflated explicit little endian": "1.2.840.10008.1.2.1.99",
}

/** A CT slice of the chest; elements given replace those of the same tag, those without value or items are left out. */
function slice(...changes: readonly DataElement[]): readonly DataElement[] {
  const base: readonly DataElement[] = [
    { tag: "00080008", vr: "CS", value: ["ORIGINAL", "PRIMARY", "AXIAL"] },
    { tag: "00080016", vr: "UI", value: ct },
    { tag: "00080018", vr: "UI", value: "1.2.3.4.5" },
    { tag: "00080020", vr: "DA", value: "20240229" },
    { tag: "00080050", vr: "SH", value: "ACC-778899" },
    { tag: "00080060", vr: "CS", value: "CT" },
    { tag: "00080070", vr: "LO", value: "Weir Imaging" },
    { tag: "00100010", vr: "PN", value: "DOE^JANE" },
    { tag: "00100020", vr: "LO", value: "MRN-4711" },
    { tag: "00180015", vr: "CS", value: "CHEST" },
    { tag: "0020000D", vr: "UI", value: "1.2.3.4.1" },
    { tag: "0020000E", vr: "UI", value: "1.2.3.4.2" },
    { tag: "00280002", vr: "US", value: 1 },
    { tag: "00280004", vr: "CS", value: "MONOCHROME2" },
    { tag: "00280010", vr: "US", value: 2 },
    { tag: "00280011", vr: "US", value: 2 },
    { tag: "00280100", vr: "US", value: 16 },
    { tag: "7FE00010", vr: "OW", value: [1, 2, 3, 4] },
  ]
  const changed = new Set(changes.map(({ tag }) => tag))
  return [
    ...base.filter(({ tag }) => !changed.has(tag)),
    ...changes.filter(({ value, items, fragments }) => (value ?? items ?? fragments) !== undefined),
  ]
}

const build = (elements: readonly DataElement[], transferSyntax = explicitLittle) =>
  buildPart10(elements, { transferSyntax })

function verdictOf(bytes: Uint8Array, policy: Partial<Policy> = {}, who: Pseudonyms | undefined = person) {
  const run = deidentifier({ options: [], faces: "refuse", ...policy })
  return run({ header: bytes, size: bytes.length }, { person: who })
}

function joined(input: Uint8Array, { prefix, copy, suffix }: Released): Uint8Array {
  return Buffer.concat([prefix, input.subarray(copy.from, copy.to), suffix])
}

function release(
  bytes: Uint8Array,
  policy: Partial<Policy> = {},
): { readonly out: Uint8Array; readonly verdict: Released } {
  const verdict = verdictOf(bytes, policy)
  if (verdict.kind !== "released") throw new Error(JSON.stringify(verdict))
  return { out: joined(bytes, verdict), verdict }
}

/** All texts of a data set, by path. */
function texts(parsed: Parsed, dataSet: DataSet = parsed.dataSet, path = ""): Map<string, string> {
  const values = new Values(parsed.source, dataSet)
  const found = new Map<string, string>()
  for (const element of dataSet.elements) {
    const here = path + tagText(element.tag)
    if (element.items === undefined) found.set(here, values.text(element))
    else found.set(here, `${element.items.length} items`)
    element.items?.forEach((item, index) => {
      for (const [inner, text] of texts(parsed, item, `${here}[${index}].`)) found.set(inner, text)
    })
  }
  return found
}

const released = (elements: readonly DataElement[], policy: Partial<Policy> = {}, syntax = explicitLittle) =>
  texts(parseWhole(release(build(elements, syntax), policy).out))

const reason = (elements: readonly DataElement[], policy: Partial<Policy> = {}, syntax = explicitLittle) => {
  const verdict = verdictOf(build(elements, syntax), policy)
  return verdict.kind === "refused" ? verdict.reason : verdict.kind
}

const dates: Partial<Policy> = { options: ["retain-longitudinal-modified-dates"] }
const characteristics: Partial<Policy> = { options: ["retain-patient-characteristics"] }

describe("the basic profile (PS3.15 Table E.1-1)", () => {
  it("puts the person's pseudonym into Patient ID and Patient's Name, also where they were missing", () => {
    for (const elements of [slice(), slice({ tag: "00100010", vr: "PN" }, { tag: "00100020", vr: "LO" })]) {
      const out = released(elements)
      expect(out.get("(0010,0010)")).toBe(person.patientName())
      expect(out.get("(0010,0020)")).toBe(person.patientId())
    }
  })

  it("maps UIDs, keeps registered ones, and writes the new SOP Instance UID into the file meta information", () => {
    const bytes = build(
      slice(
        { tag: "00200052", vr: "UI", value: "1.2.840.10008.1.4.1.1" },
        { tag: "00081115", vr: "SQ", items: [[{ tag: "0020000E", vr: "UI", value: "1.2.3.4.2" }]] },
        { tag: "00080117", vr: "UI", value: "1.2.840.10008.6.1.308" },
      ),
    )
    const { out, verdict } = release(bytes)
    const parsed = parseWhole(out)
    const all = texts(parsed)
    expect(all.get("(0008,0018)")).toBe(person.uid("1.2.3.4.5"))
    expect(all.get("(0008,1115)[0].(0020,000E)")).toBe(all.get("(0020,000E)"))
    expect(all.get("(0008,0016)")).toBe(ct)
    expect(all.get("(0020,0052)")).toBe("1.2.840.10008.1.4.1.1")
    expect(all.get("(0008,0117)")).toBe("1.2.840.10008.6.1.308")
    expect(texts(parsed, parsed.meta).get("(0002,0003)")).toBe(person.uid("1.2.3.4.5"))
    expect(verdict.summary.sopInstanceUid).toBe(person.uid("1.2.3.4.5"))
  })

  it("gives accession numbers their pseudonym by issuer, at every depth, and leaves empty ones empty", () => {
    const out = released(
      slice(
        { tag: "00080051", vr: "SQ", items: [[{ tag: "00400031", vr: "UT", value: "HOSP" }]] },
        { tag: "00081111", vr: "SQ" },
        {
          tag: "00081250",
          vr: "SQ",
          items: [[{ tag: "00080050", vr: "SH", value: "ACC-778899" }], [{ tag: "00080050", vr: "SH", value: "" }]],
        },
      ),
    )
    expect(out.get("(0008,0050)")).toBe(person.accession("ACC-778899", "HOSP"))
    expect(out.get("(0008,1250)[0].(0008,0050)")).toBe(person.accession("ACC-778899", ""))
    expect(out.get("(0008,1250)[1].(0008,0050)")).toBe("")
  })

  it("resolves X/Z, X/D and the like by the attribute's type in the object's IOD", () => {
    const extra: DataElement[] = [
      { tag: "00180010", vr: "LO", value: "Contrast by Dr. Doe" },
      { tag: "00181000", vr: "LO", value: "SN-0815" },
      { tag: "00081110", vr: "SQ", items: [[{ tag: "00081155", vr: "UI", value: "1.2.9" }]] },
      { tag: "00400555", vr: "SQ", items: [[{ tag: "0040A040", vr: "CS", value: "TEXT" }]] },
    ]
    const plain = released(slice(...extra))
    expect(plain.get("(0018,0010)")).toBe("")
    expect(plain.has("(0018,1000)")).toBe(false)
    expect(plain.has("(0008,1110)")).toBe(false)
    const enhanced = released(slice({ tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.2.1" }, ...extra))
    expect(enhanced.get("(0018,1000)")).toBe("ANONYMOUS")
    expect(enhanced.get("(0040,0555)")).toBe("0 items")
  })

  it("keeps references of type 1 with mapped UIDs (X/Z/U*), removes those of type 3", () => {
    const reference: DataElement = {
      tag: "00082112",
      vr: "SQ",
      items: [[{ tag: "00081155", vr: "UI", value: "1.2.9" }]],
    }
    expect(released(slice(reference)).has("(0008,2112)")).toBe(false)
    const contributing: DataElement = { tag: "00189507", vr: "SQ", items: [[reference]] }
    const craniofacial = released(
      slice({ tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.13.1.2" }, contributing),
    )
    expect([...craniofacial.entries()].filter(([path]) => path.endsWith("(0008,1155)"))).toEqual([
      ["(0018,9507)[0].(0008,2112)[0].(0008,1155)", person.uid("1.2.9")],
    ])
  })

  it("leaves nothing of a sequence that must stay but may not say anything (D) except its form", () => {
    const out = released(
      slice({
        tag: "00401101",
        vr: "SQ",
        items: [
          [
            { tag: "00080100", vr: "SH", value: "D-4711" },
            { tag: "00080104", vr: "LO", value: "Doe, Jane" },
          ],
          [{ tag: "00080104", vr: "LO", value: "Roe, Max" }],
        ],
      }),
    )
    expect(out.get("(0040,1101)")).toBe("1 items")
    expect(out.get("(0040,1101)[0].(0008,0104)")).toBe("ANONYMOUS")
    expect([...out.values()].some((text) => /Doe|Roe|4711/.test(text))).toBe(false)
  })

  it("removes private attributes and what neither table nor dictionary knows, and counts them, at every depth", () => {
    const hidden: DataElement[] = [
      { tag: "00090010", vr: "LO", value: "ACME" },
      { tag: "00091001", vr: "UN", value: Buffer.from("DOE^JANE") },
      { tag: "00080999", vr: "LO", value: "Jane Doe" },
    ]
    const { out, verdict } = release(build(slice(...hidden, { tag: "00081250", vr: "SQ", items: [hidden] })))
    expect(Buffer.from(out).toString("latin1")).not.toMatch(/DOE|Doe|ACME/)
    expect(verdict.report.counts).toMatchObject({ removedPrivate: 4, removedUnknown: 2 })
  })

  it("removes group lengths, digital signatures, trailing padding and encrypted originals", () => {
    const out = released(
      slice(
        { tag: "00080000", vr: "UL", value: 4711 },
        { tag: "04000500", vr: "SQ", items: [[{ tag: "04000520", vr: "OB", value: Buffer.from("secret") }]] },
        { tag: "FFFAFFFA", vr: "SQ", items: [[{ tag: "04000105", vr: "DT", value: "20240101" }]] },
        { tag: "FFFCFFFC", vr: "OB", value: new Uint8Array(64) },
      ),
    )
    for (const tag of ["(0008,0000)", "(0400,0500)", "(FFFA,FFFA)", "(FFFC,FFFC)"]) expect(out.has(tag)).toBe(false)
  })

  it("says what was done: 0012,0062, 0063, 0064 with codes of CID 7050, and 0028,0303", () => {
    const out = released(slice(), { options: ["retain-patient-characteristics", "retain-longitudinal-modified-dates"] })
    expect(out.get("(0012,0062)")).toBe("YES")
    expect(out.get("(0012,0063)")).toMatch(/^Weir PS3\.15 2024b Basic Application Confidentiality Profile\\/)
    expect([0, 1, 2].map((index) => out.get(`(0012,0064)[${index}].(0008,0100)`))).toEqual([
      "113100",
      "113107",
      "113108",
    ])
    expect(out.get("(0028,0303)")).toBe("MODIFIED")
    expect(released(slice()).get("(0028,0303)")).toBe("REMOVED")
    expect(released(slice(), { options: ["retain-uids"] }).get("(0012,0064)[1].(0008,0100)")).toBe("113110")
  })

  it("renews preamble and file meta information: nothing of the sender is left in them", () => {
    const bytes = build([
      ...slice(),
      { tag: "00020016", vr: "AE", value: "DOE_CLINIC" },
      { tag: "00020100", vr: "UI", value: "1.2.3.99" },
      { tag: "00020102", vr: "OB", value: Buffer.from("Jane Doe") },
    ])
    Buffer.from("DOE^JANE").copy(bytes as Buffer)
    const { out } = release(bytes)
    expect(Buffer.from(out).toString("latin1")).not.toMatch(/DOE|Doe/)
    expect(out.subarray(0, 128).every((byte) => byte === 0)).toBe(true)
    expect([...parseWhole(out).meta!.elements].map(({ tag }) => tag & 0xffff)).toEqual([0, 1, 2, 3, 16, 18, 19])
  })

  it.each(Object.entries(syntaxes))("keeps %s, order of tags, and all that no rule names", (_, syntax) => {
    const bytes = build(
      slice({
        tag: "00081250",
        vr: "SQ",
        items: [[{ tag: "0008114A", vr: "SQ", items: [[{ tag: "00080018", vr: "UI", value: "1.9" }]] }]],
      }),
      syntax,
    )
    const { out } = release(bytes)
    const before = parseWhole(bytes)
    const after = parseWhole(out)
    expect(after.transferSyntax).toBe(syntax)
    expect(after.dataSet.sorted).toBe(true)
    for (const tag of [0x00080070, 0x00180015, 0x00280010, 0x7fe00010]) {
      const [a, b] = [before, after].map((parsed) => {
        const element = parsed.dataSet.elements.find((one) => one.tag === tag)!
        return Buffer.from(parsed.source.bytes(element.start, element.end)).toString("hex")
      })
      expect(b, tagText(tag)).toBe(a)
    }
    if (after.encoding.deflated) expect(() => inflateRawSync(out.subarray(after.meta!.end))).not.toThrow()
  })

  it("finds the same with undefined lengths, and keeps that form", () => {
    const elements = slice({ tag: "00081250", vr: "SQ", items: [[{ tag: "00081155", vr: "UI", value: "1.2.9" }], []] })
    const open = buildPart10(elements, { transferSyntax: explicitLittle, undefinedLengths: true })
    const { out } = release(open)
    const element = parseWhole(out).dataSet.elements.find(({ tag }) => tag === 0x00081250)!
    expect(element.undefinedLength && element.items!.every((item) => item.undefinedLength)).toBe(true)
    expect(texts(parseWhole(out))).toEqual(released(elements))
  })
})

describe("options, each off unless named", () => {
  it("dates: gone or dummies without the option, moved back by whole days with it, times kept", () => {
    const elements = slice(
      { tag: "00080022", vr: "DA", value: "2024.03.01" },
      { tag: "0008002A", vr: "DT", value: "20240301120000.5+0100" },
      { tag: "00080030", vr: "TM", value: "120000.123" },
      { tag: "00080201", vr: "SH", value: "+0100" },
      { tag: "00100030", vr: "DA", value: "19500101" },
    )
    const out = released(elements, dates)
    expect(out.get("(0008,0020)")).toBe("20230125")
    expect(out.get("(0008,0022)")).toBe("2023.01.26")
    expect(out.get("(0008,002A)")).toBe("20230126120000.5+0000")
    expect(out.get("(0008,0201)")).toBe("+0000")
    expect(out.get("(0008,0030)")).toBe("120000.123")
    expect(out.get("(0010,0030)")).toBe("")
    const without = released(elements)
    expect(without.get("(0008,0020)")).toBe("")
    expect(without.get("(0008,0030)")).toBe("")
    expect(without.has("(0008,0022)")).toBe(false)
  })

  it.each(["20241301", "01/02/2024", "202413", "99991231", "19700101", "JANE DOE", "20240101\\soon"])(
    "dates: %s takes the basic action and is counted",
    (value) => {
      const { out, verdict } = release(build(slice({ tag: "00080020", vr: "DA", value })), dates)
      expect(texts(parseWhole(out)).get("(0008,0020)")).toBe("")
      expect(verdict.report.counts.unreadableDates).toBe(1)
    },
  )

  it.each<[string, string, string]>([
    ["a year", "2024", "2023"],
    ["a month", "202403", "202302"],
    ["a month with an offset", "202403+0100", "202302+0000"],
    ["a date time with an offset", "20240301083000-0500", "20230126083000+0000"],
    ["several", "20240301\\2024", "20230126\\2023"],
  ])("dates: %s is shifted at its own precision, and no offset tells the season", (_, value, told) => {
    expect(released(slice({ tag: "0008002A", vr: "DT", value }), dates).get("(0008,002A)")).toBe(told)
  })

  it("dates: an offset is told by the clock of the project where that is known", () => {
    const bytes = build(slice({ tag: "0008002A", vr: "DT", value: "20240301003000+0200" }))
    const run = deidentifier({ options: dates.options!, faces: "refuse", local: (utc) => utc - 5 * 3_600_000 })
    const verdict = run({ header: bytes, size: bytes.length }, { person })
    if (verdict.kind !== "released") throw new Error(verdict.kind)
    const out = Buffer.concat([verdict.prefix, bytes.subarray(verdict.copy.from, verdict.copy.to)])
    expect(texts(parseWhole(out)).get("(0008,002A)")).toBe("20230125173000+0000")
  })

  it("dates: a dummy is never the date that it stands for", () => {
    const enhanced = slice(
      { tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.2.1" },
      { tag: "00080023", vr: "DA", value: "19000101" },
    )
    expect(released(enhanced).get("(0008,0023)")).toBe("19000102")
    expect(released(enhanced, dates).get("(0008,0023)")).toBe("19000102")
  })

  it("names of others are taken out of texts that the table passes over, and nothing else of them", () => {
    const out = released(
      slice(
        { tag: "00080070", vr: "LO", value: "https://example.org/Zweig/Calculator" },
        { tag: "00081090", vr: "LO", value: "Head coil" },
        { tag: "00700084", vr: "PN", value: "ZWEIG^HEAD" },
      ),
    )
    expect(out.get("(0008,0070)")).toBe("https://example.org/ANONYMOUS/Calculator")
    expect(out.get("(0008,1090)")).toBe("Head coil")
  })

  it("UIDs that name a kind and no instance stay, whoever registered them", () => {
    const out = released(slice({ tag: "00089123", vr: "UI", value: "1.3.46.670589.11" }))
    expect(out.get("(0008,9123)")).toBe("1.3.46.670589.11")
    const named = released(slice({ tag: "00089123", vr: "UI", value: "1.2.JANE" }))
    expect(named.get("(0008,9123)")).toBe(person.uid("1.2.JANE"))
  })

  it("dates that the table passes over do not stay unshifted either", () => {
    const elements = slice({ tag: "0008041F", vr: "DT", value: "20240301" })
    expect(released(elements).has("(0008,041F)")).toBe(false)
    expect(released(elements, dates).get("(0008,041F)")).toBe("20230126")
  })

  it("birth dates in other calendars, old order numbers and addresses with UIDs go, though the table passes over them", () => {
    const out = released(
      slice(
        { tag: "00100033", vr: "LO", value: "Showa 25" },
        { tag: "00402006", vr: "SH", value: "ORD-1" },
        { tag: "00081190", vr: "UR", value: "http://pacs/studies/1.2.3.4.1" },
      ),
      dates,
    )
    for (const tag of ["(0010,0033)", "(0040,2006)", "(0008,1190)"]) expect(out.has(tag)).toBe(false)
  })

  it("characteristics: sex, size and age are kept, ages capped at 90; without the option they go", () => {
    const aged = (value: string) =>
      slice({ tag: "00101010", vr: "AS", value }, { tag: "00100040", vr: "CS", value: "F" })
    expect(released(aged("034Y"), characteristics).get("(0010,1010)")).toBe("034Y")
    expect(released(aged("095Y"), characteristics).get("(0010,1010)")).toBe("090Y")
    expect(released(aged("very old"), characteristics).has("(0010,1010)")).toBe(false)
    expect(released(aged("034Y"), characteristics).get("(0010,0040)")).toBe("F")
    expect(released(aged("034Y")).has("(0010,1010)")).toBe(false)
    expect(released(aged("034Y")).get("(0010,0040)")).toBe("")
    const allergic = slice({ tag: "00102110", vr: "LO", value: "latex" })
    expect(released(allergic, characteristics).has("(0010,2110)")).toBe(false)
  })

  it("uids: kept only when asked for", () => {
    expect(released(slice(), { options: ["retain-uids"] }).get("(0020,000D)")).toBe("1.2.3.4.1")
    expect(released(slice()).get("(0020,000D)")).toBe(person.uid("1.2.3.4.1"))
  })

  it("an unknown option or a shift of no days is an error, not a weaker profile", () => {
    expect(() => deidentifier({ options: ["retain-all" as "retain-uids"], faces: "refuse" })).toThrow(RangeError)
    const still = deidentifier({ options: ["retain-longitudinal-modified-dates"], faces: "refuse" })
    const bytes = build(slice())
    const context = { person: { ...person, shiftDays: 0 } }
    expect(() => still({ header: bytes, size: bytes.length }, context)).toThrow(RangeError)
  })
})

const jpeg = (...segments: readonly (readonly number[])[]) =>
  Uint8Array.from([0xff, 0xd8, ...segments.flat(), 0xff, 0xda, 0, 4, 1, 1, 7, 0xff, 0, 7, 0xff, 0xd9])
const segment = (marker: number, text: string) => [0xff, marker, 0, text.length + 2, ...Buffer.from(text, "latin1")]
const j2k = (comment: string) =>
  Uint8Array.from([
    // SOC, COM, SOT of one tile part of 16 bytes, SOD, data, EOC
    0xff,
    0x4f,
    0xff,
    0x64,
    0,
    comment.length + 4,
    0,
    1,
    ...Buffer.from(comment),
    0xff,
    0x90,
    0,
    10,
    0,
    0,
    0,
    0,
    0,
    16,
    0,
    1,
    0xff,
    0x93,
    1,
    2,
    0xff,
    0xd9,
  ])
const framed = (...fragments: Uint8Array[]) => slice({ tag: "7FE00010", vr: "OB", fragments })

describe("refusals: fail closed, each with its reason", () => {
  it.each([
    ["encapsulated-document", "1.2.840.10008.5.1.4.1.1.104.1"],
    ["structured-report", "1.2.840.10008.5.1.4.1.1.88.33"],
    ["presentation-state", "1.2.840.10008.5.1.4.1.1.11.1"],
    ["burned-in-text-risk", "1.2.840.10008.5.1.4.1.1.7"],
    ["burned-in-text-risk", "1.2.840.10008.5.1.4.1.1.6.1"],
    ["audio", "1.2.840.10008.5.1.4.1.1.9.4.1"],
    ["media-directory", "1.2.840.10008.1.3.10"],
    ["unsupported-sop-class", "1.2.840.10008.5.1.4.1.1.200.2"],
    ["unsupported-sop-class", "1.2.3.4"],
    ["unsupported-sop-class", ""],
  ])("%s: SOP class %s", (expected, uid) => {
    expect(reason(slice({ tag: "00080016", vr: "UI", value: uid }))).toBe(expected)
  })

  it.each<[string, DataElement]>([
    ["overlay", { tag: "60000100", vr: "US", value: 16 }],
    ["overlay", { tag: "60020010", vr: "US", value: 512 }],
    ["burned-in-text-risk", { tag: "00280301", vr: "CS", value: "YES" }],
    ["burned-in-text-risk", { tag: "00280301", vr: "CS", value: "MAYBE" }],
    ["burned-in-text-risk", { tag: "00080008", vr: "CS", value: ["DERIVED", "SECONDARY"] }],
    ["burned-in-text-risk", { tag: "00080008", vr: "CS", value: ["ORIGINAL", "PRIMARY", "SCREEN SAVE"] }],
    ["burned-in-text-risk", { tag: "00080064", vr: "CS", value: "DF" }],
    ["burned-in-text-risk", { tag: "00080060", vr: "CS", value: "US" }],
    ["burned-in-text-risk", { tag: "00280004", vr: "CS", value: "RGB" }],
    ["burned-in-text-risk", { tag: "00187004", vr: "CS", value: "FILM" }],
    ["burned-in-text-risk", { tag: "00181016", vr: "LO", value: "Lumisys" }],
    ["missing-uid", { tag: "00080018", vr: "UI" }],
    ["unexpected-pixel-data", { tag: "7FE00010", vr: "OW", value: [1, 2, 3, 4, 5, 6] }],
    ["unexpected-pixel-data", { tag: "7FE00008", vr: "OF", value: [1] }],
    ["unexpected-pixel-data", { tag: "00081250", vr: "SQ", items: [[{ tag: "7FE00010", vr: "OW", value: [1, 2] }]] }],
    ["face-risk", { tag: "00180015", vr: "CS", value: "HEAD" }],
    ["face-risk", { tag: "00180015", vr: "CS", value: "NECK" }],
    ["face-risk", { tag: "00180015", vr: "CS", value: "WHOLEBODY" }],
    ["face-risk", { tag: "00180015", vr: "CS" }],
    ["face-risk", { tag: "0008103E", vr: "LO", value: "ct brain w/o contrast" }],
  ])("%s: %o", (expected, element) => {
    expect(reason(slice(element))).toBe(expected)
  })

  it("app-segment: EXIF, comments, thumbnails, data after the end; encoders may sign", () => {
    const lossy = "1.2.840.10008.1.2.4.50"
    const jfif = segment(0xe0, "JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
    expect(reason(framed(jpeg(jfif)), {}, lossy)).toBe("released")
    expect(reason(framed(jpeg(), jpeg()), {}, lossy)).toBe("released")
    expect(reason(framed(jpeg().subarray(0, 9), jpeg().subarray(9)), {}, lossy)).toBe("released")
    expect(reason(framed(jpeg(segment(0xe1, "Exif\0\0Jane Doe"))), {}, lossy)).toBe("app-segment")
    expect(reason(framed(jpeg(), jpeg(segment(0xe1, "Exif\0\0Jane Doe"))), {}, lossy)).toBe("app-segment")
    expect(reason(framed(jpeg(segment(0xfe, "Jane Doe"))), {}, lossy)).toBe("app-segment")
    expect(reason(framed(jpeg(segment(0xe2, "ICC_PROFILE"))), {}, lossy)).toBe("app-segment")
    expect(reason(framed(Buffer.concat([jpeg(), Buffer.from("Jane Doe")])), {}, lossy)).toBe("app-segment")
    expect(reason(framed(j2k("Kakadu-v6.4.1")), {}, "1.2.840.10008.1.2.4.90")).toBe("released")
    expect(reason(framed(j2k("Jane Doe")), {}, "1.2.840.10008.1.2.4.90")).toBe("app-segment")
  })

  it("unsupported-transfer-syntax: video, referenced and unknown ones", () => {
    for (const syntax of ["1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.94", "1.2.3"])
      expect(reason(framed(jpeg()), {}, syntax)).toBe("unsupported-transfer-syntax")
  })

  it("unparsable, with the code and the path, never a value", () => {
    const bytes = build(slice())
    const cut = bytes.subarray(0, bytes.length - 3)
    expect(verdictOf(cut)).toEqual({ kind: "refused", reason: "unparsable", detail: "truncated", path: "(7FE0,0010)" })
    expect(verdictOf(Buffer.from("no DICOM at all, only a letter to Jane Doe"))).toMatchObject({ detail: "not-dicom" })
  })

  it("no-person: nobody's pseudonym, nothing released", () => {
    const bytes = build(slice())
    const run = deidentifier({ options: [], faces: "refuse" })
    expect(run({ header: bytes, size: bytes.length }, { person: undefined })).toMatchObject({ reason: "no-person" })
  })

  it("identifier-left: what still names the person is not released", () => {
    const kept = slice(
      { tag: "00080070", vr: "LO", value: "Scanner of Jane Doe" },
      { tag: "00100010", vr: "PN", value: "ROE^JANE" },
    )
    expect(verdictOf(build(kept))).toEqual({ kind: "refused", reason: "identifier-left", path: "(0008,0070)" })
  })
})

describe("faces", () => {
  const summary = (...changes: DataElement[]) => {
    const bytes = build(slice(...changes))
    const found = summarize({ header: bytes, size: bytes.length })
    if (found.kind !== "summary") throw new Error("more")
    return found
  }
  const region = (value?: string): DataElement =>
    value === undefined ? { tag: "00180015", vr: "CS" } : { tag: "00180015", vr: "CS", value }

  it("are decided for a series: one slice of the head refuses all, a stated chest counts for the silent ones", () => {
    expect(seriesRisk([summary(region("CHEST")), summary(region())])).toBeUndefined()
    expect(seriesRisk([summary(region("CHEST")), summary(region("HEAD"))])).toBe("face-risk")
    expect(seriesRisk([summary(region())])).toBe("face-risk")
    expect(seriesRisk([summary(), summary({ tag: "00280301", vr: "CS", value: "YES" })])).toBe("burned-in-text-risk")
  })

  it("are in no segmentation that draws organs below the neck or what lies under the skin", () => {
    const type = (meaning: string): DataElement[] => [
      { tag: "0062000F", vr: "SQ", items: [[{ tag: "00080104", vr: "LO", value: meaning }]] },
    ]
    const mask = (...meanings: string[]) =>
      summary(
        region("HEADNECK"),
        { tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.66.4" },
        { tag: "00620002", vr: "SQ", items: meanings.map(type) },
      )
    expect(seriesRisk([mask("Neoplasm, Primary", "Liver")])).toBeUndefined()
    for (const shows of [["Skin"], ["Liver", "Head"], ["Liver", ""], ["Neoplasm of face"], []])
      expect(seriesRisk([mask(...shows)])).toBe("face-risk")
  })

  it("are released when allowed, and the object says so", () => {
    const { out, verdict } = release(build(slice(region("HEAD"))), { faces: "allow" })
    expect(texts(parseWhole(out)).get("(0012,0063)")).toMatch(/\\faces allowed$/)
    expect(verdict.report.facesAllowed).toBe(true)
    expect(release(build(slice()), { faces: "allow" }).verdict.report.facesAllowed).toBe(false)
  })

  it("what the caller found out about the series decides", () => {
    const bytes = build(slice(region()))
    const run = deidentifier({ options: [], faces: "refuse" })
    const input = { header: bytes, size: bytes.length }
    expect(run(input, { person, series: { risk: undefined } }).kind).toBe("released")
    expect(run(input, { person, series: { risk: "face-risk" } })).toMatchObject({ reason: "face-risk" })
  })
})

describe("the search for identifiers", () => {
  const found = (value: string, vr: string, ...identifiers: string[]) =>
    findIdentifiers(
      build([
        { tag: "00080005", vr: "CS", value: "ISO_IR 192" },
        { tag: vr === "CS" ? "00180015" : "00080070", vr, value },
      ]),
      identifiers,
    )

  it("finds whole tokens without regard to case, accents and order of name parts", () => {
    expect(found("seen by müller, anna", "LO", "MULLER^ANNA")).toHaveLength(1)
    expect(found("MRN 4711-22", "LO", "4711-22")).toHaveLength(1)
    expect(found("Mullerian duct", "LO", "MULLER^ANNA")).toEqual([])
  })

  it("takes damage behind a name for no letter of it, where letters are of ISO 646 alone", () => {
    expect(found("MULLER\u00e0\u0010", "CS", "MULLER^ANNA")).toHaveLength(1)
    expect(found("Mull\u00e9rian", "LO", "MULLE^ANNA")).toEqual([])
  })

  it("takes short tokens and defined terms only as the whole of a free text", () => {
    expect(found("Li", "LO", "LI^WEI")).toHaveLength(1)
    expect(found("Li battery", "LO", "LI^WEI")).toEqual([])
    expect(found("CHEST", "CS", "CHEST^ANNA")).toEqual([])
    expect(found("CHEST", "LO", "CHEST^ANNA")).toHaveLength(1)
  })
})
