import { deflateRawSync } from "node:zlib"
import { writeFileMeta } from "../dicom/file-meta.ts"
import { Output } from "../dicom/output.ts"
import type { Parsed } from "../dicom/parse.ts"
import { Attributes } from "./description.ts"

/** A new element for the top of a data set; `fragments` make encapsulated pixel data. */
export interface NewElement {
  readonly vr: number
  readonly value: Uint8Array
  readonly fragments?: readonly Uint8Array[]
}

const OB = 0x4f42
const undefinedLength = 0xffffffff

function write(output: Output, tag: number, { vr, value, fragments }: NewElement, parsed: Parsed): void {
  const { coding } = parsed.dataSet
  if (fragments === undefined) {
    const odd = value.length % 2
    output.header(tag, vr, value.length + odd, coding)
    output.append(value)
    if (odd === 1) output.append(Uint8Array.of(0))
    return
  }
  output.header(tag, OB, undefinedLength, { explicit: true, bigEndian: false })
  output.header(0xfffee000, 0, 0, coding)
  for (const fragment of fragments) {
    const odd = fragment.length % 2
    output.header(0xfffee000, 0, fragment.length + odd, coding)
    output.append(fragment)
    if (odd === 1) output.append(Uint8Array.of(0))
  }
  output.header(0xfffee0dd, 0, 0, coding)
}

/** A file with other elements at its top, `undefined` for those that go, in another transfer syntax or the same; what is not named
 * stays byte for byte. The file meta information is made anew. */
export function withElements(
  parsed: Parsed,
  transferSyntax: string,
  changes: ReadonlyMap<number, NewElement | undefined>,
): Uint8Array {
  const its = new Attributes(parsed.source, parsed.dataSet)
  const output = new Output(parsed.source.size + 4096)
  writeFileMeta(output, its.text(0x00080016), its.text(0x00080018), transferSyntax)
  const bodyStart = output.length
  const left = new Map(changes)
  const insertBefore = (tag: number) => {
    for (const [next, made] of [...left].sort(([a], [b]) => a - b)) {
      if (next >= tag) return
      if (made !== undefined) write(output, next, made, parsed)
      left.delete(next)
    }
  }
  for (const element of parsed.dataSet.elements) {
    insertBefore(element.tag)
    if (!left.has(element.tag)) output.append(parsed.source.bytes(element.start, element.end))
    else {
      const made = left.get(element.tag)
      if (made !== undefined) write(output, element.tag, made, parsed)
      left.delete(element.tag)
    }
  }
  insertBefore(Infinity)
  const whole = output.bytes()
  if (!parsed.encoding.deflated) return whole
  const body = deflateRawSync(whole.subarray(bodyStart))
  return Buffer.concat([whole.subarray(0, bodyStart), body, new Uint8Array(body.length % 2)])
}
