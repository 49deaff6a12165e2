import type { Append, Log } from "../ports/log.ts"
import type { Body, Objects } from "../ports/objects.ts"
import type { Zone } from "../record.ts"
import type { Counters } from "../engine/counters.ts"
import type { CompiledPipeline } from "../pipeline/model.ts"
import { canaryArrived } from "./watch.ts"
import type { CanaryWatch } from "./watch.ts"

/** A Log each of whose transactions is searched before it begins. Messages of canaries that sources wrote are counted once they are
 * durable. */
export function guardedLog(
  log: Log,
  watch: CanaryWatch,
  { sources }: Pick<CompiledPipeline, "sources">,
  counters: Counters,
): Log {
  const arrivals = new Map(
    sources.flatMap(({ name, outputs }) => Object.values(outputs).map((topic) => [topic, name] as const)),
  )
  const count = ({ topic, messages }: Append): void => {
    const source = arrivals.get(topic)
    if (source === undefined) return
    for (const message of messages) {
      const canary = watch.within(message)
      if (canary !== undefined) counters.add(source, canaryArrived, canary, 1)
    }
  }
  return {
    driver: log.driver,
    ensureTopics: (specs) => log.ensureTopics(specs),
    topics: () => log.topics(),
    bounds: (topic) => log.bounds(topic),
    committed: (group, topic) => log.committed(group, topic),
    join: (spec) => log.join(spec),
    members: (group) => log.members(group),
    reader: (topic, partition, from) => log.reader(topic, partition, from),
    close: () => log.close(),
    async writer(id) {
      const writer = await log.writer(id)
      return {
        async transact(appends, offsets) {
          watch.appends(appends)
          await writer.transact(appends, offsets)
          for (const append of appends) count(append)
        },
        close: () => writer.close(),
      }
    },
  }
}

/** A bucket below `phi` each of whose objects, and their names, are searched before they are there. */
export function guardedObjects(objects: Objects, zone: Zone, watch: CanaryWatch): Objects {
  const checked = (key: string, body: Body): Body => {
    watch.object(zone, key, "name", Buffer.from(key))
    if (!(body instanceof Uint8Array)) return watch.pieces(zone, key, body)
    watch.object(zone, key, "content", body)
    return body
  }
  return {
    driver: objects.driver,
    put: async (key, body) => objects.put(key, checked(key, body)),
    putIfAbsent: async (key, body) => objects.putIfAbsent(key, checked(key, body)),
    get: (key, range) => objects.get(key, range),
    bytes: (key) => objects.bytes(key),
    head: (key) => objects.head(key),
    list: (prefix) => objects.list(prefix),
    delete: (keys) => objects.delete(keys),
    close: () => objects.close(),
  }
}
