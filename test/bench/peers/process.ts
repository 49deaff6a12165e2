import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync, readdirSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import type { Taken } from "../measure.ts"

/** A command to be timed. */
export interface Command {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
}

const pollMs = 50
/** A machine that others share is slow, but not as slow. */
const patienceMs = 900_000
/** Clock ticks a second in /proc (sysconf(_SC_CLK_TCK) on every Linux that Node runs on). */
const ticks = 100

/** Starts a command and times it from there until `done` says so, or until it ends by itself when there is no `done`; then ends
 * it. CPU is that of the process, its children and theirs, as last seen. Rejects when it fails, or ends before it is done. */
export async function timedProcess(what: Command, done?: () => Promise<boolean>): Promise<Taken> {
  const began = performance.now()
  const child = spawn(what.command, what.args, {
    cwd: what.cwd,
    env: { ...process.env, ...what.env },
    stdio: ["ignore", "pipe", "pipe"],
  })
  let said = ""
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said = (said + text).slice(-4000)))
  let cpu = 0
  const watch = setInterval(() => (cpu = Math.max(cpu, cpuOf(child.pid!))), pollMs)
  const failed = (how: string) => new Error(`${what.name} ${how}; the end of what it said:\n${said}`)
  try {
    const ended = once(child, "exit") as Promise<[number | null]>
    if (done === undefined) {
      const [code] = await ended
      if (code !== 0) throw failed(`ended with ${code}`)
    } else
      while (!(await done())) {
        if (child.exitCode !== null) throw failed(`ended with ${child.exitCode} before it was done`)
        if (performance.now() - began > patienceMs) throw failed("is not done after fifteen minutes")
        await sleep(pollMs)
      }
    return { seconds: (performance.now() - began) / 1000, cpu: Math.max(cpu, cpuOf(child.pid!)) }
  } finally {
    clearInterval(watch)
    await end(child)
  }
}

/** Ends a process, by force when it does not. */
export async function end(child: ReturnType<typeof spawn>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, "exit")
  child.kill("SIGTERM")
  const force = setTimeout(() => child.kill("SIGKILL"), 10_000)
  await ended
  clearTimeout(force)
}

interface Stat {
  readonly parent: string
  readonly seconds: number
}

/** User and system time of a process and of those of its children that it waited for (proc(5), fields 14 to 17). */
function statOf(pid: string): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
    return { parent: fields[1]!, seconds: [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) / ticks }
  } catch {
    return undefined
  }
}

/** CPU seconds of a process tree so far; 0 where the system does not tell. */
export function cpuOf(root: number): number {
  let pids: readonly string[]
  try {
    pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name))
  } catch {
    return 0
  }
  const stats = new Map<string, Stat>()
  for (const pid of pids) {
    const stat = statOf(pid)
    if (stat !== undefined) stats.set(pid, stat)
  }
  const sum = (pid: string): number => {
    const children = [...stats].filter(([, { parent }]) => parent === pid)
    return (stats.get(pid)?.seconds ?? 0) + children.reduce((total, [child]) => total + sum(child), 0)
  }
  return sum(String(root))
}
