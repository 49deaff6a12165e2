import { Worker } from "node:worker_threads"
import type { Asked, Told } from "./worker.ts"

/** What is asked for. */
export interface FuzzGiven {
  readonly seed: number
  readonly files: number
  readonly from?: number
  readonly folder: string
  /** Ends after so many ms, with what was done. */
  readonly most?: number
  readonly onProgress?: (report: FuzzReport) => void
}

/** What a run found. */
export interface FuzzReport {
  readonly seed: number
  readonly from: number
  readonly files: number
  readonly verdicts: Readonly<Record<string, number>>
  /** Crashes, leaks, results that cannot be read, and files that never end, by number. */
  readonly faults: readonly { readonly number: number; readonly fault: string }[]
  /** Longest time of the processor for one file, ms. */
  readonly slowest: number
  /** Bytes held after the first and the last collection, and the most after any. */
  readonly held: { readonly first: number; readonly last: number; readonly most: number }
}

/** A file that takes longer has hung; much longer than any takes on a machine that does other work. */
const hang = 300_000

const sum = (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> => {
  const out = { ...a }
  for (const [name, count] of Object.entries(b)) out[name] = (out[name] ?? 0) + count
  return out
}

function added(report: FuzzReport, told: Told): FuzzReport {
  const { first, most } = report.held
  const { held } = told
  return {
    ...report,
    files: report.files + told.done,
    verdicts: sum(report.verdicts, told.verdicts),
    faults: [...report.faults, ...told.faults],
    slowest: Math.max(report.slowest, told.slowest),
    held:
      held === undefined ? report.held : { first: first === 0 ? held : first, last: held, most: Math.max(most, held) },
  }
}

/** De-identifies mutated files in a worker, and watches it: one that stands still is ended and told. */
export async function fuzz(given: FuzzGiven): Promise<FuzzReport> {
  const { seed, files, from = 0, folder, most = Infinity } = given
  const held = { first: 0, last: 0, most: 0 }
  let report: FuzzReport = { seed, from, files: 0, verdicts: {}, faults: [], slowest: 0, held }
  const at = new SharedArrayBuffer(4)
  const counter = new Int32Array(at)
  const asked: Asked = { seed, from, to: from + files, folder, at }
  const worker = new Worker(new URL("worker.ts", import.meta.url), { workerData: asked })
  const begun = performance.now()
  let seen = { number: -1, since: begun }
  const failed = (fault: string) => {
    report = { ...report, faults: [...report.faults, { number: counter[0]!, fault }] }
  }
  const watch = setInterval(() => {
    const number = Atomics.load(counter, 0)
    if (number !== seen.number) seen = { number, since: performance.now() }
    else if (performance.now() - seen.since > hang) {
      failed("hang")
      void worker.terminate()
    }
    if (performance.now() - begun > most) void worker.terminate()
  }, 1000)
  worker.on("message", (told: Told) => {
    report = added(report, told)
    given.onProgress?.(report)
  })
  worker.on("error", (error) =>
    failed(
      `crash ${String(error.stack ?? error)
        .split("\n")
        .slice(0, 3)
        .join(" ")}`,
    ),
  )
  await new Promise((resolve) => worker.once("exit", resolve))
  clearInterval(watch)
  return report
}

/** Whether memory grew: more held at the end than after the first collection, beyond what caches may hold. */
export const hasGrown = ({ held }: FuzzReport): boolean => held.last - held.first > 64 << 20
