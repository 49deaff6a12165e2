/** A place where a needle was found. */
export interface Hit<N> {
  readonly needle: N
  readonly place: string
}

/** A text to look for, with what it stands for. */
export interface Needle {
  readonly value: string
  readonly kind: string
}

interface Form<N> {
  readonly text: string
  readonly needle: N
}

/** Bits of the filter that says which three characters begin a needle. */
const filterBits = 1 << 20

const hashAt = (text: string, at: number): number =>
  ((text.charCodeAt(at) * 31 + text.charCodeAt(at + 1)) * 31 + text.charCodeAt(at + 2)) & (filterBits - 1)

const isDigit = (code: number): boolean => code >= 48 && code <= 57
const isLetter = (code: number): boolean => (code >= 65 && code <= 90) || (code >= 97 && code <= 122)

/** Looks for thousands of texts at once, in texts and in bytes (as ISO 8859-1 text: each needle is also looked for in the bytes of
 * its UTF-8 form). A hit begins and ends where a token does, so that eight digits in a long UID are none; a day may be followed by
 * a time of day, as in DT. Needles of fewer than three characters are not looked for. */
export class Needles<N extends Needle> {
  readonly #filter = new Uint8Array(filterBits)
  readonly #byStart = new Map<string, Form<N>[]>()
  /** Characters that were searched. */
  searched = 0

  constructor(needles: Iterable<N>) {
    for (const needle of needles)
      for (const text of new Set([needle.value, Buffer.from(needle.value, "utf8").toString("latin1")])) {
        if (text.length < 3) continue
        this.#filter[hashAt(text, 0)] = 1
        const start = text.slice(0, 3)
        const forms = this.#byStart.get(start)
        if (forms === undefined) this.#byStart.set(start, [{ text, needle }])
        else forms.push({ text, needle })
      }
  }

  /** The needles in a text, each once. */
  in(text: string): ReadonlySet<N> {
    const found = new Set<N>()
    this.searched += text.length
    for (let at = 0; at < text.length - 2; at++) {
      if (this.#filter[hashAt(text, at)] === 0) continue
      for (const { text: form, needle } of this.#byStart.get(text.slice(at, at + 3)) ?? [])
        if (text.startsWith(form, at) && isToken(text, at, form, needle)) found.add(needle)
    }
    return found
  }
}

function isToken(text: string, at: number, form: string, { kind }: Needle): boolean {
  const end = at + form.length
  if (joined(text.charCodeAt(at - 1), form.charCodeAt(0))) return false
  if (!joined(text.charCodeAt(end), form.charCodeAt(form.length - 1))) return true
  return kind.endsWith("date") && /^\d{8}$/.test(form) && /^\d{6}(?!\d)/.test(text.slice(end, end + 7))
}

/** Whether two neighbours are of one token: both digits, or both letters. NaN (no neighbour) is neither. */
const joined = (a: number, b: number): boolean => (isDigit(a) && isDigit(b)) || (isLetter(a) && isLetter(b))
