import { existsSync, readFileSync } from "node:fs"

/** Whether this system tells the peak memory of a process; Linux does. */
export const tellsPeak = existsSync("/proc/self/status")

/** The most resident memory that a process has had (VmHWM), MB; undefined when it is gone. */
export function peakMegabytes(pid: number | "self"): number | undefined {
  try {
    const found = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))
    return found === null ? undefined : (Number(found[1]) * 1024) / 1e6
  } catch {
    return undefined
  }
}
