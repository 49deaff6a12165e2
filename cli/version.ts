import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"

/** The folder of this package: the nearest one above this file with a package.json. */
export function packageFolder(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder))
    if (existsSync(join(folder, "package.json")) || dirname(folder) === folder) return folder
}

/** The version of this package. */
export const version = (): string =>
  (JSON.parse(readFileSync(join(packageFolder(), "package.json"), "utf8")) as { version: string }).version

/** How a user of this copy calls `weir`: from the repository, or as an installed package. */
export const invocation = (): string => (import.meta.filename.endsWith(".ts") ? "npm run -s weir --" : "npx weir")
