import { badRecord, retryable } from "../../core/errors.ts"
import { checkObjectKey } from "../../core/ports/object-key.ts"
import type { Body, Objects } from "../../core/ports/objects.ts"
import type { Operation } from "./operations.ts"
import { perform } from "./world.ts"
import type { SimProcess, World } from "./world.ts"

const away = () => retryable("unreachable", "the object store did not answer")

async function bytesOf(body: Body): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body
  const parts: Uint8Array[] = []
  for await (const part of body) parts.push(part)
  return Buffer.concat(parts)
}

/** A bucket: what outlives every process. */
export class SimBucket {
  readonly world: World
  readonly objects = new Map<string, Uint8Array>()
  constructor(world: World) {
    this.world = world
  }

  connect(process: SimProcess): Objects {
    const { world, objects } = this
    const put = async (operation: Operation, key: string, body: Body, replace: boolean) => {
      checkObjectKey(key)
      const bytes = await bytesOf(body)
      return perform(world, process, operation, key, away, () => {
        if (!replace && objects.has(key)) return undefined
        objects.set(key, bytes)
        return { key, size: bytes.length }
      })
    }
    const read = async <A>(operation: Operation, key: string, found: (bytes: Uint8Array) => A) => {
      checkObjectKey(key)
      return perform(world, process, operation, key, away, () => {
        const bytes = objects.get(key)
        if (bytes === undefined) throw badRecord("object-missing", `there is no object ${key}`)
        return found(bytes)
      })
    }
    return {
      driver: "sim",
      put: async (key, body) => (await put("objects.put", key, body, true))!,
      putIfAbsent: async (key, body) => (await put("objects.putIfAbsent", key, body, false)) !== undefined,
      get: (key, range) =>
        read("objects.get", key, (bytes) =>
          (async function* () {
            yield range === undefined ? bytes : bytes.subarray(range.from, range.to)
          })(),
        ),
      bytes: (key) => read("objects.bytes", key, (bytes) => bytes),
      head: (key) =>
        perform(world, process, "objects.head", key, away, () => {
          const bytes = objects.get(key)
          return bytes === undefined ? undefined : { key, size: bytes.length }
        }),
      async *list(prefix) {
        const all = await perform(world, process, "objects.list", prefix, away, () => [...objects])
        for (const [key, bytes] of all.sort(([a], [b]) => (a < b ? -1 : 1)))
          if (key.startsWith(prefix)) yield { key, size: bytes.length }
      },
      delete: async (keys) => {
        for (const key of keys) checkObjectKey(key)
        // As by a store that takes its time: one after another.
        for (const key of keys)
          await perform(world, process, "objects.delete", key, away, () => void objects.delete(key))
      },
      close: () => perform(world, process, "objects.close", "", away, () => {}),
    }
  }
}
