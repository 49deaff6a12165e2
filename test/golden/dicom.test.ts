import table from "../../formats/dicom/data/table-e1-1.json" with { type: "json" }
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import {
  deidentifier,
  DicomFormatError,
  lookup,
  parse,
  parseWhole,
  summarize,
  tagText,
  Values,
} from "../../formats/dicom/index.ts"
import type { DataSet, Parsed, Pseudonyms } from "../../formats/dicom/index.ts"

const data = process.env["WEIR_TEST_DATA"] ?? "../shared/data"
const folder = join(data, "dicom")
const absent = !existsSync(folder)
if (absent) console.warn("skipped: the DICOM files are not in the test data")
const files = absent ? [] : readdirSync(folder).filter((name) => name.endsWith(".dcm"))
const bytesOf = (name: string) => readFileSync(join(folder, name))

interface Foreign {
  readonly [tag: string]: { readonly vr: string; readonly Value?: readonly unknown[] }
}
interface Dcmjs {
  readonly log: { setLevel(level: string): void }
  readonly data: { readonly DicomMessage: { readFile(bytes: ArrayBuffer): { readonly dict: Foreign } } }
}
const dcmjs = createRequire(import.meta.url)("dcmjs") as Dcmjs
dcmjs.log.setLevel("silent")

/** What dcmjs reads; undefined where it refuses the file. */
function foreign(bytes: Buffer): Foreign | undefined {
  try {
    const copy = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
    return dcmjs.data.DicomMessage.readFile(copy).dict
  } catch {
    return undefined
  }
}

/** dcmjs reads a sequence of VR UN as explicit (PS3.5 6.2.2 says implicit little endian), and drops UIDs with letters. */
const misread = new Set(["pydd__bad_sequence.dcm"])
/** dcmjs decodes texts and then says that they are in UTF-8. */
const SPECIFIC_CHARACTER_SET = 0x00080005
const textual = new Set(["UI", "CS", "DA", "LO", "SH"])
const hex = (tag: number) => tag.toString(16).toUpperCase().padStart(8, "0")

/** Differences of two readings, as paths. */
function differences(dataSet: DataSet, values: Values, other: Foreign, path: string): string[] {
  const found: string[] = []
  const ours = dataSet.elements.map(({ tag }) => hex(tag))
  const theirs = Object.keys(other).map((tag) => tag.toUpperCase())
  if (ours.sort().join() !== theirs.sort().join()) found.push(`${path}: tags`)
  for (const element of dataSet.elements) {
    const there = other[hex(element.tag)]
    const here = path + tagText(element.tag)
    if (there === undefined) continue
    if (element.items !== undefined && there.vr === "SQ") {
      const items = (there.Value ?? []) as readonly Foreign[]
      if (items.length !== element.items.length) found.push(`${here}: items`)
      element.items.forEach((item, index) =>
        found.push(
          ...differences(
            item,
            new Values(values.source, item, values.charset),
            items[index] ?? {},
            `${here}[${index}].`,
          ),
        ),
      )
    } else if (textual.has(there.vr) && element.tag !== SPECIFIC_CHARACTER_SET && lookup(element.tag) !== undefined) {
      const text = (list: readonly unknown[]) => list.map((one) => String(one).trim()).join("\\")
      if (text(values.texts(element)) !== text(there.Value ?? [])) found.push(`${here}: value`)
    }
  }
  return found
}

/** Every range of bytes that some element owns, in order: headers, values, delimiters. */
function ranges(dataSet: DataSet, out: [number, number][]): [number, number][] {
  for (const element of dataSet.elements) {
    out.push([element.start, element.valueStart])
    if (element.items === undefined) out.push([element.valueStart, element.valueEnd])
    for (const item of element.items ?? []) {
      out.push([item.start, item.valueStart])
      ranges(item, out)
      out.push([item.valueEnd, item.end])
    }
    out.push([element.valueEnd, element.end])
  }
  return out
}

function rejoined(parsed: Parsed): Buffer {
  return Buffer.concat(ranges(parsed.dataSet, []).map(([from, to]) => parsed.source.bytes(from, to)))
}

const unreadable = ["pyd__MR_truncated.dcm", "pydd__emri_small_jpeg_2k_lossless_too_short.dcm"]

const person: Pseudonyms = {
  patientId: () => "abcdefghijklmnopqrstuvwxyz",
  patientName: () => "abcdefghijklmnopqrstuvwxyz",
  uid: (uid) => `2.25.${BigInt(`0x${Buffer.from(uid).toString("hex")}`) % 10n ** 38n}`,
  accession: () => "ABCDEFGHIJKLMNOP",
  identifier: () => "ABCDEFGHIJKLMNOP",
  shiftDays: 400,
}

describe.skipIf(absent)("73 real DICOM files (shared data)", () => {
  it("are all there", () => expect(files).toHaveLength(73))

  it("are read, but for those that are cut off", () => {
    const failed = files.filter((name) => {
      try {
        parseWhole(bytesOf(name))
        return false
      } catch (error) {
        expect(error).toBeInstanceOf(DicomFormatError)
        return true
      }
    })
    expect(failed.sort()).toEqual(unreadable)
  })

  it("hold what a foreign parser (dcmjs) finds in them: tags, items and texts at every depth", () => {
    let compared = 0
    const wrong: string[] = []
    for (const name of files.filter((file) => !unreadable.includes(file) && !misread.has(file))) {
      const other = foreign(bytesOf(name))
      if (other === undefined) continue
      compared++
      const parsed = parseWhole(bytesOf(name))
      const found = differences(parsed.dataSet, new Values(parsed.source, parsed.dataSet), other, "")
      if (found.length > 0) wrong.push(`${name} ${found.join(" ")}`)
    }
    expect(wrong).toEqual([])
    expect(compared).toBeGreaterThan(50)
  })

  it("are covered by their elements byte for byte, so that what is kept can be copied as it stands", () => {
    for (const name of files.filter((file) => !unreadable.includes(file))) {
      const parsed = parseWhole(bytesOf(name))
      const { start, end } = parsed.dataSet
      expect(rejoined(parsed).equals(Buffer.from(parsed.source.bytes(start, end))), name).toBe(true)
    }
  })

  it("say the same by their first bytes as by all of them", () => {
    for (const name of files) {
      const bytes = bytesOf(name)
      let have = 16
      const attempt = () => {
        for (;;) {
          const summary = summarize({ header: bytes.subarray(0, have), size: bytes.length })
          if (summary.kind === "summary") return summary
          expect(summary.to).toBeGreaterThan(have)
          have = summary.to
        }
      }
      if (name === unreadable[0]) expect(attempt).toThrow(DicomFormatError)
      else expect(attempt(), name).toEqual(summarize({ header: bytes, size: bytes.length }))
    }
  })

  it("never need their native pixel data, only what stands around it", () => {
    for (const name of files.filter((file) => !unreadable.includes(file))) {
      const bytes = bytesOf(name)
      const whole = parseWhole(bytes)
      const pixels = whole.dataSet.elements.find(({ tag }) => tag === 0x7fe00010)
      if (whole.encoding.deflated || pixels === undefined || pixels.fragments !== undefined) continue
      const cut = { header: bytes.subarray(0, pixels.valueStart), size: bytes.length }
      const first = parse(cut)
      const again = first.kind === "more" ? parse({ ...cut, tail: bytes.subarray(first.from) }) : first
      if (first.kind === "more") expect(first.part).toBe("tail")
      expect(again.kind === "parsed" ? again.dataSet : undefined, name).toEqual(whole.dataSet)
    }
  })

  it("each have a verdict with a reason, and what is released reads back", () => {
    const reasons = new Map<string, number>()
    const run = deidentifier({ options: ["retain-longitudinal-modified-dates"], faces: "refuse" })
    for (const name of files) {
      const bytes = bytesOf(name)
      const verdict = run({ header: bytes, size: bytes.length }, { person })
      const reason = verdict.kind === "refused" ? verdict.reason : verdict.kind
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
      if (verdict.kind !== "released") continue
      const copy = bytes.subarray(verdict.copy.from, verdict.copy.to)
      parseWhole(Buffer.concat([verdict.prefix, copy, verdict.suffix]))
    }
    expect(Object.fromEntries(reasons)).toEqual({
      "face-risk": 16,
      released: 13,
      "burned-in-text-risk": 31,
      "media-directory": 3,
      "structured-report": 4,
      "unsupported-sop-class": 4,
      unparsable: 2,
    })
  })
})

const expectedFolder = join(data, "dicom-expected/ms")

interface Config {
  readonly rules: readonly { readonly tag: string; readonly method: string }[]
}

describe.skipIf(!existsSync(expectedFolder))("de-identified files of another implementation (shared data)", () => {
  const config = absent
    ? { rules: [] }
    : (JSON.parse(readFileSync(join(expectedFolder, "configuration.json"), "utf8").replace(/^\uFEFF/, "")) as Config)
  const methods = new Map(
    config.rules
      .filter(({ tag }) => /^\([0-9A-F]{4},[0-9A-F]{4}\)$/i.test(tag))
      .map(({ tag, method }) => [parseInt(tag.replace(/\W/g, ""), 16), method]),
  )

  /** The other implementation follows an older edition of the table. */
  const inTable = new Set((table.rows as string[][]).map((row) => parseInt(row[0]!, 16)))

  it.each(["I290.dcm", "I341.dcm"])("%s: removes what it removes; keeps byte for byte what no rule names", (name) => {
    const bytes = readFileSync(join(expectedFolder, "DicomFiles", name))
    const verdict = deidentifier({ options: [], faces: "allow" })({ header: bytes, size: bytes.length }, { person })
    if (verdict.kind !== "released") throw new Error(verdict.kind)
    const ours = parseWhole(verdict.prefix)
    const theirBytes = readFileSync(join(expectedFolder, "DicomResults", name))
    const theirs = parseWhole(theirBytes)
    const valueOf = (parsed: Parsed, tag: number) => {
      const element = parsed.dataSet.elements.find((one) => one.tag === tag)
      return element === undefined
        ? undefined
        : Buffer.from(parsed.source.bytes(element.valueStart, element.valueEnd)).toString("hex")
    }
    let kept = 0
    for (const element of parseWhole(bytes).dataSet.elements) {
      const { tag } = element
      const method = methods.get(tag)
      if (method === "remove") expect(valueOf(ours, tag), tagText(tag)).toBeUndefined()
      if (
        method !== undefined ||
        inTable.has(tag) ||
        tag >= 0x7fe00010 ||
        (tag & 0xffff) === 0 ||
        element.items !== undefined
      )
        continue
      // What a de-identifier says of itself.
      if (tag >>> 16 === 0x0012 || tag === 0x00280303) continue
      if ((tag >>> 16) % 2 === 1 || ["DA", "DT"].includes(String.fromCharCode(element.vr >> 8, element.vr & 255)))
        continue
      kept++
      expect(valueOf(ours, tag), tagText(tag)).toBe(valueOf(theirs, tag))
    }
    expect(kept).toBeGreaterThan(20)
  })
})
