import type { AnyPlugin, Context } from "../../../core/index.ts"
import { decodeOptions } from "../../../core/index.ts"
import type { World } from "./cases.ts"

interface Opens<W extends World> {
  open(): W | Promise<W>
}

/** Runs with a new world, and closes it whatever happens. */
export async function inWorld<W extends World, T>(from: Opens<W>, run: (world: W) => Promise<T>): Promise<T> {
  const world = await from.open()
  try {
    return await run(world)
  } finally {
    await world.close?.()
  }
}

/** The world's options as `create` takes them. */
export function optionsOf(plugin: AnyPlugin, world: World): never {
  const { options, faults } = decodeOptions(plugin, world.options)
  if (faults.length > 0)
    throw new Error(
      `the case's options: ${faults.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ")}`,
    )
  return options as never
}

/** An instance of a plugin that is no sink, with the world's options. */
export async function make<I>(plugin: AnyPlugin, world: World, context: Context): Promise<I> {
  const create = plugin.create as (options: never, context: Context) => Promise<unknown>
  return (await create(optionsOf(plugin, world), context)) as I
}
