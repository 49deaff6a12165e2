import { execFileSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { retryable } from "../../errors.ts"

/** When a process began, in the system's own words; undefined when no such process runs. With the number it names a process for
 * good, for numbers are used again. */
export function startOf(pid: number): string | undefined {
  try {
    if (process.platform === "linux") {
      // The name, in parentheses, may hold anything (proc_pid_stat(5)): state is field 3, the start field 22.
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ")
      return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19]
    }
    if (process.platform === "win32") return process.kill(pid, 0) ? "0" : undefined
    const started = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8", env: { LC_ALL: "C" } })
    return started.replace(/\D+/g, "") || undefined
  } catch {
    return undefined
  }
}

let ownStart: string | undefined

/** Live processes that hold something, as files of a folder: each file names its process, so that nobody has to trust a file
 * that a killed process left behind, and no name is used twice. For processes of one machine. */
export class Holders {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  /** Says that this process holds one more. */
  add(): string {
    ownStart ??= startOf(process.pid) ?? "0"
    const name = `${process.pid}-${ownStart}-${randomBytes(6).toString("hex")}`
    writeFileSync(join(this.#folder, name), "", { flag: "wx", mode: 0o600 })
    return name
  }

  remove(name: string): void {
    rmSync(join(this.#folder, name), { force: true })
  }

  /** How many are held by live processes, but for one's own; files of dead processes are removed. */
  others(own?: string): number {
    const names = readdirSync(this.#folder).filter((name) => name !== own)
    return names.filter((name) => {
      const [pid, start] = name.split("-")
      if (startOf(Number(pid)) === start) return true
      this.remove(name)
      return false
    }).length
  }
}

const patienceMs = 120_000

/** Runs work while no other process, and nobody else in this one, does so over the same folder. Of two who say so at the same time
 * at least one sees the other, and steps back.
 * @throws retryable `store-busy` after two minutes */
export async function exclusively<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const holders = new Holders(folder)
  for (const until = Date.now() + patienceMs; Date.now() < until; await sleep(10 + Math.random() * 60)) {
    if (holders.others() > 0) continue
    const own = holders.add()
    try {
      if (holders.others(own) === 0) return await work()
    } finally {
      holders.remove(own)
    }
  }
  throw retryable("store-busy", "another process has been starting or stopping the embedded Store for two minutes")
}
