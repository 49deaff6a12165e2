import { resolve } from "node:path"
import type { Command } from "../command.ts"
import { UsageError, exit } from "../exit.ts"

export const synth: Command = {
  name: "synth",
  summary: "Writes a synthetic hospital: linked images and records, the truth about them, every planted identifier",
  positionals: [],
  options: {
    patients: { value: "N", doc: "1 to 9999 (default 20, which shows everything there is)" },
    seed: { value: "S", doc: "the same seed gives the same bytes (default 1)" },
    out: { value: "DIR", doc: "a folder that is empty or not there yet" },
  },
  async run(args, app, io) {
    const out = args.text("out")
    if (out === undefined) throw new UsageError(["missing --out DIR"], "synth")
    const patients = args.count("patients", 1) ?? 20
    const live = io.stderr.isTTY === true
    const summary = await app
      .synthesize({
        patients,
        seed: args.text("seed") ?? "1",
        out: resolve(out),
        onProgress: (done, all) => live && io.stderr.write(`\r${done} of ${all} patients`),
      })
      .catch((error: unknown) => {
        if ((error as Error).name === "SynthError") throw new UsageError([(error as Error).message], "synth")
        throw error
      })
    if (live) io.stderr.write("\r\u001b[K")
    const { studies, planted, imageBytes } = summary
    io.stdout.write(
      `${out}: ${patients} patients, ${studies} studies, ${Math.round(imageBytes / 1e6)} MB of images, ${planted} planted identifiers\n` +
        "the truth is in truth.json, what must not be found below phi in planted.json\n",
    )
    return exit.ok
  },
}
