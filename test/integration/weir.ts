import { spawn } from "node:child_process"
import { gunzipSync } from "node:zlib"
import { everythingBelow } from "../../cli/demo/below.ts"
import type { Found } from "../../cli/demo/below.ts"
import { loadPipeline } from "../../cli/load.ts"
import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import { textsOf } from "../../formats/dicom/index.ts"
import { builtIns, drivers, main } from "../../main.ts"

/** What a command printed, and its exit code. */
export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** What commands are given of the composition root, for tests that look into a pipeline's ports. */
export const app = {
  builtIns,
  drivers,
  dicomTexts: (bytes: Uint8Array) =>
    Buffer.from(bytes.subarray(128, 132)).toString("latin1") === "DICM" ? textsOf(bytes) : undefined,
}

/** Runs `weir` in this process, without the environment's variables. */
export async function weir(...argv: readonly string[]): Promise<Ended> {
  let [out, err] = ["", ""]
  const code = await main(argv, {
    stdout: { write: (text) => void (out += text) },
    stderr: { write: (text) => void (err += text) },
    environment: {},
    signal: new AbortController().signal,
    now: () => Date.now(),
  })
  return { code, out, err }
}

/** Starts `weir` as a process of its own, as users do. */
export function weirProcess(argv: readonly string[], environment: NodeJS.ProcessEnv = process.env) {
  const child = spawn(process.execPath, ["cli/bin.ts", ...argv], {
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  })
  const said = { out: "", err: "" }
  child.stdout.on("data", (data: Buffer) => (said.out += data.toString()))
  child.stderr.on("data", (data: Buffer) => (said.err += data.toString()))
  const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, ...said })))
  return { child, said, ended }
}

/** Compiles a pipeline file as commands do. */
export const compiled = async (file: string): Promise<CompiledPipeline> =>
  (await loadPipeline(file, app, { environment: {} })).pipeline

/** Everything that a pipeline has below `phi`. */
export async function below(file: string): Promise<readonly Found[]> {
  const found: Found[] = []
  await everythingBelow(await compiled(file), app, (one) => void found.push({ ...one, texts: [...one.texts] }))
  return found
}

/** The content of an object: what gzip hides is unpacked. */
export const unpacked = (key: string, bytes: Uint8Array): Uint8Array =>
  key.endsWith(".gz") ? gunzipSync(bytes) : bytes
