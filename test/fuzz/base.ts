import { existsSync, readFileSync, readdirSync } from "node:fs"
import { join } from "node:path"
import dictionary from "../../formats/dicom/data/dictionary.json" with { type: "json" }
import table from "../../formats/dicom/data/table-e1-1.json" with { type: "json" }
import { buildPart10, DicomFormatError, parse, parseWhole } from "../../formats/dicom/index.ts"
import type { DataElement, DataSet, Parsed } from "../../formats/dicom/index.ts"
import { Output } from "../../formats/dicom/output.ts"
import { isPixelData } from "../../formats/dicom/tag.ts"
import { LO, PN } from "../../formats/dicom/vr.ts"
import type { Dice } from "../sim/dice.ts"
import type { Span } from "./mutate.ts"

/** Words of the planted person: of no vocabulary, and longer than what is found by chance. */
export const canary = ["QUETZALCOATL", "XOCHIQUETZAL"] as const
const name = canary.join("^")

/** A file to mutate: its bytes up to native pixel data, and how many follow. */
export interface Base {
  readonly name: string
  readonly header: Buffer
  /** Bytes of the whole file. */
  readonly size: number
  /** Its elements at every depth; none of what cannot be read, or is deflated. */
  readonly spans: readonly Span[]
}

/** The elements of a file. */
function spansOf({ elements }: DataSet): readonly Span[] {
  return elements.flatMap((element) => [element, ...(element.items ?? []).flatMap(spansOf)])
}

function readable(header: Buffer, size: number): readonly Span[] {
  try {
    const parsed = parse({ header, size }, { stopAtPixelData: true })
    return parsed.kind === "more" || parsed.encoding.deflated
      ? []
      : spansOf(parsed.dataSet).filter(({ end }) => end <= header.length)
  } catch (thrown) {
    if (thrown instanceof DicomFormatError) return []
    throw thrown
  }
}

const based = (file: string, header: Buffer, size: number): Base => ({
  name: file,
  header,
  size,
  spans: readable(header, size),
})

/** Files above this are not mutated when their frames are encapsulated, as those are read whole. */
const most = 128 << 10

const planted = [
  [0x00100010, PN, name],
  [0x00100020, LO, canary[1]],
] as const

/** A file with the planted person's name and id in it. */
function plant(bytes: Buffer, { dataSet }: Parsed): Buffer {
  const output = new Output(bytes.length + 512)
  let from = 0
  for (const [tag, vr, text] of planted) {
    const next = dataSet.elements.find((element) => element.tag >= tag)
    const at = next?.start ?? bytes.length
    output.append(bytes.subarray(from, at))
    const value = Buffer.from(text.length % 2 === 0 ? text : `${text} `)
    output.header(tag, vr, value.length, dataSet.coding)
    output.append(value)
    from = next?.tag === tag ? next.end : at
  }
  output.append(bytes.subarray(from))
  return Buffer.from(output.bytes())
}

function baseOf(file: string, bytes: Buffer): Base | undefined {
  let parsed: Parsed
  try {
    parsed = parseWhole(bytes)
  } catch (thrown) {
    if (!(thrown instanceof DicomFormatError)) throw thrown
    return bytes.length > most ? undefined : based(file, bytes, bytes.length)
  }
  if (parsed.encoding.deflated || !parsed.dataSet.sorted) return based(file, bytes, bytes.length)
  const made = plant(bytes, parsed)
  const pixels = parseWhole(made).dataSet.elements.find(({ tag }) => isPixelData(tag))
  if (pixels === undefined || pixels.fragments !== undefined)
    return made.length > most ? undefined : based(file, made, made.length)
  const header = made.subarray(0, Math.min(made.length, pixels.valueStart + 64))
  return header.length > most ? undefined : based(file, header, made.length)
}

/** The files of a folder, each with the planted person; none when it is not there. */
export function filesOf(folder: string): readonly Base[] {
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter((file) => file.endsWith(".dcm"))
  return files.sort().flatMap((file) => baseOf(file, readFileSync(join(folder, file))) ?? [])
}

const syntaxes = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"]
const charsets = ["ISO_IR 100", "ISO_IR 192", "GB18030", "\\ISO 2022 IR 87", "ISO_IR 144", "ISO_IR 13"]
const texts = new Set("PN LO SH ST LT UT UC AE UN OB UR".split(" "))
const decides = /^(?:0008(?:0005|0008|0016|0018|0060|0064)|001810|0020000[DE]|0028|7FE0|0040A|04000500)/
const rows = (dictionary.rows as string[][])
  .map(([tag, vr]) => ({ tag: tag!, vr: vr! }))
  .filter(({ tag, vr }) => /^[0-9A-F]{8}$/.test(tag) && tag > "00080005" && texts.has(vr) && !decides.test(tag))
const inTable = new Set((table.rows as string[][]).map(([tag]) => tag!))
const identifying = rows.filter(({ tag }) => inTable.has(tag))
const others = rows.filter(({ tag }) => !inTable.has(tag))
const sequences = ["00081115", "00081250", "00081140", "00400275", "00101002", "00321064", "00409096"]

function element(dice: Dice): DataElement {
  const { tag, vr } = dice.chance(0.6) ? dice.pick(identifying) : dice.pick(others)
  const said = inTable.has(tag) ? dice.pick([name, canary[0], `of ${canary[1]}`]) : "Plain text"
  return { tag, vr, value: vr === "OB" || vr === "UN" ? Buffer.from(said) : said.slice(0, vr === "SH" ? 16 : 64) }
}

const distinct = (elements: readonly DataElement[]): readonly DataElement[] => [
  ...new Map(elements.map((one) => [one.tag, one])).values(),
]

function nested(dice: Dice, depth: number): DataElement {
  const inside = Array.from({ length: dice.below(3) + 1 }, () => element(dice))
  const deeper = depth > 0 && dice.chance(0.6) ? [nested(dice, depth - 1)] : []
  return { tag: dice.pick(sequences), vr: "SQ", items: [distinct([...inside, ...deeper])] }
}

/** A made-up CT slice of the planted person, in any transfer syntax, character set and depth. */
export function generated(dice: Dice): Base {
  const slice: readonly DataElement[] = [
    { tag: "00080005", vr: "CS", value: dice.pick(charsets) },
    { tag: "00080008", vr: "CS", value: ["ORIGINAL", "PRIMARY"] },
    { tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.2" },
    { tag: "00080018", vr: "UI", value: `1.2.3.4.${dice.below(1000)}` },
    { tag: "00080020", vr: "DA", value: "20240229" },
    { tag: "00080060", vr: "CS", value: "CT" },
    { tag: "00100010", vr: "PN", value: name },
    { tag: "00100020", vr: "LO", value: canary[1] },
    { tag: "00180015", vr: "CS", value: "CHEST" },
    { tag: "0020000D", vr: "UI", value: "1.2.3.4.1" },
    { tag: "0020000E", vr: "UI", value: "1.2.3.4.2" },
    { tag: "00280002", vr: "US", value: 1 },
    { tag: "00280004", vr: "CS", value: "MONOCHROME2" },
    { tag: "00280010", vr: "US", value: 4 },
    { tag: "00280011", vr: "US", value: 4 },
    { tag: "00280100", vr: "US", value: 16 },
    { tag: "7FE00010", vr: "OW", value: new Uint8Array(32) },
  ]
  const more = Array.from({ length: dice.below(8) }, () => element(dice))
  const owner: DataElement = { tag: "00090010", vr: "LO", value: "SOMEBODY" }
  const own: DataElement = { tag: "00091001", vr: "LO", value: canary[0] }
  const chosen = new Set(slice.map(({ tag }) => tag))
  const elements = distinct([...more, nested(dice, 3), ...(dice.chance(0.5) ? [owner, own] : [])])
  const bytes = buildPart10([...slice, ...elements.filter(({ tag }) => !chosen.has(tag))], {
    transferSyntax: dice.pick(syntaxes),
    undefinedLengths: dice.chance(0.5),
    preamble: dice.chance(0.8),
  })
  return based("generated", Buffer.from(bytes), bytes.length)
}
