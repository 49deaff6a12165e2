import type { Made } from "../../core/index.ts"

/** What was done to an element or a field. reduced: a part of it stands; year: of a date its year alone; mapped: a code of the project
 * stands for it; cleaned: a text in which something was replaced; added: it was not there before. */
export type Action = "kept" | "reduced" | "shifted" | "year" | "mapped" | "cleaned" | "removed" | "added"

/** What was decided on one element or field. */
export interface Decision {
  /** Names and positions alone. */
  readonly path: string
  readonly rule: string
  readonly action: Action
}

/** A passage of a text that was replaced, in the text without escapes; UTF-16 units. */
export interface FoundAt {
  readonly path: string
  readonly kind: string
  readonly start: number
  readonly end: number
}

/** Gathers what was decided on one record, in the order in which formats tell it. Holds no value. */
export class Decisions {
  #told: Decision[] = []
  readonly found: FoundAt[] = []

  readonly decided = (path: string, rule: string, action: Action): void => {
    this.#told.push({ path, rule, action })
  }

  /** What was told of a path, and of what is under it, no longer holds. */
  readonly undone = (path: string): void => {
    this.#told = this.#told.filter((one) => one.path !== path && !one.path.startsWith(`${path}.`))
  }

  readonly finding = (path: string, kind: string, start: number, end: number): void => {
    this.found.push({ path, kind, start, end })
  }

  get told(): readonly Decision[] {
    return this.#told
  }

  /** What is kept of them for reports. */
  made(rules: string, keyId: string): Made {
    const actions = countsOf(this.#told.map(({ action }) => action))
    const findings = countsOf(this.found.map(({ kind }) => kind))
    return { rules, keyId, actions, ...(this.found.length === 0 ? {} : { findings }) }
  }
}

function countsOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
