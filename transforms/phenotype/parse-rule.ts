import { isUnit } from "../../formats/ucum/index.ts"
import type { Checker, Path } from "./checker.ts"
import { parseOffset, reportCategories } from "./definition.ts"
import type { CodePattern, Leaf, Offset, Quantity, ReportCategory, Rule, Window } from "./definition.ts"

export type ValueSets = ReadonlyMap<string, readonly CodePattern[]>

const combinators = ["all", "any", "not"] as const
const leaves = ["lab", "condition", "report"] as const
const shared = ["window", "same", "count", "join"]
const own = {
  lab: ["at-least", "at-most", "between", "molar-mass"],
  condition: [],
  report: ["category"],
} as const

const positive = (value: number) => value > 0

/** Reads a rule; how deep it may nest is bounded, so that a file cannot exhaust the stack. */
export function parseRule(check: Checker, value: unknown, path: Path, sets: ValueSets, depth = 0): Rule {
  const kinds = [...combinators, ...leaves].filter(
    (kind) => typeof value === "object" && value !== null && kind in value,
  )
  const [kind] = kinds
  const none: Rule = { kind: "all", rules: [] }
  if (depth > 20) return check.fault(path, "rules nest more than 20 deep") ?? none
  if (kind === undefined || kinds.length > 1)
    return check.fault(path, `expected exactly one of ${[...combinators, ...leaves].join(", ")}`) ?? none
  if (kind === "all" || kind === "any") {
    const map = check.map(value, path, [kind])
    const items = check.list(map?.[kind], [...path, kind])
    return { kind, rules: items.map((item, at) => parseRule(check, item, [...path, kind, at], sets, depth + 1)) }
  }
  if (kind === "not") {
    const map = check.map(value, path, [kind])
    return { kind, rule: parseRule(check, map?.["not"], [...path, kind], sets, depth + 1) }
  }
  return { kind: "leaf", leaf: parseLeaf(check, value, path, kind, sets) }
}

function parseLeaf(check: Checker, value: unknown, path: Path, kind: (typeof leaves)[number], sets: ValueSets): Leaf {
  const map = check.map(value, path, [kind, ...shared, ...own[kind]]) ?? {}
  const at = (key: string) => [...path, key]
  const given = (key: string) => map[key] !== undefined
  const name = check.text(map[kind], at(kind))
  const codes = sets.get(name)
  if (name !== "" && codes === undefined)
    check.fault(at(kind), `no value set of this name; declared: ${[...sets.keys()].join(", ") || "none"}`)
  const sameEncounter = given("same") && check.oneOf(map["same"], at("same"), ["encounter"]) !== undefined
  if (!given("window") && !given("same")) check.fault(path, "expected a window, or same: encounter")
  const base = {
    codes: codes ?? [],
    window: given("window") ? parseWindow(check, map["window"], at("window")) : undefined,
    sameEncounter,
    count: given("count")
      ? check.number(map["count"], at("count"), (n) => Number.isInteger(n) && n > 0, "a whole number above 0")
      : 1,
    join: given("join")
      ? (check.oneOf(map["join"], at("join"), ["study", "patient"]) ?? "patient")
      : kind === "report"
        ? ("study" as const)
        : ("patient" as const),
  }
  if (kind === "condition") return { kind, ...base }
  if (kind === "lab") return { kind, ...base, ...parseBounds(check, map, path) }
  const names = Object.keys(reportCategories) as ReportCategory[]
  return {
    kind,
    ...base,
    category: given("category") ? check.oneOf(map["category"], at("category"), names) : undefined,
  }
}

function parseBounds(check: Checker, map: Readonly<Record<string, unknown>>, path: Path) {
  const stated = ["at-least", "at-most", "between"].filter((key) => map[key] !== undefined)
  if (stated.includes("between") && stated.length > 1) check.fault([...path, "between"], "between stands alone", true)
  const bound = (key: string) => (map[key] === undefined ? undefined : parseQuantity(check, map[key], [...path, key]))
  const between = map["between"] === undefined ? undefined : parseBetween(check, map["between"], [...path, "between"])
  const mass = map["molar-mass"]
  return {
    atLeast: between?.low ?? bound("at-least"),
    atMost: between?.high ?? bound("at-most"),
    molarMass:
      mass === undefined ? undefined : check.number(mass, [...path, "molar-mass"], positive, "a number above 0, g/mol"),
  }
}

function parseUnit(check: Checker, value: unknown, path: Path): string {
  const unit = check.text(value, path)
  if (unit !== "" && !isUnit(unit)) check.fault(path, "is not a UCUM code")
  return unit
}

const any = () => true

function parseQuantity(check: Checker, value: unknown, path: Path): Quantity | undefined {
  const map = check.map(value, path, ["value", "unit"])
  if (map === undefined) return undefined
  const amount = check.number(map["value"], [...path, "value"], any, "a number")
  return { value: amount, unit: parseUnit(check, map["unit"], [...path, "unit"]) }
}

function parseBetween(check: Checker, value: unknown, path: Path): { low: Quantity; high: Quantity } | undefined {
  const map = check.map(value, path, ["low", "high", "unit"])
  if (map === undefined) return undefined
  const unit = parseUnit(check, map["unit"], [...path, "unit"])
  const [low, high] = ["low", "high"].map((key) => check.number(map[key], [...path, key], any, "a number"))
  if (low! > high!) check.fault(path, "low is above high")
  return { low: { value: low!, unit }, high: { value: high!, unit } }
}

/** An offset such as `-30d`; a fault otherwise. */
export function checkedOffset(check: Checker, value: unknown, path: Path): Offset {
  const offset = parseOffset(value)
  if (offset === undefined) check.fault(path, "expected an offset such as -30d, 12h, 6m (months) or 1y")
  return offset ?? { count: 0, unit: "d" }
}

const approximateDays = { h: 1 / 24, d: 1, m: 30.4, y: 365.2 } as const
const days = ({ count, unit }: Offset) => count * approximateDays[unit]

function parseWindow(check: Checker, value: unknown, path: Path): Window | undefined {
  const map = check.map(value, path, ["from", "to"])
  if (map === undefined) return undefined
  const [from, to] = [
    checkedOffset(check, map["from"], [...path, "from"]),
    checkedOffset(check, map["to"], [...path, "to"]),
  ]
  if (days(from) > days(to)) check.fault(path, "from is after to")
  return { from, to }
}
