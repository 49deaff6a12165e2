import { spawn } from "node:child_process"
import type { ChildProcess, SpawnOptions } from "node:child_process"
import { appendFileSync, closeSync, existsSync, openSync, readFileSync } from "node:fs"
import { isRunning } from "../services/processes.ts"
import type { Started } from "../services/cache.ts"

/** How a process is started, each time. */
export interface Recipe {
  readonly name: string
  /** A path on its command line, by which it is known again after this script was killed. */
  readonly mark: string
  readonly log: string
  readonly command: string
  readonly args: readonly string[]
  readonly options?: SpawnOptions
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A process that is started again and again; its output is appended to its log. */
export class Service {
  readonly name: string
  readonly log: string
  readonly #recipe: () => Recipe
  #child: ChildProcess | undefined
  #exit: Promise<Exit> = Promise.resolve({ code: null, signal: null })
  #running = false
  /** Where the log stood at the last start. */
  #logFrom = 0
  /** Told of each end. */
  onExit: (exit: Exit) => void = () => {}

  constructor(recipe: () => Recipe) {
    this.#recipe = recipe
    const { name, log } = recipe()
    this.name = name
    this.log = log
  }

  get running(): boolean {
    return this.#running
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Resolves when it has ended. */
  get exit(): Promise<Exit> {
    return this.#exit
  }

  get started(): Started | undefined {
    return this.#running ? { name: this.name, pid: this.pid, mark: this.#recipe().mark } : undefined
  }

  /** What it wrote since it was started last. */
  get said(): string {
    return existsSync(this.log) ? readFileSync(this.log).subarray(this.#logFrom).toString() : ""
  }

  /** Writes a line of this script's own into the log. */
  note(text: string): void {
    appendFileSync(this.log, `---- ${new Date().toISOString()} ${text}\n`)
  }

  spawn(): void {
    if (this.#running) throw new Error(`${this.name} runs already`)
    const { command, args, options } = this.#recipe()
    this.note("started")
    const log = openSync(this.log, "a")
    this.#logFrom = readFileSync(this.log).length
    const child = spawn(command, args, { ...options, detached: true, stdio: ["ignore", log, log] })
    closeSync(log)
    if (child.pid === undefined) throw new Error(`${this.name}: ${command} could not be started`)
    this.#child = child
    this.#running = true
    this.#exit = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#running = false
        this.note(`ended ${code ?? signal}`)
        resolve({ code, signal })
        this.onExit({ code, signal })
      })
    })
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#running) process.kill(this.pid, signal)
  }

  /** kill -9, its children too; resolves when it is gone. */
  async kill(): Promise<void> {
    if (!this.#running) return
    const children = childrenOf(this.pid)
    this.signal("SIGKILL")
    for (const pid of children) killQuietly(pid)
    await this.#exit
    for (const pid of children) await until(`the end of ${this.name}'s children`, () => !isAlive(pid), 10_000)
  }

  /** Asks it to end, and kills it after a while. */
  async end(signal: NodeJS.Signals, patienceMs: number): Promise<Exit> {
    if (!this.#running) return this.#exit
    this.signal(signal)
    const timer = setTimeout(() => void this.kill(), patienceMs)
    const exit = await this.#exit
    clearTimeout(timer)
    return exit
  }
}

/** Ends what an earlier run of the script left behind. */
export async function endLeftover(started: Started): Promise<void> {
  if (!isRunning(started)) return
  const children = childrenOf(started.pid)
  for (const pid of [started.pid, ...children]) killQuietly(pid)
  // PostgreSQL takes a process that nobody has reaped yet for one that runs.
  await until(`the end of ${started.name}`, () => !exists(started.pid), 30_000)
}

const exists = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const childrenOf = (pid: number): number[] => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number)
  } catch {
    return []
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

/** Somebody waited in vain. */
export class TimedOut extends Error {
  override readonly name = "TimedOut"
}

/** Looks again and again until a condition holds, and resolves to what it gave.
 * @throws TimedOut after `patienceMs` */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  patienceMs: number,
  everyMs = 50,
): Promise<NonNullable<Exclude<T, false>>> {
  const end = performance.now() + patienceMs
  for (;;) {
    const found = await condition()
    if (found !== false && found !== undefined && found !== null) return found as NonNullable<Exclude<T, false>>
    if (performance.now() > end) throw new TimedOut(`waited ${Math.round(patienceMs / 1000)} s for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

/** What a promise gives, if it gives it in time.
 * @throws TimedOut */
export async function within<T>(what: string, ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimedOut(`${what} took more than ${ms / 1000} s`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
