import type { Fetched, Log } from "../ports/log.ts"

/** Reads what is committed of a partition as of now. */
export async function readAll(
  log: Log,
  topic: string,
  partition: number,
  { start, end }: { readonly start: bigint; readonly end: bigint },
  each: (message: Fetched) => void,
): Promise<void> {
  if (start >= end) return
  const reader = await log.reader(topic, partition, start)
  try {
    for (let next = start; next < end;) {
      const batch = await reader.read({ maxBytes: 8 << 20, maxMessages: 10_000, waitMs: 100 })
      for (const message of batch.messages) if (message.offset < end) each(message)
      next = batch.next
    }
  } finally {
    await reader.close()
  }
}
