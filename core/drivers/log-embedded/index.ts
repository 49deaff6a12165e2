import { mkdir, realpath } from "node:fs/promises"
import { resolve } from "node:path"
import type { GroupSpec, Log, Member, Reader, TopicSpec, Writer } from "../../ports/log.ts"
import type { BrokerOptions } from "./broker.ts"
import { diskError } from "./errors.ts"
import { Link } from "./link.ts"
import { EmbeddedMember } from "./member.ts"
import { EmbeddedReader } from "./reader.ts"
import { EmbeddedWriter } from "./writer.ts"

/** Where the log is, and how it is kept. */
export interface EmbeddedLogOptions extends Omit<BrokerOptions, "folder" | "settleMs" | "onRoll"> {
  readonly dir: string
}

/** Opens a folder as the Log; it is made if it is not there. Several processes may have it open: one of them owns it and writes,
 * the others go through its socket, and the next takes over when it closes or dies. Rejects: `log-corrupt` (fatal), `disk-full`,
 * `disk-failed` (systemic). */
export async function openEmbeddedLog({ dir, ...options }: EmbeddedLogOptions): Promise<Log> {
  const folder = resolve(dir)
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw diskError(error)
  })
  return new EmbeddedLog(await Link.open({ folder: await realpath(folder), ...options }))
}

class EmbeddedLog implements Log {
  readonly driver = "embedded"
  readonly #link: Link
  readonly #open = new Set<{ close(): Promise<void> }>()

  constructor(link: Link) {
    this.#link = link
  }

  ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    return this.#link.use((owner) => owner.ensureTopics(specs))
  }

  topics(): Promise<readonly TopicSpec[]> {
    return this.#link.use((owner) => owner.topics())
  }

  async bounds(topic: string): Promise<readonly { readonly start: bigint; readonly end: bigint }[]> {
    const bounds = await this.#link.use((owner) => owner.bounds(topic))
    return bounds.map(([start, end]) => ({ start: BigInt(start), end: BigInt(end) }))
  }

  async writer(id: string): Promise<Writer> {
    const writer = await EmbeddedWriter.open(this.#link, id)
    const kept = this.#keep(() => writer.close())
    return { transact: (appends, offsets) => writer.transact(appends, offsets), close: kept.close }
  }

  async committed(group: string, topic: string): Promise<ReadonlyMap<number, bigint>> {
    const rows = await this.#link.use((owner) => owner.committed(group, topic))
    return new Map(rows.map(([partition, offset]) => [partition, BigInt(offset)]))
  }

  async join(spec: GroupSpec): Promise<Member> {
    const member = await EmbeddedMember.join(this.#link, spec)
    const kept = this.#keep(() => member.leave())
    return {
      assigned: () => member.assigned(),
      owns: (partition) => member.owns(partition),
      confirm: (partition) => member.confirm(partition),
      reader: (topic, partition, from) => member.reader(topic, partition, from),
      leave: kept.close,
    }
  }

  members(group: string): Promise<number> {
    return this.#link.use((owner) => owner.members(group))
  }

  async reader(topic: string, partition: number, from: bigint): Promise<Reader> {
    const reader = new EmbeddedReader(this.#link, topic, partition, from)
    const kept = this.#keep(() => reader.close())
    return { read: (limit) => reader.read(limit), close: kept.close }
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#open].map((each) => each.close()))
    await this.#link.close()
  }

  /** Whatever is still open is closed with the Log. */
  #keep(close: () => Promise<void>): { close(): Promise<void> } {
    const kept = {
      close: () => {
        this.#open.delete(kept)
        return close()
      },
    }
    this.#open.add(kept)
    return kept
  }
}
