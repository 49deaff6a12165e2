import type { PersonEvent, Row } from "../../core/index.ts"
import type { ZoneOffset } from "../../formats/fhir/time.ts"
import { reportCategories } from "./definition.ts"
import type { FactType, ReportCategory } from "./definition.ts"
import { factTime, moment } from "./fact-time.ts"
import type { Span } from "./fact-time.ts"
import { at, items, object, text } from "./json.ts"
import type { Json } from "./json.ts"
import { encounterOf, linksOf } from "./links.ts"
import type { AccessionNamespace } from "./links.ts"
import { codeSort, encounterSort, narrow, narrowSort, wideSort } from "./sorts.ts"
import { lastUpdated, mappedExactly, standing } from "./status.ts"
import type { Standing } from "./status.ts"
import type { Measured, StoredFact } from "./stored.ts"

/** How to read what is said differently from source to source. */
export interface Reading {
  readonly zone: ZoneOffset
  readonly namespace: AccessionNamespace
}

/** A part of a resource that has codes and perhaps a value of its own. */
interface Part {
  readonly part: number
  readonly codings: readonly Json[]
  readonly measured?: Measured
}

function measuredOf(holder: Json): { readonly measured?: Measured } {
  const quantity = object(holder["valueQuantity"])
  const { value, system, code, comparator } = quantity
  if (typeof value !== "number" || !Number.isFinite(value)) return {}
  const unit = system === "http://unitsofmeasure.org" ? text(code) : undefined
  const compared = text(comparator)
  return {
    measured: {
      value,
      ...(unit === undefined ? {} : { unit }),
      ...(compared === undefined ? {} : { comparator: compared }),
    },
  }
}

function partsOf(type: FactType, resource: Json): readonly Part[] {
  const own = items(at(resource, ["code", "coding"]))
  if (type === "Condition") return [{ part: 0, codings: own }]
  if (type === "DiagnosticReport") {
    const conclusions = items(resource["conclusionCode"]).flatMap(({ coding }) => items(coding))
    return [{ part: 0, codings: [...own, ...conclusions] }]
  }
  const components = items(resource["component"]).map((component, index) => ({
    part: index + 1,
    codings: items(at(component, ["code", "coding"])),
    ...measuredOf(component),
  }))
  return [{ part: 0, codings: own, ...measuredOf(resource) }, ...components]
}

function categoriesOf(resource: Json): { readonly categories?: readonly ReportCategory[] } {
  const codes = items(resource["category"]).flatMap(({ coding }) => items(coding).map(({ code }) => code))
  const names = (Object.keys(reportCategories) as ReportCategory[]).filter((name) =>
    (reportCategories[name] as readonly unknown[]).some((code) => codes.includes(code)),
  )
  return names.length === 0 ? {} : { categories: names }
}

/** The codes of a part as recorded (exact) and as mapped; the exact one counts where both ways lead to a code. */
function codesOf(part: Part, event: PersonEvent): ReadonlyMap<string, boolean> {
  const codes = new Map<string, boolean>()
  const recorded = new Set<string>()
  for (const { system, code } of part.codings) {
    const known = text(code)
    if (known === undefined) continue
    const sort = codeSort(text(system) ?? "", known)
    recorded.add(sort)
    codes.set(sort, true)
  }
  for (const { system, code, fromSystem, fromCode, relationship } of event.codes) {
    const exact = mappedExactly(relationship)
    if (exact === undefined || !recorded.has(codeSort(fromSystem, fromCode))) continue
    const sort = codeSort(system, code)
    codes.set(sort, codes.get(sort) === true || exact)
  }
  return codes
}

/** The rows of an Observation, Condition or DiagnosticReport: one a code and place; none when it counts as absent. */
export function codedRows(
  type: FactType,
  event: PersonEvent,
  version: bigint,
  resource: Json,
  reading: Reading,
): Row[] {
  const status = standing(type, resource)
  if (status.says === "absent") return []
  const span = factTime(type, resource, reading.zone)
  const updated = moment(lastUpdated(resource))
  const encounter = encounterOf(resource)
  const shared = {
    type,
    id: event.name,
    revision: String(version),
    from: span?.from ?? null,
    last: span?.last ?? null,
    ...(updated === undefined ? {} : { updated }),
    ...(encounter === undefined ? {} : { encounter }),
    ...linksOf(resource, reading.namespace),
    ...(type === "DiagnosticReport" ? categoriesOf(resource) : {}),
  }
  const rows: Row[] = []
  for (const part of partsOf(type, resource)) {
    const measured = part.measured === undefined ? {} : { measured: part.measured }
    for (const [code, exact] of codesOf(part, event)) {
      const fact: StoredFact = { ...shared, part: part.part, ...said(status, exact), code, ...measured }
      rows.push([placed(fact, span), fact])
      if (encounter !== undefined) rows.push([encounterSort(encounter, fact, code), fact])
    }
  }
  return rows
}

const placed = (fact: StoredFact, span: Span | undefined): string =>
  span !== undefined && span.last - span.from <= narrow
    ? narrowSort(fact, fact.code, span.from)
    : wideSort(fact, fact.code)

/** An inexact code leaves open what a sure fact says; a refuted inexact code refutes nothing. */
function said(status: Exclude<Standing, { says: "absent" }>, exact: boolean): Pick<StoredFact, "says" | "why"> {
  if (!exact && status.says !== "maybe") return { says: "maybe", why: "inexact-code" }
  return status.says === "maybe" ? { says: "maybe", why: status.why } : { says: status.says }
}
