import { describe, expect, it } from "vitest"
import { charsetOf, decodeText, parseWhole, profileOptions } from "../../formats/dicom/index.ts"
import type { DataElement, ProfileOption } from "../../formats/dicom/index.ts"
import { build, explicitLittle, person, refusal, release, slice, textsOf, verdictOn } from "./dicom-slice.ts"

/** The fullest set of options that keeps nobody's UIDs and true dates. */
const fullest = profileOptions.filter(
  (option) => option !== "retain-uids" && option !== "retain-longitudinal-full-dates",
) as readonly ProfileOption[]
const sets: readonly (readonly [string, readonly ProfileOption[]])[] = [
  ["basic", []],
  ["fullest", fullest],
]
const canary = "QUETZALCOATL"
const latin = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1")

describe.each(sets)("what carries names besides attributes, %s profile", (_, options) => {
  const gone = (elements: readonly DataElement[], syntax = explicitLittle) => {
    expect(latin(build(elements, syntax))).toContain(canary)
    expect(latin(release(build(elements, syntax), options))).not.toContain(canary)
  }

  it.each<[string, DataElement]>([
    ["a digital signature", { tag: "FFFAFFFA", vr: "SQ", items: [[{ tag: "04000110", vr: "CS", value: canary }]] }],
    ["data set trailing padding", { tag: "FFFCFFFC", vr: "OB", value: Buffer.from(canary) }],
    ["an encapsulated document in an image", { tag: "00420011", vr: "OB", value: Buffer.from(canary) }],
    ["original attributes", { tag: "04000561", vr: "SQ", items: [[{ tag: "00080070", vr: "LO", value: canary }]] }],
    ["an icon", { tag: "00880200", vr: "SQ", items: [[{ tag: "00281201", vr: "OW", value: Buffer.from(canary) }]] }],
    ["an overlay", { tag: "60003000", vr: "OW", value: Buffer.from(canary) }],
    ["an overlay comment", { tag: "60004000", vr: "LT", value: canary }],
    ["an overlay label", { tag: "60001500", vr: "LO", value: canary }],
    ["a curve", { tag: "50003000", vr: "OW", value: Buffer.from(canary) }],
    ["curve audio", { tag: "50002000", vr: "US", value: Buffer.from(canary) }],
    [
      "an overlay in an item",
      { tag: "00081250", vr: "SQ", items: [[{ tag: "60003000", vr: "OW", value: Buffer.from(canary) }]] },
    ],
    ["a maker's note", { tag: "0016002B", vr: "OB", value: Buffer.from(canary) }],
    ["an attribute of a media directory", { tag: "00041500", vr: "CS", value: canary }],
    ["a private attribute", { tag: "00431099", vr: "LO", value: canary }],
    ["file meta information of the sender", { tag: "00020016", vr: "AE", value: canary }],
  ])("%s is gone", (_name, element) => gone(slice(element)))

  it("the preamble is gone", () => {
    const bytes = build(slice()) as Buffer
    bytes.write(canary)
    expect(latin(release(bytes, options))).not.toContain(canary)
  })

  it.each<[string, string]>([
    ["1.2.840.10008.5.1.4.1.1.104.1", "encapsulated-document"],
    ["1.2.840.10008.5.1.4.1.1.104.2", "encapsulated-document"],
    ["1.2.840.10008.5.1.4.1.1.104.3", "encapsulated-document"],
    ["1.2.840.10008.5.1.4.1.1.9.4.1", "audio"],
    ["1.2.840.10008.5.1.4.1.1.9.4.2", "audio"],
    ["1.2.840.10008.1.3.10", "media-directory"],
  ])("objects of %s are refused: %s", (uid, reason) => {
    expect(refusal(build(slice({ tag: "00080016", vr: "UI", value: uid })), options)).toBe(reason)
  })

  it("a directory without SOP class is refused by what it holds", () => {
    const directory: readonly DataElement[] = [
      { tag: "00041220", vr: "SQ", items: [[{ tag: "00100010", vr: "PN", value: "DOE^JANE" }]] },
    ]
    expect(refusal(build(directory), options)).toBe("media-directory")
  })

  it("bytes after the data set, and after the last fragment, are refused", () => {
    const bytes = Buffer.concat([build(slice()), Buffer.from(`${canary}${canary}`)])
    expect(refusal(bytes, options)).toBe("unparsable")
    const framed = build(slice({ tag: "7FE00010", vr: "OB", fragments: [rle([3, 1, 2, 3, 4])] }), "1.2.840.10008.1.2.5")
    expect(refusal(framed, options)).toBe("released")
    expect(refusal(Buffer.concat([framed, Buffer.from(canary)]), options)).toBe("unparsable")
    for (const few of ["DOE", "DOEJANE"])
      expect(refusal(Buffer.concat([build(slice()), Buffer.from(few)]), options)).toBe("unparsable")
  })

  it("bytes behind the runs of an RLE segment are refused", () => {
    const of = (...fragment: readonly number[]) =>
      refusal(build(slice({ tag: "7FE00010", vr: "OB", fragments: [rle(fragment)] }), "1.2.840.10008.1.2.5"), options)
    expect(of(3, 1, 2, 3, 4, 0)).toBe("released")
    expect(of(-3, 7)).toBe("released")
    expect(of(3, 1, 2, 3, 4, ...Buffer.from(canary))).toBe("app-segment")
    expect(of(-3, 7, ...Buffer.from(canary))).toBe("app-segment")
  })
})

const pathOf = (tag: string) => `(${tag.slice(0, 4)},${tag.slice(4)})`

/** An RLE frame of one segment. */
const rle = (segment: readonly number[]): Uint8Array => {
  const header = Buffer.alloc(64)
  header.writeUInt32LE(1, 0)
  header.writeUInt32LE(64, 4)
  return Buffer.concat([header, Buffer.from(segment.map((byte) => byte & 0xff))])
}

describe("references", () => {
  const study = "1.2.3.4.5.6.7.8.1"
  const frame = "1.2.3.4.5.6.7.8.9"
  const image = "1.2.3.4.5.6.7.8.3"
  const ids = (sop: string, sopClass: string): readonly DataElement[] => [
    { tag: "00080016", vr: "UI", value: `1.2.840.10008.5.1.4.1.1.${sopClass}` },
    { tag: "00080018", vr: "UI", value: sop },
    { tag: "0020000D", vr: "UI", value: study },
    { tag: "00200052", vr: "UI", value: frame },
  ]
  const instance: DataElement = {
    tag: "00081199",
    vr: "SQ",
    items: [
      [
        { tag: "00081150", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.2" },
        { tag: "00081155", vr: "UI", value: image },
      ],
    ],
  }
  const referring: Readonly<Record<string, readonly DataElement[]>> = {
    "SR 88.33": [
      ...ids("1.2.3.4.5.6.7.8.10", "88.33"),
      { tag: "0040A730", vr: "SQ", items: [[{ tag: "0040A040", vr: "CS", value: "IMAGE" }, instance]] },
      {
        tag: "0040A375",
        vr: "SQ",
        items: [
          [
            { tag: "0020000D", vr: "UI", value: study },
            { tag: "00081115", vr: "SQ", items: [[instance, { tag: "0020000E", vr: "UI", value: "1.2.3.4.2" }]] },
          ],
        ],
      },
    ],
    "PR 11.1": [
      ...ids("1.2.3.4.5.6.7.8.11", "11.1"),
      {
        tag: "00081115",
        vr: "SQ",
        items: [
          [
            { tag: "00081140", vr: "SQ", items: instance.items! },
            { tag: "0020000E", vr: "UI", value: "1.2.3.4.2" },
          ],
        ],
      },
    ],
    "RTSTRUCT 481.3": [
      ...ids("1.2.3.4.5.6.7.8.12", "481.3"),
      {
        tag: "30060010",
        vr: "SQ",
        items: [
          [
            { tag: "00200052", vr: "UI", value: frame },
            {
              tag: "30060012",
              vr: "SQ",
              items: [
                [
                  { tag: "00081155", vr: "UI", value: study },
                  { tag: "30060014", vr: "SQ", items: [[{ tag: "30060016", vr: "SQ", items: instance.items! }]] },
                ],
              ],
            },
          ],
        ],
      },
    ],
    "SEG 66.4": [
      ...ids("1.2.3.4.5.6.7.8.13", "66.4"),
      {
        tag: "52009230",
        vr: "SQ",
        items: [[{ tag: "00089124", vr: "SQ", items: [[{ tag: "00082112", vr: "SQ", items: instance.items! }]] }]],
      },
    ],
    "ECG 9.1.1": [
      ...ids("1.2.3.4.5.6.7.8.14", "9.1.1"),
      { tag: "0040B020", vr: "SQ", items: [[{ tag: "0008114A", vr: "SQ", items: instance.items! }]] },
    ],
  }

  it.each(Object.keys(referring))("of %s still resolve, and none stays as it was", (name) => {
    const target = textsOf(release(build(slice(...ids(image, "2"))), fullest))
    const bytes = release(build(slice(...referring[name]!, { tag: "7FE00010", vr: "OW" })), fullest)
    const out = textsOf(bytes)
    expect(out.get("(0020,000D)")).toBe(target.get("(0020,000D)"))
    expect(out.get("(0020,0052)")).toBe(target.get("(0020,0052)"))
    const referenced = [...out].filter(
      ([path, text]) => path.endsWith("(0008,1155)") && text !== out.get("(0020,000D)"),
    )
    expect(referenced.length).toBeGreaterThan(0)
    for (const [path, text] of referenced) expect(text, path).toBe(target.get("(0008,0018)"))
    const series = [...out].filter(([path]) => path.endsWith("(0020,000E)"))
    for (const [path, text] of series) expect(text, path).toBe(target.get("(0020,000E)"))
    expect(latin(bytes)).not.toContain("1.2.3.4.5.6.7.8.")
  })

  it("in attributes that the table passes over are mapped, but for those of kinds", () => {
    const uid = "1.2.3.4.5.6.7.8.3"
    for (const tag of ["00081167", "00083012", "00200242", "00209312", "0040A021", "300A0675", "3010001F", "00701209"])
      expect(textsOf(release(build(slice({ tag, vr: "UI", value: uid })), [])).get(pathOf(tag)), tag).toBe(
        person.uid(uid),
      )
    for (const tag of ["0008010C", "00081150", "00089123"])
      expect(textsOf(release(build(slice({ tag, vr: "UI", value: uid })), [])).get(pathOf(tag)), tag).toBe(uid)
  })

  it("that are written as texts are mapped like all others, or go where they do not fit", () => {
    const uid = "1.2.3.4.5.6.7.8.3"
    const out = textsOf(
      release(
        build(
          slice(
            { tag: "0040A992", vr: "ST", value: uid },
            { tag: "00189004", vr: "CS", value: "PRODUCT" },
            { tag: "00081052", vr: "SQ" },
            { tag: "0018A003", vr: "ST", value: `see ${uid}` },
            { tag: "00081250", vr: "SQ", items: [[{ tag: "0040E023", vr: "UT", value: uid }]] },
          ),
        ),
        [],
      ),
    )
    expect([...out.values()].join()).not.toContain(uid)
  })

  it("are retained where asked for, but not what is no UID", () => {
    const of = (value: string) =>
      textsOf(release(build(slice({ tag: "00200052", vr: "UI", value })), ["retain-uids"])).get("(0020,0052)")
    expect(of("1.2.3.4.5.6")).toBe("1.2.3.4.5.6")
    expect(of("1.2.3.JANE")).toBe(person.uid("1.2.3.JANE"))
  })

  it("to what is registered stay", () => {
    const known = [
      "1.2.840.10008.1.4.1.1",
      "1.2.840.10008.5.1.4.1.1.2",
      "1.2.840.10008.6.1.308",
      "1.2.840.10008.2.16.4",
    ]
    for (const uid of known)
      expect(
        textsOf(release(build(slice({ tag: "00200052", vr: "UI", value: uid })), fullest)).get("(0020,0052)"),
      ).toBe(uid)
  })
})

describe("what the table passes over", () => {
  it("names nobody: PN attributes are emptied", () => {
    for (const tag of ["00140104", "00142006", "0040A067"]) {
      const out = release(build(slice({ tag, vr: "PN", value: "QUETZALCOATL^X" })), [])
      expect(textsOf(out).get(pathOf(tag)), tag).toBe("")
    }
  })

  it("tells no birth date in other forms, also where an option keeps", () => {
    for (const told of ["03/17/1957", "17 Mar 1957", "1957-03-17T10"]) {
      const born: DataElement = { tag: "00100030", vr: "DA", value: "19570317" }
      const out = release(build(slice(born, { tag: "00102160", vr: "SH", value: told })), [
        "retain-patient-characteristics",
      ])
      expect(latin(out)).not.toContain(told)
    }
  })

  it("tells no date", () => {
    for (const [tag, vr, value] of [
      ["00140102", "DA", "20240229"],
      ["0008041F", "DT", "20240229101500"],
    ] as const)
      expect(latin(release(build(slice({ tag, vr, value })), [])), tag).not.toContain("20240229")
  })

  it("has no group lengths, which would be wrong", () => {
    const lengths = ["00080000", "00100000", "00280000"].map((tag) => ({ tag, vr: "UL", value: 12 }))
    const out = textsOf(release(build(slice(...lengths, { tag: "00080001", vr: "UL", value: 500 })), []))
    for (const tag of ["00080000", "00100000", "00280000", "00080001"]) expect(out.has(pathOf(tag)), tag).toBe(false)
  })
})

describe("character sets", () => {
  const described = (charset: string, bytes: Uint8Array, options: readonly ProfileOption[] = ["clean-descriptors"]) =>
    release(
      build(slice({ tag: "00080005", vr: "CS", value: charset }, { tag: "0008103E", vr: "LO", value: bytes })),
      options,
      { cleanText: (text) => text.replaceAll("Doe", "").trim() },
    )
  const valueOf = (file: Uint8Array) => {
    const { dataSet, source } = parseWhole(file)
    const element = dataSet.elements.find(({ tag }) => tag === 0x0008103e)!
    return Buffer.from(source.bytes(element.valueStart, element.valueEnd))
  }
  const greek = Buffer.from([0xc4, 0xe9, 0xef, 0xed])
  const jis = Buffer.from([0x1b, 0x24, 0x42, 0x3b, 0x33, 0x45, 0x44, 0x1b, 0x28, 0x42])
  const korean = Buffer.from([0x1b, 0x24, 0x29, 0x43, 0xb1, 0xe8])
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ["ISO_IR 100", Buffer.from("Schädel", "latin1")],
    ["ISO_IR 126", greek],
    ["ISO_IR 144", Buffer.from([0xbb, 0xee, 0xda])],
    ["ISO_IR 192", Buffer.from("Schädel 山田")],
    ["GB18030", Buffer.from([0xcd, 0xf5])],
    ["ISO_IR 13", Buffer.from([0xd4, 0xcf])],
    ["\\ISO 2022 IR 87", jis],
    // an escape to the set that is there anyway, which nobody would write again
    ["\\ISO 2022 IR 87", Buffer.concat([Buffer.from([0x1b, 0x28, 0x42]), Buffer.from("chest")])],
    ["\\ISO 2022 IR 149", korean],
    ["ISO 2022 IR 100\\ISO 2022 IR 126", Buffer.concat([Buffer.from([0x1b, 0x2d, 0x46]), greek])],
  ]

  it.each(cases)(
    "%s: what is cleaned is written in the same set, what is not stays byte for byte",
    (charset, bytes) => {
      const even = (value: Buffer) => (value.length % 2 === 0 ? value : Buffer.concat([value, Buffer.from(" ")]))
      expect(valueOf(described(charset, bytes)).equals(even(Buffer.from(bytes)))).toBe(true)
      const text = textsOf(described(charset, bytes)).get("(0008,103E)")
      const changed = described(charset, Buffer.concat([Buffer.from("Doe "), bytes]))
      expect(textsOf(changed).get("(0008,103E)")).toBe(text)
      expect(text).not.toMatch(/\ufffd/)
    },
  )

  it("an escape ends at the delimiters of names (PS3.5 6.1.2.5.3)", () => {
    const name = Buffer.from([0x1b, 0x24, 0x29, 0x43, 0xb1, 0xe8, 0x5e, 0xe8, 0xf1])
    expect(decodeText(name, charsetOf(["", "ISO 2022 IR 149"]))).toBe("김^èñ")
  })

  it("UTF-8 that is called something else is read and written as what it is", () => {
    const out = described("ISO_IR 100", Buffer.from("Doe Schädel"))
    expect(valueOf(out).toString("utf8").trim()).toBe("Schädel")
  })

  it("the person is found in UTF-8 that is called something else", () => {
    const bytes = build(
      slice(
        { tag: "00100010", vr: "PN", value: Buffer.from("MÜLLER^ANNA") },
        { tag: "00080070", vr: "LO", value: Buffer.from("Gerät von Müller") },
      ),
    )
    expect(refusal(bytes, [])).toBe("identifier-left")
  })

  it("each group of a name counts (PS3.5 6.2.1): alphabetic, ideographic, phonetic", () => {
    const bytes = (kept: string) =>
      build(
        slice(
          { tag: "00080005", vr: "CS", value: "ISO_IR 192" },
          { tag: "00100010", vr: "PN", value: "Yamada^Tarou=山田^太郎=やまだ^たろう" },
          { tag: "0008103E", vr: "LO", value: kept },
        ),
      )
    for (const word of ["yamada", "太郎", "やまだ"])
      expect(textsOf(release(bytes(`chest ${word}`), ["clean-descriptors"])).get("(0008,103E)")).toBe("chest")
    // A group in Latin letters of which each word is a clinical one.
    const third = slice(
      { tag: "00100010", vr: "PN", value: "Yamada^Tarou=Lung^Liver=Spleen^Kidney" },
      { tag: "0008103E", vr: "LO", value: "chest Lung Spleen" },
    )
    expect(textsOf(release(build(third), ["clean-descriptors"])).get("(0008,103E)")).toBe("chest")
  })
})

describe("files that are large or strange", () => {
  it("a multi-frame image of 4 GB is decided on by its header alone, its pixels never read", () => {
    const frames = 8_191
    const length = 512 * 512 * 2 * frames
    const whole = build(
      slice(
        { tag: "00280008", vr: "IS", value: String(frames) },
        { tag: "00280010", vr: "US", value: 512 },
        { tag: "00280011", vr: "US", value: 512 },
        { tag: "7FE00010", vr: "OW", value: new Uint8Array(0) },
      ),
    )
    const header = Buffer.from(whole)
    header.writeUInt32LE(length, header.length - 4)
    expect(header.length).toBeLessThan(2048)
    const verdict = verdictWith(header, header.length + length)
    expect(verdict).toMatchObject({ kind: "released", copy: { to: header.length + length } })
  })

  it("private attributes without creator, odd lengths, wrong VRs and no preamble change nothing about who is in them", () => {
    const odd = slice(
      { tag: "00081030", vr: "UN", value: Buffer.from("Jane Doe!") },
      { tag: "00100030", vr: "LT", value: "born 1950" },
      { tag: "00090001", vr: "LO", value: "Jane" },
      { tag: "00081090", vr: "SQ", items: [[{ tag: "00100010", vr: "LO", value: "DOE^JANE" }]] },
    )
    for (const [, options] of sets) expect(latin(release(build(odd), options))).not.toMatch(/jane|doe|1950/i)
  })

  it("attributes that come twice are refused, also out of order: a reader may see the other one", () => {
    const bytes = build(slice({ tag: "7FE00010", vr: "OW" }))
    const name = Buffer.from("100010004c4f040058595a20", "hex")
    const number = Buffer.from("20001300495302003120", "hex")
    expect(refusal(Buffer.concat([bytes, number, name]), [])).toBe("unparsable")
  })

  it("the same key gives the same bytes", () => {
    const bytes = build(
      slice({ tag: "0008103E", vr: "LO", value: "chest of Jane" }, { tag: "00080021", vr: "DA", value: "20240229" }),
    )
    expect(Buffer.from(release(bytes, fullest)).equals(Buffer.from(release(bytes, fullest)))).toBe(true)
    expect(person.shiftDays).toBe(400)
  })
})

function verdictWith(header: Uint8Array, size: number) {
  return verdictOn(header, [], {}, size)
}
