import { mkdtemp, open, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { withFile } from "../../cli/deid/files.ts"
import { deidentifier, decodeText, charsetOf, parseWhole } from "../../formats/dicom/index.ts"
import { deidentifyOriginal } from "../../transforms/deidentify/dicom-original.ts"
import { build, person, refusal, release, slice, textsOf } from "./dicom-slice.ts"

const here = (file: string) => join(import.meta.dirname, file)

/** Where names hide, by the classes that the project promises to take care of, and the test of each. */
const classes: Readonly<Record<string, readonly [file: string, test: string]>> = {
  "encapsulated PDF": ["dicom-leaks.test.ts", '["1.2.840.10008.5.1.4.1.1.104.1", "encapsulated-document"]'],
  "encapsulated CDA": ["dicom-leaks.test.ts", '["1.2.840.10008.5.1.4.1.1.104.2", "encapsulated-document"]'],
  "encapsulated STL": ["dicom-leaks.test.ts", '["1.2.840.10008.5.1.4.1.1.104.3", "encapsulated-document"]'],
  "a document in an image": ["dicom-leaks.test.ts", "an encapsulated document in an image"],
  "text items of reports": ["dicom-content.test.ts", "TEXT: clinical words stay, names, ids"],
  "name items of reports": ["dicom-content.test.ts", "PNAME, UIDREF, DATE, TIME and DATETIME"],
  "items of items of reports": ["dicom-content.test.ts", "content items lie in content items"],
  "texts of presentation states": ["dicom-content.test.ts", "releases a presentation state that is refused without it"],
  "texts of annotations": ["dicom-content.test.ts", "texts of annotations do not pass by another way"],
  overlays: ["dicom-leaks.test.ts", '"an overlay comment"'],
  "overlays in pixel bits": ["dicom-content.test.ts", "overlays in unused bits of the pixel data"],
  curves: ["dicom-leaks.test.ts", '"a curve"'],
  audio: ["dicom-leaks.test.ts", '["1.2.840.10008.5.1.4.1.1.9.4.1", "audio"]'],
  "audio of curves": ["dicom-leaks.test.ts", '"curve audio"'],
  "digital signatures": ["dicom-leaks.test.ts", '"a digital signature"'],
  "comment and application segments": ["dicom-deidentify.test.ts", "app-segment: EXIF, comments, thumbnails"],
  "bytes after the last fragment": ["dicom-leaks.test.ts", "bytes after the data set, and after the last fragment"],
  "bytes behind the runs of a frame": ["dicom-leaks.test.ts", "bytes behind the runs of an RLE segment"],
  "trailing padding": ["dicom-leaks.test.ts", '"data set trailing padding"'],
  "file meta information": ["dicom-leaks.test.ts", '"file meta information of the sender"'],
  preamble: ["dicom-leaks.test.ts", "the preamble is gone"],
  icons: ["dicom-leaks.test.ts", '"an icon"'],
  "file names": ["deid-folder.test.ts", "names outputs by pseudonym and content"],
  "object keys and record keys": ["deidentify-dicom.test.ts", "by content and pseudonym alone"],
  "object keys where UIDs are retained": ["deidentify-dicom.test.ts", "but not in the names of objects"],
  "headers and rows": ["deidentify-dicom-feeds.test.ts", "leave nothing planted"],
  "every Specific Character Set": ["dicom-leak-classes.test.ts", "what identifies is taken out of texts in %s"],
  "ISO 2022 escapes": ["dicom-leaks.test.ts", "\\\\ISO 2022 IR 87"],
  "names in three groups": ["dicom-leaks.test.ts", "each group of a name counts (PS3.5 6.2.1)"],
  "UTF-8 that is called something else": ["dicom-leaks.test.ts", "the person is found in UTF-8 that is called"],
  "implicit VR, big endian, deflated": ["dicom-deidentify.test.ts", "keeps %s, order of tags"],
  "undefined length": ["dicom-deidentify.test.ts", "finds the same with undefined lengths"],
  "wrong VR, odd length, no creator, no preamble": [
    "dicom-leaks.test.ts",
    "private attributes without creator, odd lengths",
  ],
  "missing group length": ["dicom-leak-classes.test.ts", "file meta information without its group length"],
  "UN sequences": ["dicom-leak-classes.test.ts", "a sequence that is called UN"],
  "200 levels": ["../property/dicom.test.ts", "200 levels of nesting go through"],
  "10^6 elements": ["dicom-leak-classes.test.ts", "a million elements"],
  "4 GB of frames": ["dicom-leak-classes.test.ts", "4 GB of frames"],
  "anything put back": ["dicom-self-check.test.ts", "put back into %s is found"],
}

describe("the classes of leaks", () => {
  it.each(Object.entries(classes))("%s: has its test", async (_, [file, name]) => {
    expect(await readFile(here(file), "utf8")).toContain(name)
  })
})

/** Defined terms of (0008,0005), PS3.3 C.12.1.1.2, with a word in each as bytes: of another person, in no vocabulary. */
const sets: readonly (readonly [terms: string, bytes: readonly number[]])[] = [
  ["", [0x5a, 0x77, 0x65, 0x69, 0x67]],
  ["ISO_IR 6", [0x5a, 0x77, 0x65, 0x69, 0x67]],
  ["ISO_IR 100", [0x4d, 0xfc, 0x6c, 0x6c, 0x65, 0x72, 0x69, 0x6e]],
  ["ISO_IR 101", [0xa3, 0x75, 0x6b, 0x61, 0x73, 0x69, 0x6b]],
  ["ISO_IR 109", [0xa1, 0x61, 0xa6, 0x61, 0x72]],
  ["ISO_IR 110", [0xa9, 0x61, 0x72, 0x6b, 0x61, 0x6e]],
  ["ISO_IR 144", [0xb8, 0xb2, 0xb0, 0xbd, 0xbe, 0xb2]],
  ["ISO_IR 127", [0xe2, 0xc8, 0xc7, 0xe6, 0xea]],
  ["ISO_IR 126", [0xc4, 0xe9, 0xef, 0xed, 0xf5]],
  ["ISO_IR 138", [0xf9, 0xf8, 0xe5, 0xef, 0xe9]],
  ["ISO_IR 148", [0xde, 0x61, 0x68, 0x69, 0x6e, 0x65]],
  ["ISO_IR 203", [0xa6, 0x69, 0x6d, 0x6b, 0x75, 0x73]],
  ["ISO_IR 166", [0xb9, 0xd2, 0xc1, 0xca, 0xa1]],
  ["ISO_IR 13", [0xd4, 0xcf, 0xc0, 0xde]],
  ["ISO_IR 192", [...Buffer.from("Žižkovský")]],
  ["GB18030", [0xcd, 0xf5, 0xd0, 0xa1, 0xb6, 0xab]],
  ["GBK", [0xcd, 0xf5, 0xd0, 0xa1, 0xb6, 0xab]],
  ["ISO 2022 IR 6\\ISO 2022 IR 87", [0x1b, 0x24, 0x42, 0x3b, 0x33, 0x45, 0x44, 0x1b, 0x28, 0x42]],
  ["ISO 2022 IR 6\\ISO 2022 IR 159", [0x1b, 0x24, 0x28, 0x44, 0x30, 0x22, 0x30, 0x23, 0x1b, 0x28, 0x42]],
  ["ISO 2022 IR 13\\ISO 2022 IR 87", [0x1b, 0x24, 0x42, 0x3b, 0x33, 0x45, 0x44, 0x1b, 0x28, 0x4a]],
  ["ISO 2022 IR 6\\ISO 2022 IR 149", [0x1b, 0x24, 0x29, 0x43, 0xb1, 0xe8, 0xc8, 0xf1]],
  ["ISO 2022 IR 6\\ISO 2022 IR 58", [0x1b, 0x24, 0x29, 0x41, 0xcd, 0xf5, 0xd0, 0xa1]],
  ...[
    "100:2d41:fc",
    "101:2d42:a3",
    "109:2d43:a1",
    "110:2d44:a9",
    "144:2d4c:b8b2",
    "127:2d47:e2c8",
    "126:2d46:c4e9",
  ].map((one) => escaped(one)),
  ...["138:2d48:f9f8", "148:2d4d:de", "203:2d62:a6", "166:2d54:b9d2"].map((one) => escaped(one)),
]

function escaped(one: string): readonly [string, readonly number[]] {
  const [number, sequence, letter] = one.split(":") as [string, string, string]
  return [
    `ISO 2022 IR 6\\ISO 2022 IR ${number}`,
    [0x1b, ...Buffer.from(sequence + letter, "hex"), ...Buffer.from("wxyz")],
  ]
}

describe("in every character set", () => {
  it.each(sets)(
    "what identifies is taken out of texts in %s, and the result refused where it is not",
    (terms, word) => {
      const name = Buffer.from(word)
      const decoded = decodeText(name, charsetOf(terms.split("\\")))
      expect(decoded).not.toMatch(/\ufffd/)
      const of = (tag: string, vr: string) =>
        build(
          slice(
            { tag: "00080005", vr: "CS", value: terms },
            { tag: "00100010", vr: "PN", value: Buffer.concat([name, Buffer.from("^X")]) },
            { tag, vr, value: Buffer.concat([Buffer.from("chest "), name]) },
          ),
        )
      const cleaned = release(of("0008103E", "LO"), ["clean-descriptors"])
      expect(textsOf(cleaned).get("(0008,103E)")).toBe("chest")
      expect(Buffer.from(cleaned).includes(name)).toBe(false)
      // Off the table nothing is cleaned for the patient: the object is held back.
      expect(refusal(of("00080070", "LO"), [])).toBe("identifier-left")
    },
  )
})

describe("files that are large or strange", () => {
  it("file meta information without its group length is read, and written with it", () => {
    const bytes = Buffer.from(build(slice()))
    const without = Buffer.concat([bytes.subarray(0, 132), bytes.subarray(144)])
    const out = release(without, [])
    expect(parseWhole(out).meta!.elements[0]!.tag).toBe(0x00020000)
    expect(textsOf(out).get("(0010,0010)")).toBe(person.patientName())
  })

  it("a sequence that is called UN is treated item by item, as it is implicit inside (CP-246)", () => {
    const name = Buffer.from("100010001000000051554945544554", "hex")
    const item = Buffer.concat([
      Buffer.from("feff00e0", "hex"),
      Buffer.from([24, 0, 0, 0]),
      name.subarray(0, 8),
      Buffer.from("QUETZALCOATL^XYZ"),
    ])
    const out = release(build(slice({ tag: "00081250", vr: "UN", value: item })), [])
    expect(Buffer.from(out).includes("QUETZALCOATL")).toBe(false)
    expect(textsOf(out).get("(0008,1250)")).toBe("1 items")
  })

  it("a million elements are de-identified, and checked", () => {
    const head = build(slice({ tag: "7FE00010", vr: "OW" }))
    const many = Buffer.alloc(20 * 1_000_000)
    for (let i = 0; i < 1_000_000; i++) {
      const at = i * 20
      many.writeUInt16LE(0x0029 + 2 * Math.floor(i / 0xf000), at)
      many.writeUInt16LE(0x0100 + (i % 0xf000), at + 2)
      many.write("LO\x0c\0QUETZALCOATL", at + 4, "latin1")
    }
    const used = process.cpuUsage()
    const out = release(Buffer.concat([head, many]), [])
    expect(Buffer.from(out).includes("QUETZALCOATL")).toBe(false)
    expect(process.cpuUsage(used).user / 1e6).toBeLessThan(30)
  }, 120_000)

  it("4 GB of frames, the most that a native element can hold, pass through in pieces from a sparse file", async () => {
    const dir = await mkdtemp(join(tmpdir(), "weir-4gb-"))
    try {
      const [rows, frames] = [16_384, 10]
      const length = rows * rows * 2 * frames
      const head = Buffer.from(
        build(
          slice(
            { tag: "00280008", vr: "IS", value: String(frames) },
            { tag: "00280010", vr: "US", value: rows },
            { tag: "00280011", vr: "US", value: rows },
            { tag: "7FE00010", vr: "OW", value: new Uint8Array(0) },
          ),
        ),
      )
      // The length of an element has 32 bits (PS3.5 7.1.2).
      const size = Math.min(length, 0xfffffffe)
      head.writeUInt32LE(size, head.length - 4)
      const path = join(dir, "huge.dcm")
      const file = await open(path, "w")
      await file.write(head)
      await file.truncate(head.length + size)
      await file.close()
      const before = process.memoryUsage().rss
      const run = deidentifier({ options: [], faces: "refuse" })
      const bytes = await withFile(path, async (original) => {
        const found = await deidentifyOriginal(original, run, { person, series: { risk: undefined } })
        if (found.kind !== "released") throw new Error(JSON.stringify(found))
        let told = 0
        let most = 0
        for await (const piece of found.stream()) {
          told += piece.length
          if (told % (256 << 20) < piece.length) most = Math.max(most, process.memoryUsage().rss)
        }
        expect(most - before).toBeLessThan(256 << 20)
        expect(told).toBe(found.size)
        return told
      })
      expect(bytes).toBeGreaterThan(size)
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  }, 300_000)
})
