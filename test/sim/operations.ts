/** What may befall one operation of a port:
 * - `crash before`: its process dies as it asks, and nothing is done;
 * - `zombie`: its process stands still past its session, then goes on as if nothing had been;
 * - `refused`: nothing is done, and an error says that it failed, or that nobody knows;
 * - `torn`: a part is done, as a transaction that stays open or a batch of which some rows are written;
 * - `answer lost`: it is done, and the same error is told;
 * - `crash after`: it is done, and its process dies before it hears of it. */
export type Mishap = "crash before" | "zombie" | "refused" | "torn" | "answer lost" | "crash after"

/** Every mishap, in the order of the summary's columns. */
export const mishaps: readonly Mishap[] = ["crash before", "zombie", "refused", "torn", "answer lost", "crash after"]

const ends: readonly Mishap[] = ["crash before", "zombie", "crash after"]
const fails: readonly Mishap[] = ["crash before", "zombie", "refused", "answer lost", "crash after"]

/** Every operation of a port for which the engine waits, and what may befall it: the places at which the seeds break in. What ends
 * something (close, leave, release, rollback) is said not to fail by its port. */
export const operations = {
  "log.ensureTopics": fails,
  "log.bounds": fails,
  "log.writer": fails,
  "log.committed": fails,
  "log.join": fails,
  "log.reader": fails,
  "log.close": ends,
  "member.confirm": fails,
  "member.reader": fails,
  "member.leave": ends,
  "reader.read": fails,
  "reader.close": ends,
  "writer.transact records": mishaps,
  "writer.transact source": mishaps,
  "writer.transact dead letters": mishaps,
  "writer.transact end marks": mishaps,
  "writer.transact offsets": mishaps,
  "writer.close": ends,
  "store.claim": fails,
  "store.objects.refresh": fails,
  "store.objects.count": fails,
  "store.objects.sweep": fails,
  "store.close": ends,
  "task.begin": fails,
  "task.release": ends,
  "step.get": fails,
  "step.scan": fails,
  "step.shared.lock": fails,
  "step.shared.get": fails,
  "step.shared.scan": fails,
  "step.due": fails,
  "step.commit": fails,
  "step.commit timers": fails,
  "step.rollback": ends,
  "objects.put": fails,
  "objects.putIfAbsent": fails,
  "objects.get": fails,
  "objects.bytes": fails,
  "objects.head": fails,
  "objects.list": fails,
  "objects.delete": fails,
  "objects.close": ends,
  "source.read": ends,
  "sink.claim": fails,
  "sink.write": fails,
  "map.write": mishaps,
} as const satisfies Readonly<Record<string, readonly Mishap[]>>

/** One of them. */
export type Operation = keyof typeof operations

/** Every operation with every mishap that it may suffer. */
export const cells: readonly (readonly [Operation, Mishap])[] = Object.entries(operations).flatMap(([name, some]) =>
  some.map((mishap) => [name as Operation, mishap] as const),
)

/** What else a run may meet, and every larger number of seeds must. */
export const events = [
  "rebalance",
  "rebalance took partitions",
  "process joined",
  "process killed",
  "process shut down",
  "process stopped",
  "zombie continued",
  "zombie fenced: reader",
  "zombie fenced: writer",
  "zombie fenced: store",
  "zombie fenced: sink",
  "duplicate delivery",
  "reordered",
  "partial failure",
  "torn write",
  "torn commit completed by the next writer",
  "stale offsets were fetched",
  "unknown outcome: committed",
  "unknown outcome: aborted",
  "lock timeout",
  "session ended by the server",
  "timers due: quiet",
  "timers due: calendar",
  "sweep removed",
  "sweep spared what was refreshed",
  "second wave",
] as const
