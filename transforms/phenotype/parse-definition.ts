import { createHash } from "node:crypto"
import { parseYaml } from "../../formats/yaml/index.ts"
import { Checker } from "./checker.ts"
import type { Fault, Path } from "./checker.ts"
import { leafTypes, leavesOf } from "./definition.ts"
import type { CodePattern, Definition, Rule } from "./definition.ts"
import { checkedOffset, parseRule } from "./parse-rule.ts"
import type { ValueSets } from "./parse-rule.ts"

const keys = ["phenotype", "version", "summary", "studies", "values", "rule", "feeds", "horizon"]

/** Reads one definition; `definition` is there exactly when there is no fault.
 * @param file name to show in faults */
export function parseDefinition(
  file: string,
  text: string,
): { readonly definition?: Definition; readonly faults: readonly Fault[] } {
  const yaml = parseYaml(text)
  if (yaml.faults.length > 0)
    return {
      faults: yaml.faults.map(({ line, column, message }) => ({
        place: `${file}:${line}:${column}`,
        path: "(file)",
        message,
      })),
    }
  const check = new Checker(file, yaml)
  const map = check.map(yaml.value, [], keys)
  if (map === undefined) return { faults: check.faults }
  const definition = readDefinition(check, map, text)
  return check.faults.length > 0 ? { faults: check.faults } : { definition, faults: [] }
}

function readDefinition(check: Checker, map: Readonly<Record<string, unknown>>, text: string): Definition {
  const name = check.text(map["phenotype"], ["phenotype"])
  if (name !== "" && !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name))
    check.fault(["phenotype"], "expected a kebab-case name")
  const version = typeof map["version"] === "number" ? String(map["version"]) : check.text(map["version"], ["version"])
  const studies = map["studies"] === undefined ? {} : check.map(map["studies"], ["studies"], ["modality", "bodyPart"])
  const condition = (key: string) =>
    studies?.[key] === undefined
      ? []
      : check
          .list(studies[key], ["studies", key])
          .map((item, at) => check.text(item, ["studies", key, at]).toUpperCase())
  const rule = parseRule(check, map["rule"], ["rule"], parseValues(check, map["values"]))
  return {
    name,
    version,
    ruleVersion: `${version}+${createHash("sha256").update(text).digest("hex").slice(0, 12)}`,
    summary: map["summary"] === undefined ? "" : check.text(map["summary"], ["summary"]),
    modality: condition("modality"),
    bodyPart: condition("bodyPart"),
    rule,
    feeds: map["feeds"] === undefined ? feedsOf(rule) : parseFeeds(check, map["feeds"]),
    horizon: map["horizon"] === undefined ? { count: 0, unit: "d" } : checkedOffset(check, map["horizon"], ["horizon"]),
  }
}

/** The types that the rule reads; the encounter's end is read where it is the window. */
function feedsOf(rule: Rule): readonly string[] {
  const types = leavesOf(rule).flatMap(({ kind, window }) => [
    leafTypes[kind] as string,
    ...(window === undefined ? ["Encounter"] : []),
  ])
  return [...new Set(types)].sort()
}

function parseFeeds(check: Checker, value: unknown): readonly string[] {
  return check.list(value, ["feeds"]).map((item, at) => {
    const type = check.text(item, ["feeds", at])
    if (type !== "" && !/^[A-Z][A-Za-z]+$/.test(type)) check.fault(["feeds", at], "expected a FHIR resource type")
    return type
  })
}

function parseValues(check: Checker, value: unknown): ValueSets {
  const sets = new Map<string, readonly CodePattern[]>()
  if (value === undefined) return sets
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    check.fault(["values"], "expected value sets by name")
    return sets
  }
  for (const [name, codes] of Object.entries(value))
    sets.set(
      name,
      check.list(codes, ["values", name]).map((code, at) => parseCode(check, code, ["values", name, at])),
    )
  return sets
}

function parseCode(check: Checker, value: unknown, path: Path): CodePattern {
  const map = check.map(value, path, ["system", "code", "display"]) ?? {}
  const system = check.text(map["system"], [...path, "system"])
  const code = typeof map["code"] === "number" ? String(map["code"]) : check.text(map["code"], [...path, "code"])
  const prefix = code.endsWith("*")
  return { system, code: prefix ? code.slice(0, -1) : code, prefix }
}
