import { absentReasons, absentUrl } from "./allow-list.ts"
import type { Required, Rule } from "./allow-list.ts"
import { actionOf, ruleName, tellUnlisted } from "./decision.ts"
import { isObject, objects, text } from "./json.ts"
import type { Json } from "./json.ts"
import { mappedReference, patientReference, personReference } from "./reference.ts"
import {
  accession,
  address,
  ageRange,
  answerDate,
  answerNumber,
  birthDate,
  cappedAge,
  coding,
  currency,
  date,
  identifier,
  instant,
  linkId,
  quantity,
  samples,
  sopClass,
  uid,
} from "./values.ts"
import type { OwnMapping } from "./values.ts"

/** What the walk of one resource needs. */
export interface Walk {
  readonly mapping: OwnMapping
  /** New names of contained resources that stay, by their ids. */
  readonly contained: ReadonlyMap<string, string>
  /** Where objects that repeat stood; asked for where decisions are told. */
  readonly places: Map<unknown, string> | undefined
}

const timePattern = /^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?$/

/** The part of a value that its rule lets pass; undefined when none does. Repetitions are gone through. */
export function pass(value: unknown, rule: Rule, walk: Walk, path: string): unknown {
  if (value === undefined || value === null) return undefined
  if (rule.kind === "extensions") return extensions(value, rule.byUrl, walk, path)
  if (!Array.isArray(value)) return one(value, rule, walk, path)
  const kept = value.map((item, at) => one(item, rule, walk, `${path}[${at}]`)).filter((item) => item !== undefined)
  return kept.length === 0 ? undefined : kept
}

function one(value: unknown, rule: Rule, walk: Walk, path: string): unknown {
  const { mapping, places } = walk
  const passed = told(value, rule, walk, path)
  if (isObject(passed)) places?.set(passed, path)
  // What is inside of elements is told one by one.
  if (rule.kind !== "elements" || !isObject(value))
    mapping.decided?.(path, ruleName(rule), actionOf(rule, value, passed, mapping))
  return passed
}

function told(value: unknown, rule: Rule, walk: Walk, path: string): unknown {
  const { mapping, contained } = walk
  switch (rule.kind) {
    case "boolean":
      return typeof value === "boolean" ? value : undefined
    case "integer":
      return Number.isSafeInteger(value) ? value : undefined
    case "decimal":
      return typeof value === "number" ? value : undefined
    case "token":
      return rule.codes.has(text(value)) ? value : undefined
    case "time":
      return timePattern.test(text(value)) ? value : undefined
    case "date":
      return date(value, mapping)
    case "instant":
      return instant(value, mapping)
    case "birth-date":
      return birthDate(value, mapping)
    case "Address":
      return address(value, mapping)
    case "Coding":
      return coding(value, mapping)
    case "Quantity":
      return quantity(value, mapping)
    case "Age": {
      const age = quantity(value, mapping)
      return age === undefined ? undefined : cappedAge(age)
    }
    case "age-range":
      return ageRange(value, mapping)
    case "samples":
      return samples(value)
    case "currency":
      return currency(value)
    case "answer-date":
      return answerDate(value, mapping)
    case "answer-number":
      return answerNumber(value, mapping)
    case "link-id":
      return linkId(value, mapping)
    case "other-patient":
      return patientReference(value, mapping)
    case "person":
      return personReference(value, mapping)
    case "ref":
      return mappedReference(value, rule.types, contained, mapping)
    case "uid":
      return uid(value, mapping)
    case "sop-class":
      return sopClass(value, mapping)
    case "identifiers":
      return identifier(value, mapping)
    case "accession":
      return accession(value, mapping)
    case "masked":
    case "masked-text":
    case "extensions":
      return undefined
    case "elements":
      if (!isObject(value)) return undefined
      tellUnlisted(value, rule.elements, path, mapping)
      return elements(value, rule, walk, path)
  }
}

type Elements = Extract<Rule, { readonly kind: "elements" }>

/** The allowed elements of an object, and of those that it must have and whose value may not be told that they have one; undefined when
 * nothing is left of it. */
export function elements(value: Json, rule: Elements, walk: Walk, path: string): Json | undefined {
  const kept: Record<string, unknown> = {}
  let any = false
  const isExtended = Object.keys(value).some((key) => key.startsWith("_"))
  for (const [name, inner] of rule.elements) {
    const isThere = Object.hasOwn(value, name)
    if (!isThere && !isExtended) continue
    const passed = isThere ? pass(value[name], inner, walk, `${path}.${name}`) : undefined
    if (passed !== undefined) kept[name] = passed
    else if (!absence(value, name, kept)) continue
    any = true
  }
  if (any) for (const one of rule.required ?? []) demand(one, value, kept)
  return any ? kept : undefined
}

/** The reasons why elements are not there that a whole resource must have, where nothing else of it is left. */
export function demands(value: Json, rule: Elements): Json {
  const kept: Record<string, unknown> = {}
  for (const one of rule.required ?? []) demand(one, value, kept)
  return kept
}

const why = (reason: string): Json => ({ extension: [{ url: absentUrl, valueCode: reason }] })

/** The reason that an object states why a value is not there. */
function reasonIn(value: unknown): string | undefined {
  const first: unknown = Array.isArray(value) ? value[0] : value
  if (!isObject(first)) return undefined
  const [found] = objects(first["extension"]).filter(({ url }) => url === absentUrl)
  const reason = text(found?.["valueCode"])
  return absentReasons.has(reason) ? reason : undefined
}

/** Keeps the stated reason why an element has no value. */
function absence(value: Json, name: string, kept: Record<string, unknown>): boolean {
  const beside = `_${name}`
  const [own, other] = [reasonIn(value[name]), Object.hasOwn(value, name) ? undefined : reasonIn(value[beside])]
  if (own !== undefined) kept[name] = Array.isArray(value[name]) ? [why(own)] : why(own)
  else if (other !== undefined) kept[beside] = why(other)
  return own !== undefined || other !== undefined
}

/** Says of an element that the original has, and of which nothing may be told, that it is masked. */
function demand({ name, choice, primitive }: Required, value: Json, kept: Record<string, unknown>): void {
  if (Object.hasOwn(kept, name) || Object.hasOwn(kept, `_${name}`)) return
  const is = (key: string): boolean => {
    const bare = key.startsWith("_") ? key.slice(1) : key
    return choice === undefined
      ? bare === name
      : bare.startsWith(choice) && /^(?:[A-Z]|$)/.test(bare.slice(choice.length))
  }
  if (Object.keys(kept).some(is)) return
  const had = Object.keys(value).find(is)
  if (had === undefined) return
  if (primitive) kept[`_${name}`] = why("masked")
  else kept[name] = had === name && Array.isArray(value[had]) ? [why("masked")] : why("masked")
}

function extensions(
  value: unknown,
  byUrl: ReadonlyMap<string, Rule>,
  walk: Walk,
  path: string,
): readonly Json[] | undefined {
  const kept = objects(value).flatMap((extension, at) => {
    const url = text(extension["url"])
    const rule = byUrl.get(url)
    // Its url may say anything.
    const place = `${path}[${at}]`
    if (rule?.kind !== "elements") {
      walk.mapping.decided?.(place, "extension-not-listed", "removed")
      return []
    }
    tellUnlisted(extension, rule.elements, place, walk.mapping, ["url"])
    const passed = elements(extension, rule, walk, place)
    return isObject(passed) ? [{ url, ...passed }] : []
  })
  return kept.length === 0 ? undefined : kept
}
