import type { Rule } from "./allow-list.ts"
import { actionOf, ruleName, tellUnlisted } from "./decision.ts"
import { isObject, objects, text } from "./json.ts"
import type { Json } from "./json.ts"
import { mappedReference, personReference } from "./reference.ts"
import {
  accession,
  address,
  birthDate,
  cappedAge,
  coding,
  date,
  identifier,
  instant,
  quantity,
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
    case "extensions":
      return undefined
    case "elements":
      if (!isObject(value)) return undefined
      tellUnlisted(value, rule.elements, path, mapping)
      return elements(value, rule.elements, walk, path)
  }
}

/** The allowed elements of an object; undefined when nothing is left of it. */
export function elements(value: Json, rules: ReadonlyMap<string, Rule>, walk: Walk, path: string): Json | undefined {
  const kept: Record<string, unknown> = {}
  let any = false
  for (const [name, rule] of rules) {
    if (!Object.hasOwn(value, name)) continue
    const passed = pass(value[name], rule, walk, `${path}.${name}`)
    if (passed === undefined) continue
    kept[name] = passed
    any = true
  }
  return any ? kept : undefined
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
    const passed = elements(extension, rule.elements, walk, place)
    return isObject(passed) ? [{ url, ...passed }] : []
  })
  return kept.length === 0 ? undefined : kept
}
