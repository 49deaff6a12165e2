import { createHash } from "node:crypto"
import type { DataSet, Element } from "../../formats/dicom/index.ts"
import { Values, lookup, parseWhole, tagText } from "../../formats/dicom/index.ts"
import { numberWidth, vrName } from "../../formats/dicom/vr.ts"

/** An element of a file as a table shows it. */
export interface Shown {
  readonly keyword: string
  readonly vr: string
  /** The value, cut where it is long; of opaque bytes how many there are. */
  readonly text: string
  /** Of the whole value. */
  readonly hash: string
  readonly isSequence: boolean
  readonly isEmpty: boolean
}

const longest = 200

/** All elements of a file by their paths, file meta information included. Throws DicomFormatError. */
export function elementsOf(file: Uint8Array): ReadonlyMap<string, Shown> {
  const parsed = parseWhole(file)
  const shown = new Map<string, Shown>()
  if (parsed.meta !== undefined) gather(new Values(parsed.metaSource, parsed.meta), parsed.meta, "", shown)
  gather(new Values(parsed.source, parsed.dataSet), parsed.dataSet, "", shown)
  return shown
}

function gather(values: Values, dataSet: DataSet, path: string, into: Map<string, Shown>): void {
  for (const element of dataSet.elements) {
    const here = path + tagText(element.tag)
    into.set(here, shownOf(values, dataSet, element))
    for (const [at, item] of (element.items ?? []).entries())
      gather(new Values(values.source, item, values.charset), item, `${here}[${at}].`, into)
  }
}

function shownOf(values: Values, dataSet: DataSet, element: Element): Shown {
  const bytes = values.bytes(element)
  const isSequence = element.items !== undefined
  return {
    keyword: lookup(element.tag)?.keyword ?? "",
    vr: vrName(element.vr),
    text: isSequence ? `${element.items.length} items` : cut(textOf(values, dataSet, element, bytes)),
    hash: createHash("sha256").update(bytes).digest("hex"),
    isSequence,
    isEmpty: bytes.length === 0,
  }
}

const cut = (text: string): string =>
  text.length > longest ? `${text.slice(0, longest)}… (${text.length} characters)` : text

function textOf(values: Values, { coding }: DataSet, element: Element, bytes: Uint8Array): string {
  const width = numberWidth.get(element.vr)
  const vr = vrName(element.vr)
  if (width === undefined) return vr === "UN" ? `${bytes.length} bytes` : values.text(element)
  if (vr.startsWith("O") || bytes.length > 64) return `${bytes.length} bytes`
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const little = !coding.bigEndian
  const numbers: string[] = []
  for (let at = 0; at + width <= bytes.length; at += width) numbers.push(numberAt(view, at, vr, little))
  return numbers.join("\\")
}

function numberAt(view: DataView, at: number, vr: string, little: boolean): string {
  if (vr === "US") return String(view.getUint16(at, little))
  if (vr === "SS") return String(view.getInt16(at, little))
  if (vr === "UL") return String(view.getUint32(at, little))
  if (vr === "SL") return String(view.getInt32(at, little))
  if (vr === "FL") return String(view.getFloat32(at, little))
  if (vr === "FD") return String(view.getFloat64(at, little))
  if (vr === "UV") return String(view.getBigUint64(at, little))
  if (vr === "SV") return String(view.getBigInt64(at, little))
  return tagText(((view.getUint16(at, little) << 16) | view.getUint16(at + 2, little)) >>> 0)
}
