import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { stringify } from "yaml"
import { type Ground, repository } from "./ground.ts"
import type { Command } from "./process.ts"

/** The load of a bench: rows, how many names they take turns on, and the partitions of every topic. */
export interface Load {
  readonly rows: number
  readonly keys: number
  readonly partitions: number
}

/** What a pipeline does with the topic of the load. */
export type Work =
  | { readonly kind: "load"; readonly topic: string }
  | { readonly kind: "sink"; readonly topic: string; readonly table: string }
  | { readonly kind: "stage"; readonly topic: string; readonly to: string }

const weir = join(repository, "dist/cli/bin.js")

/** `weir run` on a pipeline file that is written for it. It ends by itself when all is done. */
export function weirRun(ground: Ground, name: string, work: Work, load: Load): Command {
  const file = join(ground.folder, `${name}.yaml`)
  writeFileSync(file, stringify(pipeline(ground, name, work, load)))
  return {
    name: `weir run ${name}`,
    command: process.execPath,
    args: ["--no-warnings", weir, "run", file, "--until-idle"],
    cwd: ground.folder,
  }
}

function pipeline(ground: Ground, name: string, work: Work, { rows, keys, partitions }: Load): unknown {
  const topic = { zone: "phi", partitions }
  // A topic's record type is known by its writer. After the load the writer is named for that, and writes nothing more.
  const count = work.kind === "load" ? rows : 0
  return {
    name,
    plugins: ["./plugin.ts"],
    log: { driver: "kafka", brokers: [ground.kafka] },
    store: { driver: "postgres", url: ground.postgres },
    objects: { driver: "folder", dir: "objects" },
    topics: { [work.topic]: topic, ...(work.kind === "stage" ? { [work.to]: topic } : {}) },
    sources: { rows: { use: "bench-rows", with: { count, keys }, to: work.topic } },
    ...(work.kind === "stage"
      ? { stages: { relay: { from: work.topic, through: [{ use: "bench-relay" }], to: work.to } } }
      : {}),
    ...(work.kind === "sink"
      ? { sinks: { rows: { use: "postgres", from: work.topic, with: { tables: { [work.topic]: work.table } } } } }
      : {}),
  }
}
