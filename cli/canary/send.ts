import { mkdir, rename, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { dirname, join, resolve } from "node:path"
import { readCanaries } from "../../core/canary/canary.ts"
import { fatal, retryable } from "../../core/errors.ts"
import type { CompiledPipeline, CompiledSource } from "../../core/pipeline/model.ts"
import { dicomFile, fhirLines, hl7v2Message } from "./messages.ts"
import type { Visit } from "./messages.ts"

type Send = (visit: Visit, options: Readonly<Record<string, unknown>>, pipeline: CompiledPipeline) => Promise<void>

/** Writes a file where its source does not look, then puts it in its place: no half of it is read. */
async function put(folder: string, name: string, bytes: string | Uint8Array): Promise<void> {
  const made = join(dirname(folder), `.${name}`)
  await mkdir(folder, { recursive: true })
  await writeFile(made, bytes)
  await rename(made, join(folder, name))
}

const nameOf = ({ canary, time }: Visit): string => `${canary.name}-${Math.floor(time / 1000)}`
const folderOf = (options: Readonly<Record<string, unknown>>, pipeline: CompiledPipeline): string =>
  resolve(pipeline.folder, String(options["path"]))

/** Sends a message over MLLP and waits for its acknowledgement. */
function mllp(host: string, port: number, text: string): Promise<void> {
  return new Promise((done, failed) => {
    const away = () =>
      failed(retryable("listener-away", `nobody acknowledges on ${host}:${port}`, { hint: "run the pipeline first" }))
    const socket = connect({ host, port }, () => socket.write(`\x0b${text}\x1c\r`, "utf8"))
    let answer = ""
    socket.setTimeout(10_000, () => socket.destroy())
    socket.on("error", () => {})
    socket.on("close", away)
    socket.on("data", (bytes: Buffer) => {
      answer += bytes.toString("latin1")
      if (!answer.includes("\x1c\r")) return
      if (/\rMSA\|[AC]A\b/.test(answer)) done()
      else failed(fatal("not-accepted", "the listener did not accept the message of a canary"))
      socket.destroy()
    })
  })
}

/** How what comes of a canary gets to a source: the way that everything else gets there. */
const ways: Readonly<Record<string, Send>> = {
  "dicom-folder": (visit, options, pipeline) =>
    put(folderOf(options, pipeline), `${nameOf(visit)}.dcm`, dicomFile(visit)),
  "fhir-ndjson": (visit, options, pipeline) =>
    put(folderOf(options, pipeline), `${nameOf(visit)}.ndjson`, fhirLines(visit)),
  "hl7v2-mllp": async (visit, options) => {
    if (options["tls"] !== undefined)
      throw fatal("tls-unsupported", "canaries are not sent over TLS: send them as other messages are sent")
    await mllp(String(options["host"] ?? "127.0.0.1"), Number(options["port"]), hl7v2Message(visit))
  },
}

/** What was sent. */
export interface Sent {
  readonly canaries: number
  readonly sources: readonly string[]
  /** Sources of plugins to which canaries cannot be sent. */
  readonly others: readonly string[]
}

/** Sends one visit of every canary to every source of a pipeline that can be sent to.
 * @throws fatal `no-canaries`, `canaries-unreadable`, `no-way`; retryable `listener-away` */
export async function sendCanaries(pipeline: CompiledPipeline, time: number): Promise<Sent> {
  if (pipeline.canaries === undefined)
    throw fatal("no-canaries", "the pipeline file names no canaries: nothing would look for them", {
      path: "canaries",
      hint: "add canaries: { file: canaries.json }",
    })
  const canaries = await readCanaries(resolve(pipeline.folder, pipeline.canaries.file))
  const [namespace] = pipeline.identity
  const issuers = {
    dicom: namespace?.dicomIssuers[0],
    fhir: namespace?.fhirSystems[0],
    hl7v2: namespace?.hl7v2Authorities?.[0],
  }
  const reached = pipeline.sources.filter(({ plugin }) => ways[plugin.name] !== undefined)
  if (reached.length === 0)
    throw fatal("no-way", `canaries can be sent to sources of ${Object.keys(ways).join(", ")}: there is none`)
  for (const source of reached) for (const canary of canaries) await send(source, { canary, issuers, time }, pipeline)
  const others = pipeline.sources.filter((source) => !reached.includes(source)).map(({ name }) => name)
  return { canaries: canaries.length, sources: reached.map(({ name }) => name), others }
}

const send = ({ plugin, options }: CompiledSource, visit: Visit, pipeline: CompiledPipeline): Promise<void> =>
  ways[plugin.name]!(visit, options as Readonly<Record<string, unknown>>, pipeline)
