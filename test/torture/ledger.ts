import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import type { Event } from "./events.ts"

/** Every event that was made, and which of the pushed ones were acknowledged; kept in files, as a promise has to be. */
export class Ledger {
  readonly #folder: string
  readonly #pushes: string
  readonly events = new Map<number, Event>()
  readonly #acked = new Set<number>()
  #next = 0
  #file = ""

  constructor(folder: string) {
    this.#folder = join(folder, "events")
    this.#pushes = join(folder, "pushes.ndjson")
    mkdirSync(this.#folder, { recursive: true })
    for (const name of readdirSync(this.#folder).toSorted()) {
      for (const event of linesOf<Event>(join(this.#folder, name))) this.#made(event)
      this.#file = basename(name, ".ndjson")
    }
    for (const { sent = [], acked = [] } of linesOf<{ sent?: Event[]; acked?: number[] }>(this.#pushes)) {
      for (const event of sent) this.#made(event)
      for (const id of acked) this.#acked.add(id)
    }
  }

  /** The id that no event has had. */
  get next(): number {
    return this.#next
  }

  #made(event: Event): void {
    this.events.set(event.id, event)
    this.#next = Math.max(this.#next, event.id + 1)
  }

  /** What is written from now on goes into this file. The source reads files in the order of their names, and none again once it
   * has begun a later one.
   * @throws where a later one was begun */
  begin(file: string): void {
    if (file < this.#file) throw new Error(`${file} would not be read: ${this.#file} was begun already`)
    this.#file = file
  }

  /** Events into the file that was begun last: what is in it is promised. */
  write(events: readonly Event[]): void {
    if (events.length === 0) return
    if (this.#file === "") throw new Error("no file was begun")
    appendFileSync(
      join(this.#folder, `${this.#file}.ndjson`),
      events.map((event) => `${JSON.stringify(event)}\n`).join(""),
    )
    for (const event of events) this.#made(event)
  }

  /** Events that are about to be pushed. */
  sent(events: readonly Event[]): void {
    appendFileSync(this.#pushes, `${JSON.stringify({ sent: events })}\n`)
    for (const event of events) this.#made(event)
  }

  /** Their source answered. */
  acked(ids: readonly number[]): void {
    appendFileSync(this.#pushes, `${JSON.stringify({ acked: ids })}\n`)
    for (const id of ids) this.#acked.add(id)
  }

  /** Whether it must arrive. Of what was pushed without an answer nobody knows. */
  promised({ id, side }: Event): boolean {
    return side === "left" || this.#acked.has(id)
  }
}

function linesOf<T>(path: string): T[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, "utf8").split("\n")
  // A line without an end was cut off when this script was killed: it promised nothing.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as T)
}
