import type { Decision, Why } from "./decision.ts"
import { deidentifier } from "./deidentify.ts"
import type { Policy, Verdict } from "./deidentify.ts"
import { lookup } from "./dictionary.ts"
import type { Input } from "./source.ts"
import { methodCodes, optionCodes, profileEdition } from "./profile.ts"
import type { ProfileOption } from "./profile.ts"
import type { Pseudonyms } from "./pseudonyms.ts"

/** What became of an element: kept byte for byte, removed, emptied, replaced, or gone through item by item. */
export type Fate = "kept" | "removed" | "emptied" | "replaced" | "items-treated" | "items-dummies"

/** One element and the rule that decided on it. No value is in it. */
export interface Explained {
  readonly path: string
  readonly keyword: string
  /** The basic profile's code of the row in Table E.1-1, as `X/Z/D`; empty where there is no row. */
  readonly row: string
  /** The action that the attribute's type in the IOD leaves of it. */
  readonly action: string
  /** The options asked for that say something of the row, with their code: `K` or `C`. */
  readonly options: readonly { readonly option: ProfileOption; readonly code: string }[]
  readonly fate: Fate
  readonly why: Why
}

/** The explanation of one instance. */
export interface Explanation {
  readonly edition: string
  readonly codes: readonly string[]
  readonly options: readonly ProfileOption[]
  /** `released`, or the reason of the refusal, with its place and detail where it has them. */
  readonly verdict: string
  readonly path?: string
  readonly detail?: string
  /** In the order of the output; empty for an instance that is refused before its elements are looked at. */
  readonly elements: readonly Explained[]
}

/** Pseudonyms of nobody: which rule decides does not depend on them. */
const nobody: Pseudonyms = {
  patientId: () => "PSEUDONYM",
  patientName: () => "PSEUDONYM",
  uid: (uid) => `2.25.${[...uid].reduce((sum, letter) => (sum * 31n + BigInt(letter.charCodeAt(0))) % 10n ** 30n, 7n)}`,
  accession: () => "PSEUDONYM",
  identifier: () => "PSEUDONYM",
  shiftDays: 1000,
}

function fateOf({ treatment }: Decision): Fate {
  if (treatment === "keep") return "kept"
  if (treatment === "drop") return "removed"
  if (treatment === "clean") return "items-treated"
  if (treatment === "dummies") return "items-dummies"
  return treatment.value.length === 0 ? "emptied" : "replaced"
}

const explained = (decision: Decision, options: readonly ProfileOption[]): Explained => ({
  path: decision.path,
  keyword: lookup(decision.tag)?.keyword ?? "",
  row: decision.rule?.basic ?? "",
  action: decision.basic ?? "",
  options: optionCodes(decision.tag, options),
  fate: fateOf(decision),
  why: decision.why,
})

/** Tells of each element of an instance which rule decides on it, in the words of PS3.15 Table E.1-1; no key is needed.
 * Nothing is read of its pictures: under Clean Pixel Data they count as read.
 * Throws RangeError for options that exclude each other.
 * @param input the whole file, or its bytes up to native pixel data */
export function explain(input: Input, policy: Policy): Explanation | { readonly kind: "more" } {
  const options = [...policy.options].sort()
  const elements: Explained[] = []
  const trace = (decision: Decision) => {
    elements.push(explained(decision, options))
  }
  const pixels = options.includes("clean-pixel-data") ? ({ pixels: "read" } as const) : {}
  const verdict: Verdict = deidentifier(policy)(input, { person: nobody, trace, ...pixels })
  if (verdict.kind === "more") return { kind: "more" }
  const codes = ["basic" as const, ...options].map((option) => methodCodes.get(option)![0])
  const given = { edition: profileEdition, codes, options, elements }
  if (verdict.kind === "released") return { ...given, verdict: "released" }
  const { reason, path, detail } = verdict
  return {
    ...given,
    verdict: reason,
    ...(path === undefined ? {} : { path }),
    ...(detail === undefined ? {} : { detail }),
  }
}

/** Each reason in words. */
export const whyText: Readonly<Record<Why, string>> = {
  length: "group lengths are retired and would be wrong (PS3.5 7.2)",
  identity: "every output has the pseudonym here",
  statement: "what the output says of its de-identification (PS3.15 E.1.1)",
  "pixel-data": "pixel data, decided on as a whole",
  basic: "basic profile",
  option: "an option says so",
  "content-item": "its concept is about the patient or an observer (PS3.16 TID 1001 to 1009)",
  private: "private, and not known to be safe (PS3.15 E.3.10)",
  "private-safe": "private, known to be safe by its creator (PS3.15 E.3.10)",
  "dummy-sequence": "inside a sequence that becomes dummies",
  unreadable: "no value of its kind, or a date that stands for none: the basic action",
  "names-person": "an option would keep it, but it names the person: the basic action",
  "other-kind": "another kind of value than the attribute's",
  unknown: "in neither table nor dictionary",
  "off-table": "standard, and not in the table",
  "off-table-removed": "not in the table, and tells who or when all the same (docs/decisions/0011)",
  "off-table-date": "a date that the table passes over would tell the shift",
  "off-table-name": "a name that the table passes over",
  "off-table-text": "a text with a name in it, or free text",
  uid: "UIDs of instances are mapped wherever they stand",
}
