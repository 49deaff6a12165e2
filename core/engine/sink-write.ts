import { classify, fatal } from "../errors.ts"
import type { WeirError } from "../errors.ts"
import type { CompiledSink } from "../pipeline/model.ts"
import type { SinkInstance, Span } from "../plugin.ts"
import type { Writer } from "../ports/log.ts"
import type { Rec } from "../record.ts"
import type { Blame } from "./blame.ts"
import { bump } from "./counters.ts"
import { deadLetters } from "./dead-letter.ts"
import { Outbound } from "./outbound.ts"
import type { Runtime } from "./runtime.ts"

/** With so many refused, and fewer taken, a batch is searched no further. */
const mostSearched = 100

/** Writes batches to a sink. Rows that can never be written become dead letters, durable before the position moves; all others are
 * written in their order. */
export class SinkWriter {
  readonly #runtime: Pick<Runtime, "pipeline" | "counters" | "now">
  readonly #sink: CompiledSink
  readonly #instance: SinkInstance
  readonly #writer: Writer
  readonly #blame: Blame | undefined

  /** @param blame of the partition; undefined for rows that were dead letters before, of which all may be refused again */
  constructor(
    runtime: Pick<Runtime, "pipeline" | "counters" | "now">,
    sink: CompiledSink,
    instance: SinkInstance,
    writer: Writer,
    blame: Blame | undefined,
  ) {
    this.#runtime = runtime
    this.#sink = sink
    this.#instance = instance
    this.#writer = writer
    this.#blame = blame
  }

  /** Resolves to the rows written. A batch that is refused as a whole is halved; the halves are batches like any other.
   * @throws systemic most-failing, before any row becomes a dead letter, while it may be the sink that is at fault */
  async write(records: readonly Rec[], span: Span): Promise<number> {
    const seen: Seen = { taken: 0, givenUp: 0, refused: [] }
    await this.#write(records, span, seen)
    await this.#giveUp(seen, 0)
    if (seen.givenUp === 0 && seen.taken > 0) this.#blame?.taken()
    return seen.taken
  }

  async #write(records: readonly Rec[], span: Span, seen: Seen): Promise<void> {
    try {
      await this.#instance.write(records, span)
      seen.taken += records.length
    } catch (thrown) {
      const error = classify(thrown)
      if (error.meaning === "partial" && (error.rows?.size ?? 0) > 0)
        return this.#without(records, badRows(error.rows!), span, seen)
      if (error.meaning !== "bad-record") throw error
      if (records.length === 0)
        throw fatal(error.code, `a bad record was thrown where there was none: ${error.message}`, { cause: error })
      if (records.length === 1) return this.#without(records, new Map([[0, error]]), span, seen)
      const middle = records.length >> 1
      const cut = records[middle]!.at.offset
      await this.#write(records.slice(0, middle), { ...span, next: cut }, seen)
      await this.#write(records.slice(middle), { ...span, from: cut }, seen)
    }
  }

  async #without(
    records: readonly Rec[],
    failed: ReadonlyMap<number, WeirError>,
    span: Span,
    seen: Seen,
  ): Promise<void> {
    for (const [at, error] of failed) seen.refused.push({ root: records[at]!, step: this.#sink.plugin.name, error })
    const rest = records.filter((_, at) => !failed.has(at))
    // A transactional sink moves the position with the rest, and dead letters come first; of others it moves after the whole batch, by
    // when more is known of the sink.
    if (this.#instance.delivery === "transactional") await this.#giveUp(seen, rest.length)
    else if (seen.refused.length >= mostSearched && seen.taken < seen.refused.length) await this.#giveUp(seen, 0)
    return this.#write(rest, span, seen)
  }

  /** @param more rows that would be taken */
  async #giveUp(seen: Seen, more: number): Promise<void> {
    const refused = seen.refused.splice(0)
    const [first] = refused
    if (first === undefined) return
    this.#blame?.judge(seen.givenUp + refused.length, seen.taken + more, seen.givenUp, first.error)
    seen.givenUp += refused.length
    const out = new Outbound()
    deadLetters(this.#runtime, out, { name: this.#sink.name, steps: [this.#sink] }, refused)
    await this.#writer.transact(await out.appends())
    for (const { error } of refused) bump(this.#runtime.counters.of(this.#sink.name).dead, error.code)
  }
}

/** What became of the rows of one batch so far. */
interface Seen {
  taken: number
  givenUp: number
  /** Rows whose fault it may not be. */
  readonly refused: { readonly root: Rec; readonly step: string; readonly error: WeirError }[]
}

/** The rows that are refused for what they hold. Throws where one failed for another reason. */
function badRows(rows: ReadonlyMap<number, WeirError>): ReadonlyMap<number, WeirError> {
  const other = [...rows.values()].find(({ meaning }) => meaning !== "bad-record")
  if (other !== undefined) throw other
  return rows
}
