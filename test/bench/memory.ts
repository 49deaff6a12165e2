import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Bench } from "./figure.ts"
import { peakMegabytes, tellsPeak } from "./resident.ts"

/** What the Node process may take in the demo, MB. */
const allowance = 400
const sampleMs = 50

interface Child {
  readonly out: string
  /** The most resident memory it had, as last seen, MB. */
  readonly peak: number
}

/** Runs a script of this tree with this Node and watches its memory; what it starts itself (a database) is not counted. */
async function watched(args: readonly string[]): Promise<Child> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] })
  let [out, err, peak] = ["", "", 0]
  child.stdout.on("data", (text) => (out += text))
  child.stderr.on("data", (text) => (err += text))
  const watch = setInterval(() => (peak = Math.max(peak, peakMegabytes(child.pid!) ?? 0)), sampleMs)
  const [code] = (await once(child, "close")) as [number | null]
  clearInterval(watch)
  if (code !== 0) throw new Error(`${args[0]} ended with ${code}: ${err.slice(-2000)}`)
  return { out, peak }
}

/** Resident memory of the Node process: in the demo, and over a million records through a stateless stage. */
export const benchMemory: Bench = async (tell) => {
  if (!tellsPeak) {
    tell("SKIPPED: this system does not tell the peak memory of a process (/proc)")
    return []
  }
  const dir = await mkdtemp(join(tmpdir(), "weir-bench-memory-"))
  const root = join(import.meta.dirname, "../..")
  try {
    const demo = await watched([join(root, "cli/bin.ts"), "demo", join(dir, "demo")])
    tell(`the demo took ${demo.peak.toFixed(0)} MB at most`)
    const { out } = await watched([join(import.meta.dirname, "memory-child.ts"), dir])
    const { passed, early, end } = JSON.parse(out) as { passed: number; early: number; end: number }
    if (passed !== 1_000_000) throw new Error(`${passed} of a million records passed`)
    return [
      {
        name: "resident memory of the Node process in the demo, against what it may take",
        measured: demo.peak,
        floor: allowance,
        unit: "MB",
        target: 1,
        atMost: true,
      },
      {
        name: "peak resident memory after a million records, against after 200,000",
        measured: end,
        floor: early,
        unit: "MB",
        target: 1.15,
        atMost: true,
      },
    ]
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
