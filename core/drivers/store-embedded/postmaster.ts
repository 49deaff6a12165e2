import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { startOf } from "./holders.ts"

/** A running server, as its own file tells (PostgreSQL, miscadmin.h: LOCK_FILE_LINE_*). */
export interface Postmaster {
  readonly pid: number
  readonly port: number
  readonly status: string
}

const fileOf = (data: string): string => join(data, "postmaster.pid")

/** The server that runs on a data folder, starting and stopping ones included. */
export function runningPostmaster(data: string): Postmaster | undefined {
  const lines = linesOf(data)
  const pid = Number(lines[0])
  return Number.isInteger(pid) && pid > 0 && isServerOf(pid, data)
    ? { pid, port: Number(lines[3]), status: (lines[7] ?? "").trim() }
    : undefined
}

/** Where a server listened that did not end by itself; undefined when the last one did. */
export function lastPort(data: string): number | undefined {
  const port = Number(linesOf(data)[3])
  return Number.isInteger(port) && port > 0 ? port : undefined
}

function linesOf(data: string): string[] {
  try {
    return readFileSync(fileOf(data), "utf8").split("\n")
  } catch {
    return []
  }
}

/** The number of a dead server may have gone to another process. */
function isServerOf(pid: number, data: string): boolean {
  if (startOf(pid) === undefined) return false
  if (process.platform === "win32") return true
  try {
    const args =
      process.platform === "linux"
        ? readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")
        : execFileSync("ps", ["-ww", "-o", "args=", "-p", String(pid)], { encoding: "utf8" })
            .trim()
            .split(" ")
    return args.join(" ").includes(data)
  } catch {
    return false
  }
}

/** A file that a dead server left holds the next one back when its number has gone to a process of the same account. Only the
 * number is changed: by the rest the server still finds what may be left of the dead one's memory. */
export function disownStaleFile(data: string): void {
  const lines = linesOf(data)
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 0 || startOf(pid) === undefined || isServerOf(pid, data)) return
  writeFileSync(fileOf(data), ["999999999", ...lines.slice(1)].join("\n"))
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ESRCH") throw error
  }
}

/** Ends the server of a data folder (fast shutdown: sessions are rolled back), by force after a while. */
export async function stopPostmaster(data: string): Promise<void> {
  for (const [signal, seconds] of [
    ["SIGINT", 20],
    ["SIGQUIT", 10],
  ] as const) {
    const server = runningPostmaster(data)
    if (server === undefined) return
    const start = startOf(server.pid)
    signalTo(server.pid, signal)
    for (const until = Date.now() + seconds * 1000; Date.now() < until; await sleep(20))
      if (startOf(server.pid) !== start) return
  }
}
