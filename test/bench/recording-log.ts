import type { Append, Log } from "../../core/ports/log.ts"

/** A Log that tells of every transaction that was committed through it. */
export function recordingLog(log: Log, tell: (appends: readonly Append[]) => void): Log {
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
          await writer.transact(appends, offsets)
          tell(appends)
        },
        close: () => writer.close(),
      }
    },
  }
}
