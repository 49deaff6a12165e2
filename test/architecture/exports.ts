import { readFileSync } from "node:fs"
import { dirname, join, posix } from "node:path"
import { root } from "./imports.ts"

/** An exported name, and whether a doc comment stands right before it. */
export interface Exported {
  readonly name: string
  readonly kind: string
  readonly file: string
  readonly line: number
  readonly documented: boolean
}

const declared =
  /^export (?:declare )?(?:default )?(?:abstract )?(?:async )?(const|let|function\*?|class|interface|type|enum) (\w+)/
const renamed = /^export (?:type )?\{([^}]*)\}(?: from "([^"]+)")?/gm
const starred = /^export (type )?\* (?:as (\w+) )?from "([^"]+)"/gm

/** A doc comment ends on the line before, or the one before a directive for the linter. */
function isDocumented(lines: readonly string[], at: number): boolean {
  let before = at - 1
  while (lines[before]?.startsWith("// oxlint-disable") || lines[before]?.startsWith("// prettier-ignore")) before--
  return lines[before]?.trimEnd().endsWith("*/") === true
}

/** The names that a file declares and exports itself. */
export function declaredIn(file: string): readonly Exported[] {
  const lines = readFileSync(join(root, file), "utf8").split("\n")
  const found = lines.flatMap((text, at) => {
    const match = declared.exec(text)
    if (match === null) return []
    const [, kind, name] = match as unknown as [string, string, string]
    return [{ name, kind, file, line: at + 1, documented: isDocumented(lines, at) }]
  })
  // Overloads are told once, by the first.
  return found.filter(
    ({ name, kind }, at) => found.findIndex((each) => each.name === name && each.kind === kind) === at,
  )
}

/** Every name that a module exports, through whatever it exports from; of packages the namespace alone. */
export function exportedFrom(file: string): readonly Exported[] {
  const text = readFileSync(join(root, file), "utf8")
  const at = (stated: string): string => posix.normalize(posix.join(dirname(file), stated))
  const own = declaredIn(file)
  const stars = [...text.matchAll(starred)].flatMap(([, types, name, stated]) => {
    if (name !== undefined) return [{ name, kind: "namespace", file, line: 0, documented: true }]
    const all = exportedFrom(at(stated!))
    return types === undefined ? all : all.filter(({ kind }) => kind === "interface" || kind === "type")
  })
  const picked = [...text.matchAll(renamed)].flatMap(([, list, stated]) => {
    const from = stated === undefined ? own : exportedFrom(at(stated))
    const names = list!.split(",").map(
      (item) =>
        item
          .trim()
          .replace(/^type /, "")
          .split(" as ")[0]!,
    )
    return from.filter(({ name }) => names.includes(name))
  })
  return [...own, ...stars, ...picked]
}
