import type { State } from "../../core/index.ts"
import { Room, roomBytes } from "./dicom-room.ts"
import { pulseRow } from "./dicom-rows.ts"

/** Objects that are read or written at the same time. */
const width = 4
/** A step's transaction that says nothing for ten seconds is ended by the database. */
const pulseMs = 2000

/** Does work on objects a few at a time, the sum of whose sizes is bounded ({@link Room}), while the step's transaction is kept from
 * going idle; the work itself must not touch `state`. Rejects with the first failure once what was begun has ended. */
export async function eachObject<T>(
  items: readonly T[],
  state: State,
  sizeOf: (item: T) => number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  if (items.length === 0) return
  const room = new Room(roomBytes)
  let next = 0
  const failures: unknown[] = []
  const fail = (error: unknown): void => void failures.push(error)
  const worker = async (): Promise<void> => {
    while (next < items.length && failures.length === 0) {
      const item = items[next++]!
      await room.use(sizeOf(item), () => work(item)).catch(fail)
    }
  }
  let pulse: Promise<unknown> = Promise.resolve()
  const beat = () => (pulse = pulse.then(() => state.get([pulseRow])).catch(fail))
  const timer = setInterval(beat, pulseMs)
  try {
    await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker))
  } finally {
    clearInterval(timer)
    await pulse
  }
  if (failures.length > 0) throw failures[0]
}
