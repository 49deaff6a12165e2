import { classify, fatal, systemic } from "../errors.ts"
import type { WeirError } from "../errors.ts"
import type { CompiledSink } from "../pipeline/model.ts"
import type { SinkInstance, Span } from "../plugin.ts"
import type { Writer } from "../ports/log.ts"
import type { Rec } from "../record.ts"
import { bump } from "./counters.ts"
import { deadLetters } from "./dead-letter.ts"
import { Outbound } from "./outbound.ts"
import type { Runtime } from "./runtime.ts"

/** From this many rows on, a batch of which most fail says that something else is wrong than the rows. */
const window = 100

/** Writes batches to a sink. Rows that can never be written become dead letters, durable before the position moves; all others are
 * written in their order. */
export class SinkWriter {
  readonly #runtime: Pick<Runtime, "pipeline" | "counters" | "now">
  readonly #sink: CompiledSink
  readonly #instance: SinkInstance
  readonly #writer: Writer

  constructor(
    runtime: Pick<Runtime, "pipeline" | "counters" | "now">,
    sink: CompiledSink,
    instance: SinkInstance,
    writer: Writer,
  ) {
    this.#runtime = runtime
    this.#sink = sink
    this.#instance = instance
    this.#writer = writer
  }

  /** Resolves to the rows written. A batch that is refused as a whole is halved; the halves are batches like any other. */
  async write(records: readonly Rec[], span: Span): Promise<number> {
    try {
      await this.#instance.write(records, span)
      return records.length
    } catch (thrown) {
      const error = classify(thrown)
      if (error.meaning === "partial" && (error.rows?.size ?? 0) > 0)
        return this.#without(records, badRows(error.rows!, records.length), span)
      if (error.meaning !== "bad-record") throw error
      if (records.length === 0)
        throw fatal(error.code, `a bad record was thrown where there was none: ${error.message}`, { cause: error })
      if (records.length === 1) return this.#without(records, new Map([[0, error]]), span)
      const middle = records.length >> 1
      const cut = records[middle]!.at.offset
      const first = await this.write(records.slice(0, middle), { ...span, next: cut })
      return first + (await this.write(records.slice(middle), { ...span, from: cut }))
    }
  }

  async #without(records: readonly Rec[], failed: ReadonlyMap<number, WeirError>, span: Span): Promise<number> {
    const step = this.#sink.plugin.name
    const out = new Outbound()
    deadLetters(
      this.#runtime,
      out,
      { name: this.#sink.name, steps: [this.#sink] },
      [...failed].map(([at, error]) => ({ root: records[at]!, step, error })),
    )
    await this.#writer.transact(await out.appends())
    for (const { code } of failed.values()) bump(this.#runtime.counters.of(this.#sink.name).dead, code)
    return this.write(
      records.filter((_, at) => !failed.has(at)),
      span,
    )
  }
}

/** The rows to dead-letter. Throws where a row failed for another reason than what it holds, or where most failed. */
function badRows(rows: ReadonlyMap<number, WeirError>, of: number): ReadonlyMap<number, WeirError> {
  const other = [...rows.values()].find(({ meaning }) => meaning !== "bad-record")
  if (other !== undefined) throw other
  if (of >= window && rows.size * 2 > of)
    throw systemic("most-failing", `${rows.size} of ${of} rows were refused: not a matter of the rows`, {
      hint: "look at the table and at what changed; the rows are tried again",
      cause: [...rows.values()][0],
    })
  return rows
}
