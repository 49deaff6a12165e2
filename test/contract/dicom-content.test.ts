import { describe, expect, it } from "vitest"
import { cleanDescriptor, parseWhole } from "../../formats/dicom/index.ts"
import type { DataElement, ProfileOption } from "../../formats/dicom/index.ts"
import { build, person, refusal, release, slice, textsOf } from "./dicom-slice.ts"

const noPixels: DataElement = { tag: "7FE00010", vr: "OW" }
const code = (value: string, scheme: string, meaning: string): readonly DataElement[] => [
  { tag: "00080100", vr: "SH", value },
  { tag: "00080102", vr: "SH", value: scheme },
  { tag: "00080104", vr: "LO", value: meaning },
]
const concept = (value: string, meaning: string): DataElement => ({
  tag: "0040A043",
  vr: "SQ",
  items: [code(value, "DCM", meaning)],
})
const item = (type: string, ...elements: readonly DataElement[]): readonly DataElement[] => [
  { tag: "0040A010", vr: "CS", value: "CONTAINS" },
  { tag: "0040A040", vr: "CS", value: type },
  ...elements,
]
const report = (...items: readonly (readonly DataElement[])[]) =>
  slice(
    { tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.88.33" },
    { tag: "00080060", vr: "CS", value: "SR" },
    { tag: "00100030", vr: "DA", value: "19500101" },
    noPixels,
    { tag: "0040A730", vr: "SQ", items },
  )
const options: readonly ProfileOption[] = ["clean-structured-content", "retain-longitudinal-modified-dates"]
const cleaned = (...items: readonly (readonly DataElement[])[]) => textsOf(release(build(report(...items)), options))
const at = (path: string) => `(0040,A730)[0].${path}`

describe("Clean Structured Content", () => {
  it("releases a report that is refused without it", () => {
    const bytes = build(report(item("TEXT", { tag: "0040A160", vr: "UT", value: "normal" })))
    expect(refusal(bytes, [])).toBe("structured-report")
    expect(refusal(bytes, options)).toBe("released")
  })

  it("TEXT: clinical words stay, names, ids, dates, phone numbers and what is not known go", () => {
    const value =
      "Dr. Miller called Jane Doe (MRN-4711) on 03/01/2024, tel 555-123-4567: nodule in the right upper lobe, 4 mm"
    const out = cleaned(item("TEXT", { tag: "0040A160", vr: "UT", value }))
    expect(out.get(at("(0040,A160)"))).toMatch(/nodule in the right upper lobe, 4 mm$/)
    expect(out.get(at("(0040,A160)"))).not.toMatch(/miller|jane|doe|4711|2024|555/i)
  })

  it("maps the UIDs of UIDREF items where UIDs are retained, as the table does not keep them", () => {
    const bytes = build(report([...item("UIDREF"), { tag: "0040A124", vr: "UI", value: "1.2.3.4.9" }]))
    const out = textsOf(release(bytes, ["clean-structured-content", "retain-uids"]))
    expect(out.get(at("(0040,A124)"))).toBe(person.uid("1.2.3.4.9"))
    expect(out.get("(0008,0018)")).toBe("1.2.3.4.5")
  })

  it("shifts the date of a verification, of which all else is a dummy", () => {
    const verification: DataElement = {
      tag: "0040A073",
      vr: "SQ",
      items: [
        [
          { tag: "0040A030", vr: "DT", value: "20240229140000" },
          { tag: "0040A075", vr: "PN", value: "ROE^MAX" },
        ],
      ],
    }
    const bytes = build([...report(item("TEXT", { tag: "0040A160", vr: "UT", value: "normal" })), verification])
    const out = textsOf(release(bytes, options))
    expect(out.get("(0040,A073)[0].(0040,A030)")).toBe("20230125140000")
    expect(out.get("(0040,A073)[0].(0040,A075)")).toBe("ANONYMOUS")
    const removed = textsOf(release(bytes, ["clean-structured-content"]))
    expect(removed.get("(0040,A073)[0].(0040,A030)")).toBe("19000101000000")
  })

  it("PNAME, UIDREF, DATE, TIME and DATETIME: dummy, mapped, shifted", () => {
    const out = cleaned([
      ...item("PNAME"),
      { tag: "0040A123", vr: "PN", value: "ROE^MAX" },
      { tag: "0040A124", vr: "UI", value: "1.2.3.4.1" },
      { tag: "0040A120", vr: "DT", value: "20240229101500" },
      { tag: "0040A121", vr: "DA", value: "20240229" },
      { tag: "0040A122", vr: "TM", value: "101500" },
    ])
    expect(out.get(at("(0040,A123)"))).toBe("ANONYMOUS")
    expect(out.get(at("(0040,A124)"))).toBe(person.uid("1.2.3.4.1"))
    expect(out.get(at("(0040,A120)"))).toBe("20230125101500")
    expect(out.get(at("(0040,A121)"))).toBe("20230125")
    expect(out.get(at("(0040,A122)"))).toBe("101500")
  })

  it("CODE: meanings of published schemes stay, those of a site's own are cleaned", () => {
    const value = (scheme: string, meaning: string) =>
      item("CODE", { tag: "0040A168", vr: "SQ", items: [code("4711-1", scheme, meaning)] })
    expect(cleaned(value("SCT", "Roe operation")).get(at("(0040,A168)[0].(0008,0104)"))).toBe("Roe operation")
    expect(cleaned(value("99SITE", "Chest of Max Roe")).get(at("(0040,A168)[0].(0008,0104)"))).toBe("Chest of")
    expect(cleaned(value("99SITE", "Roe")).get(at("(0040,A168)[0].(0008,0104)"))).toBe("ANONYMOUS")
  })

  it("codes outside of content items are descriptors, and of no concern to the option", () => {
    const procedure: DataElement = { tag: "00081032", vr: "SQ", items: [code("6310", "99SITE", "MRT Oberbauch")] }
    const meaning = (...with_: readonly ProfileOption[]) =>
      textsOf(release(build(slice(procedure)), with_)).get("(0008,1032)[0].(0008,0104)")
    expect(meaning("clean-structured-content")).toBe("MRT Oberbauch")
    expect(meaning("clean-descriptors")).not.toMatch(/Oberbauch/)
  })

  it("a birth date is no date to shift, an id no text to clean, an age no number to keep", () => {
    const birth = cleaned(
      item("DATE", concept("121031", "Subject Birth Date"), { tag: "0040A121", vr: "DA", value: "19500101" }),
    )
    expect(birth.get(at("(0040,A121)"))).toBe("19000101")
    const id = cleaned(item("TEXT", concept("121030", "Subject ID"), { tag: "0040A160", vr: "UT", value: "chest 12" }))
    expect(id.get(at("(0040,A160)"))).toBe("ANONYMOUS")
    const number: DataElement = { tag: "0040A300", vr: "SQ", items: [[{ tag: "0040A30A", vr: "DS", value: "93" }]] }
    expect(cleaned(item("NUM", concept("121033", "Subject Age"), number)).get(at("(0040,A300)"))).not.toMatch(/[1-9]/)
    expect(cleaned(item("NUM", number)).get(at("(0040,A300)[0].(0040,A30A)"))).toBe("93")
  })

  it("content items lie in content items: all of them are cleaned", () => {
    let inner = item("TEXT", { tag: "0040A160", vr: "UT", value: "lung of Jane Doe" })
    for (let depth = 0; depth < 200; depth++) inner = item("CONTAINER", { tag: "0040A730", vr: "SQ", items: [inner] })
    const found = [...cleaned(inner)].filter(([path]) => path.endsWith("(0040,A160)"))
    expect(found.map(([, text]) => text)).toEqual(["lung of"])
  })
})

describe("Clean Graphics", () => {
  const annotation = (text: string): DataElement => ({
    tag: "00700001",
    vr: "SQ",
    items: [
      [
        { tag: "00700002", vr: "CS", value: "LAYER1" },
        { tag: "00700008", vr: "SQ", items: [[{ tag: "00700006", vr: "ST", value: text }]] },
        { tag: "00700009", vr: "SQ", items: [[{ tag: "00700022", vr: "FL", value: [1, 2] }]] },
      ],
    ],
  })
  const state = (...elements: readonly DataElement[]) =>
    slice({ tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.11.1" }, noPixels, ...elements)

  it("releases a presentation state that is refused without it, its graphics kept and its texts cleaned", () => {
    const bytes = build(state(annotation("lesion, Jane Doe 01/02/2024")))
    expect(refusal(bytes, [])).toBe("presentation-state")
    const out = textsOf(release(bytes, ["clean-graphics"]))
    expect(out.get("(0070,0001)[0].(0070,0008)[0].(0070,0006)")).toBe("lesion")
    expect(out.has("(0070,0001)[0].(0070,0009)[0].(0070,0022)")).toBe(true)
  })

  it("a text of which nothing is left is a dummy, as it may not be empty", () => {
    const out = textsOf(release(build(state(annotation("Jane Doe"))), ["clean-graphics"]))
    expect(out.get("(0070,0001)[0].(0070,0008)[0].(0070,0006)")).toBe("ANONYMOUS")
  })

  it("texts of annotations do not pass by another way: waveform annotations without the option are dummies", () => {
    const ecg = slice({ tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.9.1.1" }, noPixels, {
      tag: "0040B020",
      vr: "SQ",
      items: [[{ tag: "00700006", vr: "ST", value: "Roe, Max" }]],
    })
    expect(textsOf(release(build(ecg), [])).get("(0040,B020)[0].(0070,0006)")).toBe("ANONYMOUS")
  })
})

describe("overlays in unused bits of the pixel data", () => {
  const bits = (signed: number, change: Readonly<Record<string, number>> = {}, ...elements: readonly DataElement[]) => {
    const words = {
      "00280101": 12,
      "00280102": 11,
      "00280103": signed,
      "60000010": 2,
      "60000100": 16,
      "60000102": 15,
      ...change,
    }
    return slice(...Object.entries(words).map(([tag, value]) => ({ tag, vr: "US", value })), ...elements)
  }
  const samples = { tag: "7FE00010", vr: "OW", value: [0x8123, 0x9fff, 0x8000, 0x0456] }
  const pixels = (bytes: Uint8Array, bigEndian = false) => {
    const { dataSet, source } = parseWhole(bytes)
    const element = dataSet.elements.find(({ tag }) => tag === 0x7fe00010)!
    const value = Buffer.from(source.bytes(element.valueStart, element.valueEnd))
    return [0, 2, 4, 6].map((offset) => (bigEndian ? value.readUInt16BE(offset) : value.readUInt16LE(offset)))
  }

  it.each(["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])(
    "are cleared, samples stay (%s)",
    (syntax) => {
      const bigEndian = syntax === "1.2.840.10008.1.2.2"
      expect(pixels(release(build(bits(0, {}, samples), syntax), []), bigEndian)).toEqual([0x123, 0xfff, 0, 0x456])
      expect(pixels(release(build(bits(1, {}, samples), syntax), []), bigEndian)).toEqual([0x123, 0xffff, 0, 0x456])
    },
  )

  it("are refused where they lie in the samples, or nothing says which bits those use", () => {
    expect(refusal(build(bits(0, { "60000102": 3 })), [])).toBe("overlay")
    expect(refusal(build(bits(0, { "00280102": 16 })), [])).toBe("overlay")
  })
})

describe("Clean Descriptors", () => {
  const given = { identifiers: ["DOE^JANE", "MRN-471147", "19500101"] }

  it.each([
    "CT CHEST W/O CONTRAST",
    "AXIAL 2.5MM LUNG",
    "t2_tse_sag_320",
    "Chest^1_Routine (Adult)",
    "L4/5 disc 5 x 8 mm",
    "MR BRAIN",
    "Hodgkin lymphoma, follow-up",
    "T1 AXIAL PRE\r\nSTIR",
    "PET FDG 18F, restaging of hepatocellular carcinoma",
    "ep2d_diff RUL nodule, s/p TACE",
    "brown fat, white matter, gray scale",
    "Thorax^1_ThxRoutine (Adult)",
    "Abdomen^01_AbdRoutine",
    "PLAN1",
    "FLAIR_longTR",
    "sT1W_3D_TFE mDIXON-All_BH bSSFP",
    "CINE SSFP 4CH, HiRes",
    "SAG T2 FRFSE",
    "ADC (10^-6 mm²/s)",
  ])("keeps %j as it is", (text) => expect(cleanDescriptor(text, given)).toBe(text))

  it.each([
    ["CT CHEST for Jane Doe, MRN 471147", "CT CHEST for"],
    ["janedoe_thorax", "thorax"],
    ["Jnae D0e thorax", "thorax"],
    ["Dr. Smith requests chest CT 12/03/2024", "requests chest CT"],
    ["Smith, John M.D. chest", "chest"],
    ["MAYO CLINIC ROCHESTER Head", "Head"],
    ["chest 3 March 2021, tel 555-123-4567", "chest"],
    ["liver 2021-03-03 10:15", "liver"],
    ["see jane@example.org or http://x.example/1 chest", "see or chest"],
    ["Müller liver", "liver"],
    ["chest x-ray for Hoffman", "chest x-ray for"],
    ["per Holly Friedman, Boston", "per"],
    ["Brown A. liver", "liver"],
    ["A. Brown liver", "liver"],
    ["Mar 17th '57 liver", "liver"],
    ["1957-03-17T10:15 liver", "liver"],
    ["471147", ""],
    ["JohnSmith chest", "chest"],
    ["DeYoung McLung chest", "chest"],
    ["DoeRoutine chest", "chest"],
    ["prior 1.3.6.1.4.1.14519.5.2.1.52445.267279807972.101 chest", "prior chest"],
  ])("%j becomes %j", (text, expected) => expect(cleanDescriptor(text, given)).toBe(expected))

  it("knows a name with an error in it, also where that is a word", () => {
    expect(cleanDescriptor("nodule of the lung", { identifiers: ["NODULA^ANNA"] })).toBe("of the lung")
    expect(cleanDescriptor("nodule of the lung", { identifiers: ["NODUEL^ANNA"] })).toBe("of the lung")
  })

  it("takes what is near another's name or a place for the word that it is", () => {
    const elements: readonly DataElement[] = [
      { tag: "00080081", vr: "ST", value: "1 Hollow Rd" },
      { tag: "00080090", vr: "PN", value: "HEARD^ANNA" },
      { tag: "00101040", vr: "LO", value: "4821 Maple Hollow Rd" },
      { tag: "0008103E", vr: "LO", value: "heart of Heard, follow-up, Hollow" },
    ]
    const out = textsOf(release(build(slice(...elements)), ["clean-descriptors"]))
    expect(out.get("(0008,103E)")).toBe("heart of, follow-up")
  })

  it("knows the names of others in the object, also where they are words", () => {
    const elements = [
      { tag: "00080090", vr: "PN", value: "STONE^LUNG" },
      { tag: "0008103E", vr: "LO", value: "kidney stone, liver" },
    ]
    const out = textsOf(release(build(slice(...elements)), ["clean-descriptors"]))
    expect(out.get("(0008,103E)")).toBe("kidney, liver")
  })

  it("gives way to a hook that understands reports", () => {
    const bytes = build(slice({ tag: "0008103E", vr: "LO", value: "anything" }))
    const cleanText = (text: string, { identifiers }: { readonly identifiers: readonly string[] }) =>
      `${text} ${identifiers.includes("DOE^JANE")}`
    const out = textsOf(release(bytes, ["clean-descriptors"], { cleanText }))
    expect(out.get("(0008,103E)")).toBe("anything true")
  })

  it("treats sequences that it keeps item by item", () => {
    const request: DataElement = {
      tag: "00400275",
      vr: "SQ",
      items: [
        [
          { tag: "00080050", vr: "SH", value: "ACC-778899" },
          { tag: "00321060", vr: "LO", value: "CT chest Max Roe" },
          { tag: "00401001", vr: "SH", value: "RP-1" },
        ],
      ],
    }
    const out = textsOf(release(build(slice(request)), ["clean-descriptors"]))
    expect(out.get("(0040,0275)[0].(0032,1060)")).toBe("CT chest")
    expect(out.get("(0040,0275)[0].(0008,0050)")).toBe(person.accession("ACC-778899", ""))
    expect([...out.values()].join()).not.toMatch(/RP-1|Roe/)
  })
})
