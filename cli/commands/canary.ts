import { writeFile } from "node:fs/promises"
import { duration } from "../../core/pipeline/shape.ts"
import { makeCanary } from "../canary/make.ts"
import { sendCanaries } from "../canary/send.ts"
import type { Command } from "../command.ts"
import { UsageError, exit } from "../exit.ts"
import { loadPipeline } from "../load.ts"
import { json } from "../table.ts"

/** `weir canary new`: makes the file of the canaries. */
export const canaryNew: Command = {
  name: "canary new",
  summary: "make patients that there are not, to look for below phi",
  positionals: [],
  options: {
    out: { value: "FILE", doc: "a file that is not there yet; name it under canaries: in the pipeline file" },
    count: { value: "N", doc: "how many (default 2)" },
    seed: { value: "S", doc: "the same seed gives the same canaries; take one of your own (default random)" },
  },
  async run(args, _app, io) {
    const out = args.text("out")
    if (out === undefined) throw new UsageError(["missing --out FILE"], "canary new")
    const seed = args.text("seed") ?? crypto.randomUUID()
    const canaries = Array.from({ length: args.count("count", 1) ?? 2 }, (_, at) => makeCanary(seed, at + 1))
    try {
      await writeFile(out, `${json({ canaries }, 2)}\n`, { flag: "wx", mode: 0o600 })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
      throw new UsageError([`${out} is there already: canaries in use are not replaced`], "canary new")
    }
    io.stdout.write(`${out}: ${canaries.length} canaries\n`)
    return exit.ok
  },
}

/** `weir canary send`: sends them through the pipeline's own sources. */
export const canarySend: Command = {
  name: "canary send",
  summary: "send every canary to the pipeline's sources, once or again and again",
  positionals: ["FILE"],
  options: { every: { value: "DURATION", doc: "again each 15m, 1h, 1d, until stopped (default once)" } },
  more: "Files go into the folders of dicom-folder and fhir-ndjson, messages to hl7v2-mllp, which must run.",
  async run(args, app, io) {
    const every = args.text("every")
    const pause = every === undefined ? undefined : duration(every)?.ms
    if (every !== undefined && (pause === undefined || pause < 1000))
      throw new UsageError(["--every: expected a duration of at least 1s, such as 1h"], "canary send")
    const { pipeline } = await loadPipeline(args.positionals[0]!, app, io)
    for (;;) {
      const { canaries, sources, others } = await sendCanaries(pipeline, io.now())
      const left = others.length === 0 ? "" : `; not to ${others.join(", ")}`
      io.stdout.write(`${canaries} canaries sent to ${sources.join(", ")}${left}\n`)
      if (pause === undefined || !(await waited(pause, io.signal))) return exit.ok
    }
  },
}

/** False when it was stopped meanwhile. */
const waited = (ms: number, signal: AbortSignal): Promise<boolean> =>
  new Promise((done) => {
    if (signal.aborted) return done(false)
    const stop = () => {
      clearTimeout(timer)
      done(false)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop)
      done(true)
    }, ms)
    signal.addEventListener("abort", stop, { once: true })
  })
