import { fold } from "./fold.ts"
import type { Maker } from "./surrogates.ts"
import { isTerm } from "./terms.ts"
import type { TextId } from "./person.ts"

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&")

/** Characters of an identifier that is searched; shorter ones are met by chance and count after a label only. */
const shortest = 4

/** What may stand between the characters of an identifier. */
const separators = "-./_ \t\n\v\f\r"

/** The person's own identifiers, found with and without separators and zeros before them. */
export class OwnIds {
  readonly #surrogates = new Map<string, string>()
  readonly #pattern: RegExp | undefined
  readonly #first = new Uint8Array(256)
  /** What of ASCII may follow a first character that is no zero. */
  readonly #second = new Uint8Array(128)

  constructor(ids: readonly TextId[]) {
    const patterns: string[] = []
    for (const { value, surrogate } of [...ids].sort((a, b) => b.value.length - a.value.length)) {
      const bare = fold(value)
      if (bare.length < shortest || (!/\d/.test(bare) && (bare.length < 6 || isTerm(bare)))) {
        if (bare !== "" && surrogate !== undefined) this.#surrogates.set(bare, surrogate)
        continue
      }
      // "MRN-471147" is also written 471147.
      const number = /\p{L}/u.test(bare)
        ? (bare.match(/\d{6,}/g) ?? []).filter((run) => run.length * 2 > bare.length)
        : []
      for (const form of [bare, ...number]) {
        const core = form.replace(/^0+(?=\w{4})/, "")
        if (surrogate !== undefined && !this.#surrogates.has(core)) this.#surrogates.set(core, surrogate)
        patterns.push(`0*${[...core].map(escaped).join("[-\\s./_]?")}`)
        for (const second of `${core[1]!}${core[1]!.toUpperCase()}${separators}`)
          this.#second[second.charCodeAt(0) & 0x7f] = 1
        for (const first of `0${core[0]!}`)
          this.#first[first.charCodeAt(0) & 0xff] = this.#first[first.toUpperCase().charCodeAt(0) & 0xff] = 1
      }
    }
    if (patterns.length > 0) this.#pattern = new RegExp(`(?:${patterns.join("|")})(?![\\p{L}\\p{N}])`, "iyu")
  }

  /** Whether an own identifier may begin with a character. */
  mayBegin = (code: number): boolean => this.#first[code & 0xff] === 1

  /** The end of an own identifier that begins here; 0 when none does. */
  endAt(text: string, at: number): number {
    const first = text.charCodeAt(at)
    if (this.#pattern === undefined || !this.mayBegin(first)) return 0
    const second = text.charCodeAt(at + 1)
    if (first !== 0x30 && second < 0x80 && this.#second[second] === 0) return 0
    this.#pattern.lastIndex = at
    return this.#pattern.test(text) ? this.#pattern.lastIndex : 0
  }

  /** What stands for an identifier: what other formats made of it, else one of the same shape. */
  surrogate(text: string, maker: Maker): string {
    const bare = fold(text)
    const core = bare.startsWith("0") ? bare.replace(/^0+(?=\w{4})/, "") : bare
    return this.#surrogates.get(bare) ?? this.#surrogates.get(core) ?? maker.shape("id", text)
  }
}
