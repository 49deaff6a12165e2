import { arrivalVersion, retryable } from "../../core/index.ts"
import type { Context, SourceRun } from "../../core/index.ts"
import type { ZoneOffset } from "../../formats/fhir/time.ts"
import { readArrival } from "./arrival.ts"
import type { Arrival, Reading } from "./arrival.ts"
import type { outputs } from "./index.ts"
import { walk } from "./walk.ts"
import type { Filter, Root } from "./walk.ts"

/** Files that are read at the same time. */
const width = 8
/** Appends that are in flight at the same time. */
const appends = 64
/** A file that changed less than this many ms ago is read only if the scan before saw it just so. */
const settling = 1000

/** What a scan left for later. */
export interface Left {
  readonly changing: number
  readonly unreadable: number
}

/** Scans a folder; keeps across scans what was dealt with. Files are read several at a time and appended in name order. */
export class Scanner {
  readonly #root: Root
  readonly #filter: Filter
  readonly #context: Context
  readonly #run: SourceRun<typeof outputs>
  readonly #zone: ZoneOffset
  readonly #known = new Map<string, string>()
  #seen = new Map<string, string>()
  #number = 0
  #flight: Promise<void>[] = []

  constructor(root: Root, filter: Filter, zone: ZoneOffset, context: Context, run: SourceRun<typeof outputs>) {
    this.#root = root
    this.#filter = filter
    this.#zone = zone
    this.#context = context
    this.#run = run
    for (const [path, text] of run.checkpoint) {
      const cut = text.lastIndexOf(":")
      this.#known.set(path, text.slice(0, cut))
      this.#number = Math.max(this.#number, Number(text.slice(cut + 1)))
    }
  }

  /** Deals with each file that is new or changed; all appends are durable when it resolves.
   * @param patient leaves files that may be written to at this moment for the next scan */
  async scan(patient: boolean): Promise<Left> {
    const left = { changing: 0, unreadable: 0 }
    const seen = new Map<string, string>()
    const reading: Reading = {
      folder: this.#root.folder,
      objects: this.#context.objects("phi"),
      zone: this.#zone,
      known: (path) => this.#known.get(path),
      settled: (path, mark, modified) => {
        if (!patient || this.#seen.get(path) === mark) return true
        seen.set(path, mark)
        return this.#context.clock.now() - modified >= settling
      },
    }
    for await (const { path, arrival } of this.#arrivals(reading)) {
      if (this.#run.signal.aborted) break
      if (arrival.kind === "changing") left.changing++
      else if (arrival.kind === "unreadable") left.unreadable++
      else await this.#take(path, arrival)
    }
    this.#seen = seen
    await Promise.all(this.#flight.splice(0))
    return left
  }

  /** What became of each file, in name order, `width` files ahead. */
  async *#arrivals(reading: Reading): AsyncGenerator<{ readonly path: string; readonly arrival: Arrival }> {
    const ahead: Promise<{ path: string; arrival: Arrival }>[] = []
    try {
      for await (const found of walk(this.#root, this.#filter)) {
        const path = "path" in found ? found.path : found.unlisted
        const unlisted: Arrival = { kind: "unreadable", code: "folder" }
        const turn = (async () => ({
          path,
          arrival: "path" in found ? await readArrival(path, reading) : unlisted,
        }))()
        turn.catch(() => {})
        ahead.push(turn)
        if (ahead.length >= width) yield await ahead.shift()!
      }
      while (ahead.length > 0) yield await ahead.shift()!
    } finally {
      await Promise.allSettled(ahead)
    }
  }

  async #take(path: string, arrival: Exclude<Arrival, { kind: "changing" | "unreadable" }>): Promise<void> {
    if (arrival.kind === "nothing") return
    if (arrival.kind === "record") this.#number++
    const mark = { [path]: `${arrival.mark}:${this.#number}` }
    this.#known.set(path, arrival.mark)
    if (arrival.kind === "fail") return this.#fly(this.#run.fail(path, arrival.error, mark))
    if (arrival.kind === "drop") {
      this.#run.drop(arrival.reason)
      return this.#fly(this.#run.append("out", [], mark))
    }
    const version = arrivalVersion(Math.floor(this.#number / 2 ** 24), this.#number % 2 ** 24)
    return this.#fly(this.#run.append("out", [{ ...arrival.draft, version }], mark))
  }

  async #fly(append: Promise<void>): Promise<void> {
    append.catch(() => {})
    this.#flight.push(append)
    if (this.#flight.length >= appends) await this.#flight.shift()
  }
}

/** The error of a scan that must not count as whole; undefined when it was. */
export const leftError = ({ changing, unreadable }: Left) =>
  changing + unreadable === 0
    ? undefined
    : retryable(
        unreadable > 0 ? "file-unreadable" : "file-changing",
        `${unreadable} files or folders cannot be read, ${changing} are being written to`,
        { hint: "give the process the right to read them; let files arrive whole, by renaming" },
      )
