import { createHash } from "node:crypto"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { DemoFolder } from "../../cli/demo/folder.ts"
import type { Truth } from "../../cli/demo/folder.ts"
import { generate } from "../../synth/index.ts"
import { weir } from "./weir.ts"
import type { Ended } from "./weir.ts"

/** The demo's pipeline in a folder of its own, after some deliveries. */
export interface Demo {
  readonly folder: DemoFolder
  readonly truth: Truth
  /** What each run printed; `--json`. */
  readonly runs: readonly Ended[]
  /** The key itself, as pipelines use it. */
  readonly projectKey: Uint8Array
  readonly identityKey: Uint8Array
}

const keyOf = async (folder: DemoFolder, name: string): Promise<Uint8Array> =>
  Buffer.from((await readFile(join(folder.path, "keys", name), "utf8")).trimEnd())

/** Makes a synthetic hospital and runs the demo's pipeline over its first deliveries. */
export async function runDemo(path: string, patients: number, seed: string, deliveries: number): Promise<Demo> {
  const folder = new DemoFolder(path)
  await folder.renew()
  // Keys of the seed, so that a run can be had again.
  for (const name of ["project", "identity"])
    await writeFile(join(path, "keys", name), createHash("sha256").update(`${name} ${seed}`).digest("hex"))
  await folder.hospital(generate as never, patients, seed)
  const truth = await folder.truth()
  const runs: Ended[] = []
  for (const wave of truth.waves.slice(0, deliveries)) {
    await folder.deliver(wave)
    runs.push(await weir("run", folder.pipeline, "--until-idle", "--as-of", wave.asOf, "--json"))
  }
  const [projectKey, identityKey] = [await keyOf(folder, "project"), await keyOf(folder, "identity")]
  return { folder, truth, runs, projectKey, identityKey }
}
