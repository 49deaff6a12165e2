import { readFile } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { compile, packagesOf } from "../core/pipeline/compile.ts"
import { parseSource } from "../core/pipeline/document.ts"
import type { Source } from "../core/pipeline/document.ts"
import { PipelineFaults } from "../core/pipeline/faults.ts"
import type { CompiledPipeline } from "../core/pipeline/model.ts"
import { pluginSet } from "../core/pipeline/plugins.ts"
import type { PluginSet } from "../core/pipeline/plugins.ts"
import type { AnyPlugin } from "../core/plugin.ts"
import type { App, Io } from "./app.ts"
import { PackageError, loadPackage } from "./packages.ts"

/** A pipeline file with the plugins that it may use. */
export interface Loaded {
  readonly pipeline: CompiledPipeline
  readonly plugins: PluginSet
}

/** Reads and compiles a pipeline file with the built-in plugins and those of its packages; never connects.
 * Throws PipelineFaults with everything that is wrong with it. */
export async function loadPipeline(
  file: string,
  app: Pick<App, "builtIns">,
  io: Pick<Io, "environment">,
): Promise<Loaded> {
  const text = await read(file)
  const source = parseSource(file, text, io.environment)
  const told = source.faults.length
  const plugins = await pluginsOf(source, text, app.builtIns)
  const faults = source.faults.slice(told)
  try {
    const pipeline = compile(file, text, { plugins, environment: io.environment })
    missingSettings(source, pipeline)
    faults.push(...source.faults.slice(told + faults.length))
    if (faults.length === 0) return { pipeline, plugins }
  } catch (error) {
    if (!(error instanceof PipelineFaults)) throw error
    faults.push(...error.faults)
  }
  throw new PipelineFaults(faults.toSorted((a, b) => a.line - b.line || a.column - b.column))
}

/** The built-in plugins, and those of a pipeline file's packages if a file is given. */
export async function knownPlugins(file: string | undefined, app: Pick<App, "builtIns">): Promise<PluginSet> {
  if (file === undefined) return pluginSet(app.builtIns)
  const text = await read(file)
  const source = parseSource(file, text, {})
  const told = source.faults.length
  const plugins = await pluginsOf(source, text, app.builtIns)
  if (source.faults.length > told) throw new PipelineFaults(source.faults.slice(told))
  return plugins
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8")
  } catch (error) {
    const code = (error as { code?: string }).code ?? "unreadable"
    const message = code === "ENOENT" ? "no such file" : `the file cannot be read (${code})`
    throw new PipelineFaults([{ file, line: 1, column: 1, path: "", message }])
  }
}

/** Reports packages that cannot be loaded, and names that are there twice. */
async function pluginsOf(source: Source, text: string, builtIns: readonly AnyPlugin[]): Promise<PluginSet> {
  const set = new Map(pluginSet(builtIns))
  for (const [at, name] of packagesOf(text).entries()) {
    try {
      for (const plugin of await loadPackage(name, dirname(resolve(source.file)))) {
        const other = set.get(plugin.name)
        if (other === undefined) set.set(plugin.name, plugin)
        else source.fault(["plugins", at], `plugin ${plugin.name} is also in ${other.from ?? "weir itself"}`)
      }
    } catch (error) {
      if (!(error instanceof PackageError)) throw error
      source.fault(["plugins", at], error.message)
    }
  }
  return set
}

const required: Readonly<Record<string, string>> = { kafka: "brokers", postgres: "url", s3: "bucket" }

/** What a driver cannot do without. */
function missingSettings(source: Source, pipeline: CompiledPipeline): void {
  for (const port of ["log", "store", "objects"] as const) {
    const settings = pipeline[port]
    const setting = required[settings.driver]
    if (setting !== undefined && settings[setting] === undefined)
      source.fault([port], `driver ${settings.driver} needs ${setting}`)
  }
}
