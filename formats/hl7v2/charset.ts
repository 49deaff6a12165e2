import { Hl7Error } from "./errors.ts"

/** A character set of MSH-18 (HL7 table 0211), both ways. */
export interface Charset {
  decode(bytes: Uint8Array): string
  /** Throws Hl7Error `charset-lossy` for a character that the set has not. */
  encode(text: string): Uint8Array
}

/** WHATWG encodings by the names of table 0211; ISO 2022 sets, which switch within a text, are missing on purpose. */
const encodings: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ASCII: "latin1",
    "8859/1": "latin1",
    "8859/2": "iso-8859-2",
    "8859/3": "iso-8859-3",
    "8859/4": "iso-8859-4",
    "8859/5": "iso-8859-5",
    "8859/6": "iso-8859-6",
    "8859/7": "iso-8859-7",
    "8859/8": "iso-8859-8",
    "8859/9": "iso-8859-9",
    "8859/15": "iso-8859-15",
    "ISO IR6": "latin1",
    "ISO IR14": "shift_jis",
    UNICODE: "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc-kr",
    "BIG-5": "big5",
  }),
)

const latin1: Charset = {
  decode: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1"),
  encode(text) {
    // eslint-disable-next-line no-control-regex
    if (/[^\x00-\xff]/.test(text)) throw lossy()
    return Buffer.from(text, "latin1")
  },
}

const utf8: Charset = {
  decode: (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
  encode: (text) => Buffer.from(text, "utf8"),
}

const lossy = () => new Hl7Error("charset-lossy", "MSH[1]-18", "a character is not in the message's character set")

const made = new Map<string, Charset>()

/** Sets of one or two bytes, written by the inverse of how they are read. */
function byTable(encoding: string): Charset {
  const known = made.get(encoding)
  if (known !== undefined) return known
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true })
  const bytesOf = new Map<string, readonly number[]>()
  const add = (...bytes: readonly number[]) => {
    try {
      const char = decoder.decode(Uint8Array.from(bytes))
      if ([...char].length === 1 && !bytesOf.has(char)) bytesOf.set(char, bytes)
    } catch {
      // Not every pair of bytes is a character.
    }
  }
  for (let byte = 0; byte < 256; byte++) add(byte)
  if (!encoding.startsWith("iso-"))
    for (let first = 0x81; first < 0xff; first++) for (let second = 0x30; second < 0xff; second++) add(first, second)
  const charset: Charset = {
    decode: (bytes) => decoder.decode(bytes),
    encode(text) {
      const out: number[] = []
      for (const char of text) {
        const bytes = bytesOf.get(char)
        if (bytes === undefined) throw lossy()
        out.push(...bytes)
      }
      return Uint8Array.from(out)
    },
  }
  made.set(encoding, charset)
  return charset
}

/** Whether bytes hold a character of several bytes and are UTF-8 throughout: no other set gives that by chance. */
function isUtf8(bytes: Uint8Array): boolean {
  if (!bytes.some((byte) => byte > 0x7f)) return false
  try {
    utf8.decode(bytes)
    return true
  } catch {
    return false
  }
}

/** The set of a message by what MSH-18 states; UTF-8 that is stated as a set of single bytes, or not at all, is read as UTF-8.
 * Throws Hl7Error `charset`. */
export function charsetOf(stated: string, bytes: Uint8Array): Charset {
  const names = stated.split("~").filter((name) => name !== "")
  const encoding = names.length === 0 ? "latin1" : encodings.get(names[0]!.trim())
  if (names.length > 1 || encoding === undefined)
    throw new Hl7Error("charset", "MSH[1]-18", "the character set is not one that can be read and written")
  if (encoding === "utf-8") return utf8
  const single = encoding === "latin1" || encoding.startsWith("iso-")
  if (single && isUtf8(bytes)) return utf8
  return encoding === "latin1" ? latin1 : byTable(encoding)
}
