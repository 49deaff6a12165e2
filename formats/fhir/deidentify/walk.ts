import type { Rule } from "./allow-list.ts"
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
}

const timePattern = /^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?$/

/** The part of a value that its rule lets pass; undefined when none does. Repetitions are gone through. */
export function pass(value: unknown, rule: Rule, walk: Walk): unknown {
  if (value === undefined || value === null) return undefined
  if (rule.kind === "extensions") return extensions(value, rule.byUrl, walk)
  if (!Array.isArray(value)) return one(value, rule, walk)
  const kept = value.map((item) => one(item, rule, walk)).filter((item) => item !== undefined)
  return kept.length === 0 ? undefined : kept
}

function one(value: unknown, rule: Rule, { mapping, contained }: Walk): unknown {
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
      return isObject(value) ? elements(value, rule.elements, { mapping, contained }) : undefined
  }
}

/** The allowed elements of an object; undefined when nothing is left of it. */
export function elements(value: Json, rules: ReadonlyMap<string, Rule>, walk: Walk): Json | undefined {
  const kept: Record<string, unknown> = {}
  let any = false
  for (const [name, rule] of rules) {
    if (!Object.hasOwn(value, name)) continue
    const passed = pass(value[name], rule, walk)
    if (passed === undefined) continue
    kept[name] = passed
    any = true
  }
  return any ? kept : undefined
}

function extensions(value: unknown, byUrl: ReadonlyMap<string, Rule>, walk: Walk): readonly Json[] | undefined {
  const kept = objects(value).flatMap((extension) => {
    const url = text(extension["url"])
    const rule = byUrl.get(url)
    const passed = rule === undefined ? undefined : one(extension, rule, walk)
    return isObject(passed) ? [{ url, ...passed }] : []
  })
  return kept.length === 0 ? undefined : kept
}
