import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { AnyPlugin } from "./plugin.ts"

/** The folder of this package: the nearest one above this file with a package.json. */
export function packageFolder(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder))
    if (existsSync(join(folder, "package.json")) || dirname(folder) === folder) return folder
}

let known: string | undefined

/** The version of this package. */
export const weirVersion = (): string =>
  (known ??= (JSON.parse(readFileSync(join(packageFolder(), "package.json"), "utf8")) as { version: string }).version)

/** The version of a plugin: its package's, or this package's for one that comes with it; a plugin of a module file has none, and
 * its path is told. */
export function versionOf({ from }: Pick<AnyPlugin, "from">): string {
  if (from === undefined) return weirVersion()
  const at = from.lastIndexOf("@")
  return at > 0 ? from.slice(at + 1) : from
}
