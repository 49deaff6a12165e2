import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"

/** The version of this package, from the package.json above this file. */
export function version(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json")
    if (existsSync(manifest)) return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version
    if (dirname(folder) === folder) return "unknown"
  }
}
