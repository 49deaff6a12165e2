import { definedTerms, isStandardSystem } from "./allow-list.ts"
import { isObject, objects, text } from "./json.ts"
import type { Json } from "./json.ts"
import type { Profile } from "./mapping.ts"

/** Shorter texts are met by chance. */
const shortest = 4
const shortestNumber = 6
const mostInName = 5

/** Words of letters and digits, lower case, between single spaces: a text is found only at the bounds of words. */
function words(value: string): string {
  if (value.length > longestRemembered) return split(value)
  let told = remembered.get(value)
  if (told === undefined) {
    if (remembered.size >= mostRemembered) remembered.clear()
    remembered.set(value, (told = split(value)))
  }
  return told
}

const split = (value: string): string =>
  ` ${
    value
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu)
      ?.join(" ") ?? ""
  } `

// Systems, codes and units come by the thousand.
const [longestRemembered, mostRemembered] = [100, 5000]
const remembered = new Map<string, string>()

const terms: ReadonlySet<string> = new Set([...definedTerms].map(split))

function phrases(values: readonly string[]): readonly string[] {
  const found = new Set(values.map(split))
  return [...found].filter((phrase) => isLongEnough(phrase) && !terms.has(phrase))
}

/** Whether a phrase has that many letters and digits; two of its characters are the spaces around it. */
const isLongEnough = (phrase: string): boolean =>
  phrase.length >= shortest + 2 && phrase.replaceAll(" ", "").length >= shortest

const strings = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : [value]).filter((item) => typeof item === "string")

const values = (value: unknown): readonly string[] => objects(value).map((one) => text(one["value"]))

/** The words of a name that a reference to the person shows; longer texts are no name. */
function displaysOf(resource: Json): readonly string[] {
  return [resource["subject"], resource["patient"]].flatMap((reference) => {
    const shown = isObject(reference) ? (text(reference["display"]).match(/[\p{L}\p{N}'’-]+/gu) ?? []) : []
    return shown.length > mostInName ? [] : [shown.join(" "), ...shown]
  })
}

function namesOf(resource: Json, profile: Profile): readonly string[] {
  const people = [resource, ...objects(resource["contact"])]
  const names = people.flatMap((person) => objects(person["name"]))
  const addresses = people.flatMap((person) => objects(person["address"]))
  return [
    ...displaysOf(resource),
    ...names.flatMap(({ family, given, text: whole }) => [...strings(family), ...strings(given), text(whole)]),
    ...addresses.flatMap(({ line, city, district, postalCode, text: whole }) => [
      ...strings(line),
      ...[district, whole].map(text),
      // A limited data set tells them.
      ...(profile === "limited-data-set" ? [] : [city, postalCode].map(text)),
    ]),
  ]
}

/** The id of a resource that is not the Patient names its person only when it is a number of some kind: "lipid" is a word. */
const ownId = ({ resourceType, id }: Json): readonly string[] =>
  resourceType === "Patient" || /\d/.test(text(id)) ? [text(id)] : []

function idsOf(resource: Json): readonly string[] {
  const people = [resource, ...objects(resource["contact"])]
  const references = [resource["subject"], resource["patient"]].map((reference) =>
    isObject(reference) ? text(reference["reference"]).replace(/^.*[/:]/, "") : "",
  )
  const telecom = people.flatMap((person) => values(person["telecom"]))
  return [...ownId(resource), ...references, ...values(resource["identifier"]), ...telecom]
}

/** What names the person of a resource, as the search looks for it. */
export interface Own {
  readonly ids: readonly string[]
  /** Those that are numbers of some kind; others may be words of an address. */
  readonly numbers: readonly string[]
  readonly all: readonly string[]
}

/** What names the person of a resource: identifiers that are known of them, and the ids, names, numbers and addresses in the resource. */
export function ownOf(resource: Json, identifiers: readonly string[], profile: Profile = "shifted"): Own {
  const ids = phrases([...identifiers, ...idsOf(resource)])
  const numbers = ids.filter((id) => /\d/.test(id))
  return { ids, numbers, all: [...new Set([...ids, ...phrases(namesOf(resource, profile))])] }
}

/** Whether a code or, by its numbers alone, the system of one says an identifier of the person, at the bounds of words. */
export function isOwnIn(value: string, isSystem: boolean, { all, numbers }: Own): boolean {
  const told = words(value)
  return (isSystem ? numbers : all).some((phrase) => told.includes(phrase))
}

/** Shifted dates, mapped UIDs and pseudonyms are made here; their parts are met by chance. */
const madeHere =
  /^(?:\d{4}(?:-\d\d(?:-\d\d(?:T.*)?)?)?|\d\d:\d\d:\d\d.*|(?:urn:oid:)?2\.25\.\d+|(?:[A-Za-z]+\/)?[a-z2-7]{26})$/

function found(value: unknown, name: string, standard: boolean, own: Own): boolean {
  if (typeof value === "string") return foundInText(value, name, standard, own)
  if (Array.isArray(value)) return value.some((item) => found(item, name, standard, own))
  if (isObject(value)) {
    const system = value["system"]
    const inner = typeof system === "string" && isStandardSystem(system)
    for (const key of Object.keys(value)) if (found(value[key], key, inner, own)) return true
    return false
  }
  if (typeof value === "number") {
    const digits = String(value)
    return digits.length >= shortestNumber && own.ids.includes(split(digits))
  }
  return false
}

function foundInText(value: string, name: string, standard: boolean, own: Own): boolean {
  if (definedTerms.has(value)) return false
  if (name === "code" ? standard : madeHere.test(value)) return false
  const told = words(value)
  for (const phrase of name === "system" ? own.numbers : own.all) if (told.includes(phrase)) return true
  return false
}

/** True when a de-identified resource still says an identifier of its own person, at the bounds of words; texts under four characters,
 * published codes and the allow-list's own terms are left aside. */
export const findsOwn = (output: Json, own: Own): boolean => found(output, "", false, own)
