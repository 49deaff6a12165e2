/** Words of letters and digits, upper case, between single spaces: found only at the bounds of words. */
const words = (text: string): string => {
  const found = text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toUpperCase()
    .match(/[\p{L}\p{N}]+/gu)
  return found === null ? "" : ` ${found.join(" ")} `
}

/** Words of our own vocabulary: an identifier that is one of them is no reason to refuse every record. */
const definedTerms: ReadonlySet<string> = new Set(
  `positive negative uncertain unknown none anonymous supports refutes subject second minute hour day pathology laboratory
  report final person instance resource dicom study series patient encounter accession original derived primary secondary
  equal equivalent wider narrower chest abdomen head pelvis other`
    .split(/\s+/)
    .map(words),
)

/** Shorter ones are met by chance. */
const shortest = 4
const uidLike = /\d+(?:\.\d+)+/g

/** The original identifiers of one record, for a search of what is kept of it. */
export class OwnIdentifiers {
  readonly #phrases = new Set<string>()
  readonly #uids = new Set<string>()

  /** @param ofResource an id of a resource: it names a person only when it is a number of some kind, "lipid" is a word */
  add(value: string, ofResource = false): void {
    if (ofResource && !/\d/.test(value)) return
    const phrase = words(value)
    if (phrase.length >= shortest + 2 && !definedTerms.has(phrase)) this.#phrases.add(phrase)
  }

  /** UIDs count whole: one is often the beginning of others. */
  addUid(value: string): void {
    if (value.length >= shortest) this.#uids.add(value.trim())
  }

  /** True when a kept text says any of them: UIDs whole, others at the bounds of words. */
  in(text: string): boolean {
    if (text.length < shortest) return false
    if (
      this.#uids.size > 0 &&
      (this.#uids.has(text) || text.match(uidLike)?.some((uid) => this.#uids.has(uid)) === true)
    )
      return true
    if (this.#phrases.size === 0) return false
    const told = words(text)
    for (const phrase of this.#phrases) if (told.includes(phrase)) return true
    return false
  }
}
