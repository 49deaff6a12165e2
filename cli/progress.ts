import type { Counters } from "../core/engine/counters.ts"
import type { CompiledPipeline } from "../core/pipeline/model.ts"
import type { Output } from "./app.ts"
import { nodeCounts, pausedText, total } from "./counts.ts"
import { columns } from "./table.ts"

/** How often the table is drawn again, and how often a plain line may be written, ms. */
const redraw = 250
const plain = 5000

/** Shows how far a run is. */
export interface Progress {
  start(counters: Counters): void
  /** Writes a line of the log where it does not disturb. */
  line(text: string): void
  stop(): void
}

/** On a terminal a table that is drawn again in place; elsewhere one line every few seconds, if anything changed. */
export function showProgress(pipeline: CompiledPipeline, out: Output, now: () => number): Progress {
  return out.isTTY === true ? new LiveTable(pipeline, out, now) : new PlainLines(pipeline, out)
}

/** Shows nothing but the log. */
export const quietProgress = (out: Output): Progress => ({
  start() {},
  line: (text) => void out.write(text),
  stop() {},
})

class LiveTable implements Progress {
  readonly #pipeline: CompiledPipeline
  readonly #out: Output
  readonly #now: () => number
  #counters: Counters | undefined
  #timer: NodeJS.Timeout | undefined
  #lines = 0
  #before = new Map<string, { readonly at: number; readonly in: number; readonly rate: number }>()

  constructor(pipeline: CompiledPipeline, out: Output, now: () => number) {
    this.#pipeline = pipeline
    this.#out = out
    this.#now = now
  }

  start(counters: Counters): void {
    this.#counters = counters
    this.#timer = setInterval(() => this.#draw(), redraw)
    this.#timer.unref()
  }

  line(text: string): void {
    this.#clear()
    this.#out.write(text)
    if (this.#timer !== undefined) this.#draw()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#clear()
  }

  #clear(): void {
    if (this.#lines > 0) this.#out.write(`\u001b[${this.#lines}A\u001b[J`)
    this.#lines = 0
  }

  #draw(): void {
    const rows = nodeCounts(this.#pipeline, this.#counters!.all).map(({ name, counts }) => [
      name,
      ...[counts.in, counts.out, counts.held, total(counts.dropped), total(counts.dead)].map(String),
      `${this.#rate(name, counts.in)}/s`,
      pausedText(counts) === undefined ? "" : `paused: ${pausedText(counts)}`,
    ])
    const head = ["", "in", "out", "held", "dropped", "dead", "rate", ""]
    const width = (this.#out.columns ?? 80) - 1
    const lines = columns([head, ...rows], new Set([1, 2, 3, 4, 5, 6])).map((line) => line.slice(0, width))
    this.#clear()
    this.#out.write(`${lines.join("\n")}\n`)
    this.#lines = lines.length
  }

  /** Records a second, over the last second or so. */
  #rate(name: string, count: number): number {
    const at = this.#now()
    const before = this.#before.get(name)
    if (before !== undefined && at - before.at < 1000) return before.rate
    const rate = before === undefined ? 0 : Math.round(((count - before.in) * 1000) / (at - before.at))
    this.#before.set(name, { at, in: count, rate })
    return rate
  }
}

class PlainLines implements Progress {
  readonly #pipeline: CompiledPipeline
  readonly #out: Output
  #timer: NodeJS.Timeout | undefined
  readonly #last = new Map<string, string>()

  constructor(pipeline: CompiledPipeline, out: Output) {
    this.#pipeline = pipeline
    this.#out = out
  }

  start(counters: Counters): void {
    this.#timer = setInterval(() => this.#tell(counters), plain)
    this.#timer.unref()
  }

  line(text: string): void {
    this.#out.write(text)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** What changed since the last line. */
  #tell(counters: Counters): void {
    const changed: string[] = []
    for (const { name, counts } of nodeCounts(this.#pipeline, counters.all)) {
      const dead = total(counts.dead)
      const paused = pausedText(counts)
      const more = `${dead === 0 ? "" : ` dead=${dead}`}${paused === undefined ? "" : ` paused=${paused}`}`
      const text = `${name} in=${counts.in} out=${counts.out}${more}`
      if (this.#last.get(name) !== text && counts.in + counts.out + dead > 0) changed.push(text)
      this.#last.set(name, text)
    }
    if (changed.length > 0) this.#out.write(`${changed.join("; ")}\n`)
  }
}
