import { execFile, execFileSync, spawn, type SpawnOptions } from "node:child_process"
import { closeSync, existsSync, openSync, readFileSync } from "node:fs"
import { connect, createServer, type AddressInfo } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"
import type { Started } from "./cache.ts"

const execute = promisify(execFile)

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Runs a command to its end; its output is in the error when it fails. */
export async function run(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<void> {
  await execute(command, args, { ...options, encoding: "utf8", maxBuffer: 64 << 20 } as object)
}

/** Starts a process that outlives this one; its output goes to `log`. */
export function startDetached(
  what: { readonly name: string; readonly mark: string; readonly log: string },
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Started {
  const log = openSync(what.log, "w")
  const child = spawn(command, args, { ...options, detached: true, stdio: ["ignore", log, log] })
  child.on("error", () => {})
  child.unref()
  closeSync(log)
  if (child.pid === undefined) throw new Error(`${what.name}: ${command} could not be started`)
  return { name: what.name, pid: child.pid, mark: what.mark }
}

/** Whether a recorded process runs: its number may have gone to another. */
export function isRunning({ pid, mark }: Started): boolean {
  try {
    return commandLine(pid).includes(mark)
  } catch {
    return false
  }
}

const commandLine = (pid: number): string =>
  existsSync("/proc/self/cmdline")
    ? readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
    : execFileSync("ps", ["-ww", "-o", "args=", "-p", String(pid)], { encoding: "utf8" })

/** Ends a recorded process, by force after ten seconds. */
export async function stop(started: Started, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  for (const [each, seconds] of [
    [signal, 10],
    ["SIGKILL", 5],
  ] as const) {
    if (!isRunning(started)) return
    process.kill(started.pid, each)
    for (const until = Date.now() + seconds * 1000; Date.now() < until && isRunning(started);) await sleep(50)
  }
}

/** Resolves when a port answers; rejects with the end of the log when the process ends or a minute passes. */
export async function waitForPort(started: Started, port: number, log: string): Promise<void> {
  const until = Date.now() + 60_000
  while (!(await answers(port))) {
    if (!isRunning(started) || Date.now() > until)
      throw new Error(`${started.name} did not come up; the end of its log:\n${readFileSync(log, "utf8").slice(-2000)}`)
    await sleep(50)
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    const end = (result: boolean) => {
      socket.destroy()
      resolve(result)
    }
    socket.once("connect", () => end(true)).once("error", () => end(false))
  })
}
