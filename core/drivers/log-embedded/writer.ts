import { classify, fatal, type WeirError } from "../../errors.ts"
import type { Append, GroupOffsets, Writer } from "../../ports/log.ts"
import { encodeBlocks } from "./block.ts"
import type { OffsetRow } from "./broker.ts"
import type { Link } from "./link.ts"

/** A transactional writer with the epoch that its id was given. */
export class EmbeddedWriter implements Writer {
  readonly #link: Link
  readonly #id: string
  readonly #epoch: number
  #last: Promise<unknown> = Promise.resolve()
  #failed: WeirError | undefined

  private constructor(link: Link, id: string, epoch: number) {
    this.#link = link
    this.#id = id
    this.#epoch = epoch
  }

  static async open(link: Link, id: string): Promise<EmbeddedWriter> {
    return new EmbeddedWriter(link, id, await link.use((owner) => owner.openWriter(id)))
  }

  transact(appends: readonly Append[], offsets: readonly GroupOffsets[] = []): Promise<void> {
    const turn = this.#last.then(() => this.#transact(appends, offsets))
    this.#last = turn.catch(() => {})
    return turn
  }

  async close(): Promise<void> {
    this.#failed ??= fatal("writer-closed", `writer ${this.#id} was closed`)
    await this.#last
  }

  async #transact(appends: readonly Append[], offsets: readonly GroupOffsets[]): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed
    try {
      const encoded = appends
        .filter(({ messages }) => messages.length > 0)
        .map(({ topic, partition, messages }) => ({ topic, partition, blocks: encodeBlocks(messages) }))
      const rows = offsets.flatMap(({ group, next }) =>
        next.map(({ topic, partition, offset }): OffsetRow => [group, topic, partition, Number(offset)]),
      )
      await this.#link.use((owner) => owner.transact(this.#id, this.#epoch, encoded, rows), true)
    } catch (error) {
      this.#failed = classify(error)
      throw this.#failed
    }
  }
}
