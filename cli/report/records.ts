import type { MadeRow } from "../../core/engine/made.ts"
import { madeTopic } from "../../core/engine/runtime.ts"
import type { Log } from "../../core/ports/log.ts"
import { readMessages } from "../topics/read.ts"
import { sorted } from "./images.ts"
import type { RecordReport } from "./model.ts"

/** Newest versions by what they are of. */
export class Newest<T> {
  readonly #rows = new Map<string, { readonly version: bigint; readonly row: T }>()

  /** Of equal versions the later one stands. */
  add(key: string, version: bigint, row: T): void {
    const known = this.#rows.get(key)
    if (known === undefined || known.version <= version) this.#rows.set(key, { version, row })
  }

  get rows(): readonly T[] {
    return [...this.#rows.values()].map(({ row }) => row)
  }
}

/** What de-identification said of records, by stage; a topic that is not there yet says nothing. */
export async function recordReports(log: Log, pipeline: string): Promise<ReadonlyMap<string, RecordReport>> {
  const topic = madeTopic(pipeline)
  if (!(await log.topics()).some(({ name }) => name === topic)) return new Map()
  const newest = new Newest<MadeRow>()
  for await (const { message } of readMessages(log, topic, 0n)) {
    const { key, value } = message
    if (key === null || value === null) continue
    const row = JSON.parse(Buffer.from(value).toString()) as MadeRow
    newest.add(Buffer.from(key).toString(), BigInt(row.version), row)
  }
  return reportsOf(newest.rows)
}

/** Sums what stands, stage by stage. */
export function reportsOf(rows: readonly MadeRow[]): ReadonlyMap<string, RecordReport> {
  const tallies = new Map<string, RecordTally>()
  for (const row of rows) {
    const tally = tallies.get(row.stage) ?? new RecordTally()
    tallies.set(row.stage, tally)
    tally.add(row)
  }
  return new Map([...tallies].map(([stage, tally]) => [stage, tally.report()]))
}

class RecordTally {
  #released = 0
  #takenBack = 0
  readonly #applied = new Map<string, number>()
  readonly #actions = new Map<string, number>()
  readonly #findings = new Map<string, number>()

  add({ tool, made }: MadeRow): void {
    if (made === undefined) {
      this.#takenBack++
      return
    }
    this.#released++
    addAll(this.#applied, { [JSON.stringify([tool, made.rules, made.keyId])]: 1 })
    addAll(this.#actions, made.actions)
    addAll(this.#findings, made.findings ?? {})
  }

  report(): RecordReport {
    return {
      released: this.#released,
      takenBack: this.#takenBack,
      applied: Object.entries(sorted(this.#applied)).map(([said, records]) => {
        const [tool, rules, keyId] = JSON.parse(said) as [string, string, string]
        return { tool, rules, keyId, records }
      }),
      actions: sorted(this.#actions),
      findings: sorted(this.#findings),
    }
  }
}

function addAll(counts: Map<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, number] of Object.entries(more)) counts.set(name, (counts.get(name) ?? 0) + number)
}
