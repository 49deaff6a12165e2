import type { TextName } from "./person.ts"

/** A name in one text as its parts: DICOM PN and HL7 XPN (`Family^Given^Middle`, groups by `=`), `Last, First`, or `First Last`, of
 * which the last word is the family name. */
export function nameOf(text: string): TextName {
  const groups = text
    .split("=")
    .map((group) => group.trim())
    .filter((group) => group !== "")
  const names = groups.map(oneOf)
  return { family: names.flatMap(({ family }) => family), given: names.flatMap(({ given }) => given) }
}

const told = (parts: readonly (string | undefined)[]): readonly string[] =>
  parts.flatMap((part) => (part === undefined || part.trim() === "" ? [] : [part.trim()]))

function oneOf(text: string): TextName {
  if (text.includes("^")) {
    const [family, given, middle] = text.split("^")
    return { family: told([family]), given: told([given, middle]) }
  }
  const comma = text.indexOf(",")
  if (comma >= 0) return { family: told([text.slice(0, comma)]), given: told([text.slice(comma + 1)]) }
  const words = text.trim().split(/\s+/)
  return { family: told([words.at(-1)]), given: told(words.slice(0, -1)) }
}
