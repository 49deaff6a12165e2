import { cells, events, mishaps, operations } from "./operations.ts"
import type { Operation } from "./operations.ts"
import type { Outcome } from "./run.ts"

/** Adds up what many seeds came to. */
export class Summary {
  seeds = 0
  failed = 0
  faults = 0
  steps = 0
  readonly #coverage = new Map<string, number>()
  readonly #hits = new Map<string, number>()
  #digest = 0n

  add({ seed, broken, faults, steps, coverage, hits, digest }: Outcome): void {
    this.seeds++
    if (broken.length > 0) this.failed++
    this.faults += faults
    this.steps += steps
    for (const [cell, count] of coverage) this.#coverage.set(cell, (this.#coverage.get(cell) ?? 0) + count)
    for (const [event, count] of hits) this.#hits.set(event, (this.#hits.get(event) ?? 0) + count)
    // In whatever order they were done.
    this.#digest = (this.#digest + BigInt(seed) * BigInt(digest)) & 0xffff_ffff_ffff_ffffn
  }

  /** Of everything that happened in all the seeds, as 16 hexadecimal digits: equal on every machine. */
  get digest(): string {
    return this.#digest.toString(16).padStart(16, "0")
  }

  /** What no seed met, of what the seeds are there for. */
  missing(): string[] {
    return [
      ...cells.flatMap(([operation, mishap]) =>
        this.#coverage.has(`${operation}|${mishap}`) ? [] : [`${operation}: ${mishap}`],
      ),
      ...events.filter((event) => !this.#hits.has(event)),
    ]
  }

  /** How often what befell which operation, and what else came about; text. */
  table(): string {
    const row = (name: string, some: readonly string[]) =>
      `${name.padEnd(30)}${some.map((each) => each.padStart(14)).join("")}`
    const of = (operation: Operation) =>
      mishaps.map((mishap) =>
        (operations[operation] as readonly string[]).includes(mishap)
          ? String(this.#coverage.get(`${operation}|${mishap}`) ?? 0)
          : "-",
      )
    return [
      row("operation", mishaps),
      ...(Object.keys(operations) as Operation[]).map((operation) => row(operation, of(operation))),
      "",
      ...events.map((event) => `${event.padEnd(44)}${String(this.#hits.get(event) ?? 0).padStart(10)}`),
    ].join("\n")
  }
}
