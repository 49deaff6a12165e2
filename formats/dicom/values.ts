import { charsetOf, decodeText, defaultCharset } from "./charset.ts"
import type { Charset } from "./charset.ts"
import { find } from "./element.ts"
import type { DataSet, Element } from "./element.ts"
import { rawText, withoutPadding } from "./raw-text.ts"
import type { Source } from "./source.ts"
import { charsetVrs, singleTextVrs } from "./vr.ts"

// eslint-disable-next-line no-control-regex
const beyondAscii = /[^\x00-\x1a\x1c-\x7f]/

/** Reads values of one file. Data of an item is in the item's own Specific Character Set, else in the enclosing one. */
export class Values {
  readonly source: Source
  readonly charset: Charset

  constructor(source: Source, dataSet: DataSet, inherited: Charset = defaultCharset) {
    this.source = source
    const own = find(dataSet, 0x00080005)
    this.charset = own === undefined ? inherited : charsetOf(rawText(source, own).split("\\"))
  }

  /** The bytes of a value. */
  bytes(element: Element): Uint8Array {
    return this.source.bytes(element.valueStart, element.valueEnd)
  }

  /** Text without padding at its end; of charset VRs in Specific Character Set, else byte for byte. */
  text(element: Element, vr: number = element.vr): string {
    const plain = rawText(this.source, element)
    // What is of ISO 646 and has no escape is the same in every set.
    if (!charsetVrs.has(vr) || !beyondAscii.test(plain)) return plain
    const bytes = this.source.bytes(element.valueStart, element.valueEnd)
    return withoutPadding(decodeText(bytes, this.charset))
  }

  /** The values of a text element, each without padding. */
  texts(element: Element, vr: number = element.vr): readonly string[] {
    const text = this.text(element, vr)
    return singleTextVrs.has(vr) ? [text] : text.split("\\").map((one) => one.trim())
  }

  /** First unsigned 16-bit number; undefined when there is none. */
  u16(element: Element, bigEndian: boolean): number | undefined {
    const bytes = this.source.bytes(element.valueStart, element.valueEnd)
    if (bytes.length < 2) return undefined
    return bigEndian ? (bytes[0]! << 8) | bytes[1]! : (bytes[1]! << 8) | bytes[0]!
  }
}
