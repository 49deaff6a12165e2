import type { Element } from "./reader.ts"

const textVrs = new Set("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT".split(" "))

/** Encodings by defined term of Specific Character Set (PS3.3 C.12.1.1.2), without the ISO 2022 prefix. */
const encodings: Readonly<Record<string, string>> = {
  "IR 100": "latin1",
  "IR 101": "iso-8859-2",
  "IR 109": "iso-8859-3",
  "IR 110": "iso-8859-4",
  "IR 144": "iso-8859-5",
  "IR 127": "iso-8859-6",
  "IR 126": "iso-8859-7",
  "IR 138": "iso-8859-8",
  "IR 148": "windows-1254",
  "IR 203": "iso-8859-15",
  "IR 13": "shift_jis",
  "IR 166": "windows-874",
  "IR 149": "euc-kr",
  "IR 58": "gbk",
  "IR 192": "utf-8",
  GB18030: "gb18030",
  GBK: "gbk",
}

/** Escape sequences of ISO 2022 (PS3.3 tables C.12-3 and C.12-4): the rest of them, and what follows. */
const escapes: readonly (readonly [string, string])[] = [
  ["$)C", "euc-kr"],
  ["$)A", "gbk"],
  ["$B", "iso-2022-jp"],
  ["$(D", "jisx0212"],
  ["(J", "latin1"],
  ["(B", "latin1"],
  [")I", "shift_jis"],
  ["-A", "latin1"],
  ["-B", "iso-8859-2"],
  ["-C", "iso-8859-3"],
  ["-D", "iso-8859-4"],
  ["-L", "iso-8859-5"],
  ["-G", "iso-8859-6"],
  ["-F", "iso-8859-7"],
  ["-H", "iso-8859-8"],
  ["-M", "windows-1254"],
  ["-b", "iso-8859-15"],
  ["-T", "windows-874"],
]

function decodeIn(bytes: Buffer, encoding: string): string {
  if (encoding === "latin1") return bytes.toString("latin1")
  if (encoding === "iso-2022-jp")
    return new TextDecoder(encoding).decode(Buffer.concat([Buffer.from("\x1b$B", "latin1"), bytes]))
  if (encoding === "jisx0212") {
    const codes = [...bytes].flatMap((byte, at) => (at % 2 === 0 ? [0x8f, byte | 0x80] : [byte | 0x80]))
    return new TextDecoder("euc-jp").decode(Buffer.from(codes))
  }
  return new TextDecoder(encoding).decode(bytes)
}

/** Text of a value under a Specific Character Set; what cannot be decoded is replaced, never thrown. */
export function decode(bytes: Buffer, charset: readonly string[]): string {
  const first = (charset[0] ?? "")
    .replace(/^ISO_?\s?(2022 )?/, "")
    .replaceAll("_", " ")
    .trim()
  const initial = encodings[first] ?? "latin1"
  if (!bytes.includes(0x1b)) return decodeIn(bytes, initial)
  const [head, ...rest] = bytes.toString("latin1").split("\x1b")
  let text = decodeIn(Buffer.from(head!, "latin1"), initial)
  for (const part of rest) {
    const found = escapes.find(([sequence]) => part.startsWith(sequence))
    const content = found === undefined ? part : part.slice(found[0].length)
    // What a 94-set in G0 designates ends at a control or delimiter only by another escape; line ends reset it.
    text += decodeIn(Buffer.from(content, "latin1"), found?.[1] ?? initial)
  }
  return text
}

/** Whether a value is text; UN counts when it reads as such. */
export function isText({ vr, value }: Element): boolean {
  if (textVrs.has(vr)) return true
  if (vr !== "UN" && vr !== "OB") return false
  if (value.length === 0 || value.length > 0x10000) return false
  return value.every((byte, at) => byte >= 0x20 || byte === 9 || byte === 10 || byte === 13 || at === value.length - 1)
}

/** The whole text of an element, trimmed of padding. */
export const textOf = (element: Element): string =>
  decode(
    element.value,
    ["AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI"].includes(element.vr) ? [] : element.charset,
  )
    .replaceAll("\0", " ")
    .trim()

const oneValue = new Set(["ST", "LT", "UT", "UR"])

/** The values of an element, each trimmed. */
export const valuesOf = (element: Element): readonly string[] => {
  const text = textOf(element)
  return oneValue.has(element.vr) ? [text] : text.split("\\").map((each) => each.trim())
}

const unitOf = (vr: string): number =>
  vr === "AT" || ["US", "SS", "OW"].includes(vr)
    ? 2
    : ["UL", "SL", "FL", "OF", "OL"].includes(vr)
      ? 4
      : ["FD", "OD", "SV", "UV", "OV"].includes(vr)
        ? 8
        : 1

/** Bytes of a value in little endian without padding, so that encodings can be compared. */
export function canonical({ value, vr, bigEndian }: Element, as = vr): Buffer {
  const unit = unitOf(as)
  if (bigEndian && unit > 1 && value.length % unit === 0) {
    const copy = Buffer.from(value)
    return unit === 2 ? copy.swap16() : unit === 4 ? copy.swap32() : copy.swap64()
  }
  if (!textVrs.has(as) && as !== "UN" && as !== "OB") return value
  let end = value.length
  while (end > 0 && (value[end - 1] === 0 || (value[end - 1] === 0x20 && textVrs.has(as)))) end--
  return value.subarray(0, end)
}
