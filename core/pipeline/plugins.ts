import type { AnyPlugin } from "../plugin.ts"

/** Plugins by name: a value, so that tests use subsets and nothing registers by being imported. */
export type PluginSet = ReadonlyMap<string, AnyPlugin>

/** Makes a set; a name that is there twice is refused. */
export function pluginSet(plugins: Iterable<AnyPlugin>): PluginSet {
  const set = new Map<string, AnyPlugin>()
  for (const plugin of plugins) {
    if (set.has(plugin.name)) throw new TypeError(`two plugins are named ${plugin.name}`)
    set.set(plugin.name, plugin)
  }
  return set
}

/** The plugins of a package: its default export, a list of declarations, marked with where they come from. */
export function pluginsOfModule(name: string, module: unknown): readonly AnyPlugin[] {
  const list = (module as { default?: unknown } | null)?.default
  const kinds = new Set(["source", "transform", "stateful", "sink"])
  if (!Array.isArray(list) || !list.every((plugin) => kinds.has((plugin as AnyPlugin | null)?.kind as string)))
    throw new TypeError(
      `package ${name} does not default-export a list of plugins (defineSource, defineTransform, ...)`,
    )
  return (list as AnyPlugin[]).map((plugin) => ({ ...plugin, from: name }))
}
