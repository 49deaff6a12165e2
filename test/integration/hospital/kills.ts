import { cp, mkdtemp, readdir, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { openEmbeddedLog } from "../../../core/drivers/log-embedded/index.ts"
import type { End, RunFolder, Wave } from "./folder.ts"

/** What an undisturbed run of a wave took: by it kill moments are spread over the whole of it. */
export interface Course {
  /** Bytes that the Log grew by. */
  readonly bytes: number
  /** ms from the start of the process to the first commit in the Log. */
  readonly startMs: number
}

/** When a process is killed: a part of the undisturbed run's Log bytes and then some ms, or some part of a start. */
export type Moment =
  | { readonly at: "progress"; readonly part: number; readonly thenMs: number }
  | { readonly at: "start"; readonly part: number }

/** A kill -9 that happened. */
export interface Kill {
  readonly moment: Moment
  readonly wave: string
  /** Records and notes that were committed to the pipeline's topics as it fell. */
  readonly committed: bigint
}

/** How long a process may live, ms: one that neither ends nor comes on is a failure of what is tested. */
const patienceMs = 300_000
const pollMs = 2

/** Bytes of the embedded Log's segments; 0 before there are any. */
export async function logBytes(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => [])
  const sizes = names.filter((name) => name.endsWith(".log")).map((name) => stat(join(folder, name)))
  return (await Promise.all(sizes)).reduce((sum, { size }) => sum + size, 0)
}

/** Committed offsets of some topics of an embedded Log together, read from a copy: what a restart finds is left as it is. */
export async function committed(folder: string, topics: readonly string[]): Promise<bigint> {
  const copy = await mkdtemp(join(tmpdir(), "weir-log-copy-"))
  try {
    for (const name of await readdir(folder).catch(() => []))
      if ((await stat(join(folder, name))).isFile()) await cp(join(folder, name), join(copy, name))
    const log = await openEmbeddedLog({ dir: copy })
    try {
      const there = new Set((await log.topics()).map(({ name }) => name))
      const bounds = await Promise.all(topics.filter((name) => there.has(name)).map((name) => log.bounds(name)))
      return bounds.flat().reduce((sum, { end }) => sum + end, 0n)
    } finally {
      await log.close()
    }
  } finally {
    await rm(copy, { recursive: true })
  }
}

/** A process by what its Log shows of it. */
class Watched {
  readonly ended: Promise<End>
  readonly #child: ReturnType<RunFolder["start"]>["child"]
  readonly #log: string
  readonly #started = performance.now()
  #over = false

  constructor(run: RunFolder, wave: Wave) {
    const { child, ended } = run.start(wave)
    this.#child = child
    this.#log = join(run.path, "data", "log")
    this.ended = ended.finally(() => {
      this.#over = true
    })
  }

  get ms(): number {
    return performance.now() - this.#started
  }

  /** Waits until the Log has more than so many bytes, or the process is over. */
  async past(bytes: number): Promise<void> {
    while (!this.#over && (await logBytes(this.#log)) <= bytes) {
      if (this.ms > patienceMs) return this.kill()
      await sleep(pollMs)
    }
  }

  async after(ms: number): Promise<void> {
    await Promise.race([sleep(ms), this.ended])
  }

  kill(): void {
    this.#child.kill("SIGKILL")
  }

  /** What it said when it ended by itself; undefined when it was killed in time. */
  async end(): Promise<End | undefined> {
    const limit = setTimeout(() => this.kill(), patienceMs)
    const end = await this.ended.finally(() => clearTimeout(limit))
    if (end.signal === "SIGKILL" && this.ms <= patienceMs) return undefined
    if (end.code !== 0) throw new Error(`weir ended ${end.code ?? end.signal}:\n${end.stderr.slice(-4000)}`)
    return end
  }
}

/** Runs a wave without disturbing it, and says how it went. */
export async function undisturbed(run: RunFolder, wave: Wave): Promise<{ readonly course: Course; readonly end: End }> {
  const log = join(run.path, "data", "log")
  const before = await logBytes(log)
  const process = new Watched(run, wave)
  // The first bytes are topics and fences.
  await process.past(before + 4096)
  const startMs = process.ms
  const end = (await process.end())!
  return { course: { bytes: (await logBytes(log)) - before, startMs }, end }
}

/** Runs a wave in processes that are killed -9 one after the other, and the last one to its end. */
export async function disturbed(
  run: RunFolder,
  wave: Wave,
  course: Course,
  moments: readonly Moment[],
  topics: readonly string[],
): Promise<{ readonly kills: readonly Kill[]; readonly end: End }> {
  const log = join(run.path, "data", "log")
  const before = await logBytes(log)
  const kills: Kill[] = []
  for (const moment of moments) {
    const process = new Watched(run, wave)
    if (moment.at === "start") await process.after(moment.part * course.startMs)
    else {
      // Past what it came to before it was killed the last time, so that each process does something.
      const now = await logBytes(log)
      await process.past(Math.max(now, before + moment.part * course.bytes))
      await process.after(moment.thenMs)
    }
    process.kill()
    const end = await process.end()
    if (end !== undefined) return { kills, end }
    kills.push({ moment, wave: wave.name, committed: await committed(log, topics) })
  }
  return { kills, end: (await new Watched(run, wave).end())! }
}
