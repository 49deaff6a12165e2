import { readFileSync, readdirSync } from "node:fs"
import { dirname, join, posix, relative } from "node:path"

/** The root of the tree. */
export const root = join(import.meta.dirname, "../..")

/** An import as a file states it: a path from the root of the tree, or the name of a package. */
export interface Import {
  readonly file: string
  readonly line: number
  readonly target: string
}

const skipped = new Set(["node_modules", "dist", ".git", ".weir", ".vitest"])

/** Paths of the tree's files from its root, sorted; what is installed, built or downloaded is left out. */
export function filesOf(folder = root): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      if (skipped.has(entry.name)) return []
      const path = join(folder, entry.name)
      return entry.isDirectory() ? filesOf(path) : entry.isFile() ? [relative(root, path)] : []
    })
    .sort()
}

const statement =
  /^[ \t]*(?:import|export)\b[^"'`;]*?\bfrom\s*["']([^"']+)["']|^[ \t]*import\s*["']([^"']+)["']|\b(?:import|require)\s*\(\s*["']([^"']+)["']/gm

/** Line comments and block comments as blanks, so that lines keep their numbers; strings are left. */
const withoutComments = (text: string): string =>
  text.replace(/("(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (all, string?: string) =>
    string === undefined ? all.replace(/[^\n]/g, " ") : string,
  )

/** Every import, export from, import() and require of a text, types included. */
export function importsOfText(file: string, text: string): readonly Import[] {
  const code = withoutComments(text)
  return [...code.matchAll(statement)].map((match) => {
    const stated = (match[1] ?? match[2] ?? match[3])!
    const target = stated.startsWith(".") ? posix.normalize(posix.join(dirname(file), stated)) : stated
    const line = code.slice(0, match.index + match[0].length).split("\n").length
    return { file, line, target }
  })
}

/** Every import of the tree's TypeScript and JavaScript files. */
export const importsOfTree = (): readonly Import[] =>
  filesOf()
    .filter((file) => /\.[cm]?[jt]s$/.test(file))
    .flatMap((file) => importsOfText(file, readFileSync(join(root, file), "utf8")))
