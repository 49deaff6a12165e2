import { resolve } from "node:path"
import type { Command } from "../command.ts"

export const demo: Command = {
  name: "demo",
  summary: "Runs the whole main job on a synthetic hospital, and searches what it released for every identifier",
  positionals: ["[DIR]"],
  options: {
    patients: { value: "N", doc: "1 to 9999 (default 20)" },
    seed: { value: "S", doc: "the same seed makes the same hospital (default 1)" },
  },
  more: "DIR is .weir/demo unless given; a demo empties it when it runs again.",
  async run(args, app, io) {
    const { runDemo } = await import("../demo/run-demo.ts")
    const folder = resolve(args.positionals[0] ?? ".weir/demo")
    return runDemo({ folder, patients: args.count("patients", 1) ?? 20, seed: args.text("seed") ?? "1" }, app, io)
  },
}
