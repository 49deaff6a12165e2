import { existsSync, readFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { pluginsOfModule } from "../core/pipeline/plugins.ts"
import type { AnyPlugin } from "../core/plugin.ts"

/** A package under `plugins:` that cannot be used, and why. */
export class PackageError extends Error {
  override readonly name = "PackageError"
}

/** Loads the plugins of a package as a module in `folder` would find it, or of a module file when the name is a relative path. */
export async function loadPackage(name: string, folder: string): Promise<readonly AnyPlugin[]> {
  const { entry, from } = find(name, folder)
  let module: unknown
  try {
    module = await import(pathToFileURL(entry).href)
  } catch (error) {
    const { code, name: kind } = error as { code?: string; name?: string }
    throw new PackageError(`package ${name} cannot be loaded (${code ?? kind ?? "error"}): ${entry}`, { cause: error })
  }
  try {
    return pluginsOfModule(from, module)
  } catch (error) {
    throw new PackageError((error as Error).message, { cause: error })
  }
}

interface Found {
  readonly entry: string
  /** As faults and lists name it: `package@version`. */
  readonly from: string
}

function find(name: string, folder: string): Found {
  if (name.startsWith(".") || name.startsWith("/")) {
    const entry = resolve(folder, name)
    if (!existsSync(entry)) throw new PackageError(`no such file: ${name}`)
    return { entry, from: name }
  }
  for (let at = folder; ; at = dirname(at)) {
    const home = join(at, "node_modules", name)
    if (existsSync(join(home, "package.json"))) return entryOf(name, home)
    if (dirname(at) === at) throw new PackageError(`package ${name} is not installed: npm install ${name}`)
  }
}

function entryOf(name: string, home: string): Found {
  const manifest = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as {
    readonly version?: string
    readonly main?: string
    readonly exports?: unknown
  }
  const exported = manifest.exports === undefined ? undefined : target(manifest.exports)
  if (manifest.exports !== undefined && exported === undefined)
    throw new PackageError(`package ${name} exports no module to import`)
  return { entry: join(home, exported ?? manifest.main ?? "index.js"), from: `${name}@${manifest.version ?? "0"}` }
}

/** The module that `import` of the package's name gives (Node, Conditional exports). */
function target(exports: unknown): string | undefined {
  if (typeof exports === "string") return exports
  if (Array.isArray(exports)) return exports.map(target).find((one) => one !== undefined)
  if (typeof exports !== "object" || exports === null) return undefined
  const conditions = exports as Readonly<Record<string, unknown>>
  if ("." in conditions) return target(conditions["."])
  for (const [condition, value] of Object.entries(conditions))
    if (["node", "import", "module-sync", "default"].includes(condition)) {
      const found = target(value)
      if (found !== undefined) return found
    }
  return undefined
}
