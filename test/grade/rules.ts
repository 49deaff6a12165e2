import type { Element } from "./reader.ts"
import { optionColumns } from "./standard.ts"
import type { Row, Standard } from "./standard.ts"

/** What may become of an attribute (PS3.15 Table E.1-1a): removed, emptied or dummy, dummy, replaced UIDs, kept, cleaned. */
export type Action = "X" | "Z" | "D" | "U" | "K" | "C"

/** The options that were asked for. */
export class Asked {
  readonly names: readonly string[]
  readonly #columns: readonly string[]

  constructor(names: readonly string[]) {
    const unknown = names.filter((name) => optionColumns[name] === undefined)
    if (unknown.length > 0) throw new Error(`no option is named ${unknown.join(", ")}`)
    this.names = names
    this.#columns = names.flatMap((name) => optionColumns[name]![0] ?? [])
  }

  has(name: string): boolean {
    return this.names.includes(name)
  }

  /** What the options say of a row; C wins over K; undefined when they say nothing. */
  of(row: Row): "K" | "C" | undefined {
    const codes = this.#columns.map((column) => row.options[column])
    return codes.includes("C") ? "C" : codes.includes("K") ? "K" : undefined
  }
}

/** By type in the IOD: 3, 2 and 2C, 1 and 1C. The attribute is present, so its condition holds. */
const alternatives: Readonly<Record<string, readonly [three: Action, two: Action, one: Action]>> = {
  "X/Z": ["X", "Z", "D"],
  "X/D": ["X", "Z", "D"],
  "Z/D": ["Z", "Z", "D"],
  "X/Z/D": ["X", "Z", "D"],
  "X/Z/U*": ["X", "Z", "U"],
}

/** The actions that the standard allows for an element of a SOP class; several where the attribute stands in several places of the
 * IOD, or the IOD is not known. undefined for an attribute that is not in the table. */
export function actionsFor(
  element: Element,
  sopClass: string,
  asked: Asked,
  standard: Standard,
): ReadonlySet<Action> | undefined {
  const row = standard.rowOf(element.tag)
  if (row === undefined) return undefined
  const option = asked.of(row)
  if (option !== undefined) return new Set([option])
  const choice = alternatives[row.basic]
  if (choice === undefined) return new Set([row.basic as Action])
  const types = standard.typesOf(sopClass, element.tag, element.path)
  if (types === undefined) return new Set(choice)
  if (types.size === 0) return new Set([choice[0]])
  return new Set([...types].map((type) => choice[type.startsWith("1") ? 2 : type.startsWith("2") ? 1 : 0]))
}
