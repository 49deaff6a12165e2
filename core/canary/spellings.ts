import { shortestSpelling } from "./canary.ts"
import type { CanaryKind } from "./canary.ts"

/** How an identifier may stand in bytes. */
export interface Spelling {
  readonly bytes: Uint8Array
  /** No digit may stand on either side: eight digits of a long number are no date. */
  readonly bounded: boolean
}

const isDigits = (text: string): boolean => /^\d+$/.test(text)

/** The texts as which an identifier is written: dates in the orders and with the separators that formats and people use, names in
 * either case, numbers with and without what stands between their parts. */
function textsOf(kind: CanaryKind, value: string): readonly string[] {
  if (kind !== "birth-date") {
    const packed = value.replaceAll(/[\s()+./-]/g, "")
    const plain = kind === "uid" || packed === "" ? [value] : [value, packed, value.replace(/^\+\d+\s/, "")]
    return plain.flatMap((text) => [text, text.toUpperCase(), text.toLowerCase()])
  }
  const [year, month, day] = value.split("-") as [string, string, string]
  const orders = [
    [year, month, day],
    [day, month, year],
    [month, day, year],
  ]
  const joined = orders.flatMap((parts) => ["", "-", ".", "/", " "].map((by) => parts.join(by)))
  return [...joined, String(Date.parse(value))]
}

/** A text in UTF-8, ISO 8859-1 and UTF-16 (of both byte orders: without the byte in which they differ), and as JSON and URLs escape
 * it. */
function encodingsOf(text: string): readonly Uint8Array[] {
  const latin = [...text].every((letter) => letter <= "\u00ff") ? [Buffer.from(text, "latin1")] : []
  const escaped = text.replaceAll(
    /[^\x20-\x7e]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
  const texts = [text, escaped, encodeURIComponent(text)].map((each) => Buffer.from(each, "utf8"))
  return [...texts, ...latin, Buffer.from(text, "utf16le").subarray(0, -1)]
}

/** A long as Avro writes it: zigzag, seven bits a byte. */
function avroLong(value: bigint): Uint8Array {
  const bytes: number[] = []
  for (let rest = value < 0n ? -value * 2n - 1n : value * 2n; ; rest >>= 7n) {
    if (rest < 0x80n) return Uint8Array.from([...bytes, Number(rest)])
    bytes.push(Number(rest & 0x7fn) | 0x80)
  }
}

/** Every spelling of an identifier, without regard to the case of ASCII letters. */
export function spellingsOf(kind: CanaryKind, value: string): readonly Spelling[] {
  const found = new Map<string, Spelling>()
  for (const text of textsOf(kind, value))
    for (const bytes of encodingsOf(text))
      if (bytes.length >= shortestSpelling)
        found.set(Buffer.from(bytes).toString("hex"), { bytes, bounded: isDigits(text) })
  // A record's time, which is no text.
  if (kind === "birth-date") found.set("avro", { bytes: avroLong(BigInt(Date.parse(value))), bounded: false })
  return [...found.values()]
}
