import type { Spelling } from "./spellings.ts"

interface Form<N> {
  /** ASCII letters in lower case. */
  readonly bytes: Uint8Array
  readonly bounded: boolean
  readonly needle: N
}

/** Bytes with ASCII letters in lower case. */
const folded = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte))

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39

/** Looks for many spellings in one pass over bytes, without regard to the case of ASCII letters: the last two bytes of a window as
 * long as the shortest spelling tell how far the next window may be (S. Wu, U. Manber, 1994), so that most bytes are not looked at. */
export class ByteSearch<N> {
  readonly #forms = new Map<number, Form<N>[]>()
  readonly #shifts: Uint8Array
  readonly #window: number
  /** Bytes of the longest spelling. */
  readonly longest: number

  constructor(needles: Iterable<readonly [N, readonly Spelling[]]>) {
    const forms: Form<N>[] = []
    for (const [needle, spellings] of needles)
      for (const { bytes, bounded } of spellings)
        forms.push({ bytes: bytes.map((byte) => folded[byte]!), bounded, needle })
    const lengths = forms.map(({ bytes }) => bytes.length)
    this.#window = Math.min(255, ...lengths)
    this.longest = Math.max(0, ...lengths)
    this.#shifts = new Uint8Array(1 << 16).fill(this.#window - 1)
    for (const form of forms) this.#add(form)
  }

  #add(form: Form<N>): void {
    const last = this.#window - 1
    for (let at = 1; at <= last; at++) {
      const pair = (form.bytes[at - 1]! << 8) | form.bytes[at]!
      this.#shifts[pair] = Math.min(this.#shifts[pair]!, last - at)
      if (at < last) continue
      const others = this.#forms.get(pair)
      if (others === undefined) this.#forms.set(pair, [form])
      else others.push(form)
    }
  }

  /** The first needle of which a spelling is there.
   * @param goesOn more bytes follow: what may not have a digit after it is not told yet where it stands at the end */
  in(bytes: Uint8Array, goesOn = false): N | undefined {
    const shifts = this.#shifts
    for (let at = this.#window - 1; at < bytes.length;) {
      const pair = (folded[bytes[at - 1]!]! << 8) | folded[bytes[at]!]!
      const shift = shifts[pair]!
      if (shift > 0) {
        at += shift
        continue
      }
      const from = at - this.#window + 1
      for (const form of this.#forms.get(pair)!) if (isAt(bytes, from, form, goesOn)) return form.needle
      at++
    }
    return undefined
  }

  /** Passes pieces on as they come; `found` is called before the piece is passed on with which a needle is whole. */
  async *through(pieces: AsyncIterable<Uint8Array>, found: (needle: N) => never): AsyncGenerator<Uint8Array> {
    let tail: Uint8Array = new Uint8Array(0)
    for await (const piece of pieces) {
      const seen = tail.length === 0 ? piece : Buffer.concat([tail, piece])
      const needle = this.in(seen, true)
      if (needle !== undefined) found(needle)
      // One more than the longest, for the digit that may stand before it.
      tail = Buffer.from(seen.subarray(Math.max(0, seen.length - this.longest - 1)))
      yield piece
    }
    const needle = this.in(tail)
    if (needle !== undefined) found(needle)
  }
}

function isAt<N>(bytes: Uint8Array, from: number, { bytes: form, bounded }: Form<N>, goesOn: boolean): boolean {
  const end = from + form.length
  if (end > bytes.length) return false
  for (let at = 0; at < form.length; at++) if (folded[bytes[from + at]!] !== form[at]) return false
  if (!bounded) return true
  return !isDigit(bytes[from - 1]) && !isDigit(bytes[end]) && !(goesOn && end === bytes.length)
}
