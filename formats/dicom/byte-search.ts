/** Bytes that are searched at a time, so that no text is as long as an object. */
const window = 1 << 22
/** Longest form that is found over the edge of two windows, bytes. */
const overlap = 512

/** A form in which an identifier may lie in bytes, in lower case, one character for each byte. */
export interface ByteForm {
  readonly text: string
  /** Whether no letter or digit may stand on either side. */
  readonly bounded: boolean
}

// eslint-disable-next-line no-control-regex
const beyondAscii = /[^\x00-\x7f]/

/** How a word may lie in bytes: in UTF-8 and ISO 8859-1. */
export function plainForms(word: string): readonly ByteForm[] {
  if (!beyondAscii.test(word)) return [{ text: word.toLowerCase(), bounded: true }]
  const plain = Buffer.from(word, "utf8").toString("latin1").toLowerCase()
  const latin = [...word].every((letter) => letter <= "\u00ff") ? [word.toLowerCase()] : []
  return [...new Set([plain, ...latin])].map((text) => ({ text, bounded: true }))
}

/** The word as UTF-16: big endian holds the little endian form but for its last byte. */
export const wideForm = (word: string): ByteForm => ({
  text: Buffer.from(word, "utf16le").subarray(0, -1).toString("latin1").toLowerCase(),
  bounded: false,
})

/** The form of bytes as they are. */
export const formOf = (bytes: Uint8Array): ByteForm => ({
  text: Buffer.from(bytes).toString("latin1").toLowerCase(),
  bounded: false,
})

const isWord = (code: number): boolean =>
  (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)

function* placesIn(text: string, { text: form, bounded }: ByteForm): Generator<number> {
  for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1)) {
    const after = at + form.length
    const within = at > 0 && isWord(text.charCodeAt(at - 1))
    if (bounded && (within || (after < text.length && isWord(text.charCodeAt(after))))) continue
    yield at
  }
}

/** Where bytes hold any of the forms, without regard to case. */
export function* searchBytes(
  bytes: Uint8Array,
  forms: readonly ByteForm[],
): Generator<{ readonly at: number; readonly form: ByteForm }> {
  if (forms.length === 0) return
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let from = 0; from < buffer.length; from += window) {
    const text = buffer.toString("latin1", from, from + window + overlap).toLowerCase()
    for (const form of forms) for (const at of placesIn(text, form)) yield { at: from + at, form }
  }
}
