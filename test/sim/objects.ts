import { badRecord, retryable } from "../../core/errors.ts"
import type { Body, Objects } from "../../core/ports/objects.ts"
import type { SimProcess, World } from "./world.ts"

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
    const step = async (point: string, key = "") => {
      await world.step(process, point, key)
      if (world.fault(point)) throw retryable("unreachable", "the object store did not answer")
    }
    const found = (key: string) => {
      const bytes = objects.get(key)
      if (bytes === undefined) throw badRecord("object-missing", `there is no object ${key}`)
      return bytes
    }
    return {
      driver: "sim",
      async put(key, body) {
        const bytes = await bytesOf(body)
        await step("put", key)
        objects.set(key, bytes)
        return { key, size: bytes.length }
      },
      async putIfAbsent(key, body) {
        const bytes = await bytesOf(body)
        await step("put", key)
        if (objects.has(key)) return false
        objects.set(key, bytes)
        return true
      },
      async get(key, range) {
        await step("get object", key)
        const bytes = found(key)
        return (async function* () {
          yield range === undefined ? bytes : bytes.subarray(range.from, range.to)
        })()
      },
      async bytes(key) {
        await step("get object", key)
        return found(key)
      },
      async head(key) {
        await step("get object", key)
        const bytes = objects.get(key)
        return bytes === undefined ? undefined : { key, size: bytes.length }
      },
      async *list(prefix) {
        for (const [key, bytes] of [...objects].sort(([a], [b]) => (a < b ? -1 : 1)))
          if (key.startsWith(prefix)) yield { key, size: bytes.length }
      },
      async delete(keys) {
        await step("delete objects")
        for (const key of keys) objects.delete(key)
      },
      close: async () => {},
    }
  }
}
