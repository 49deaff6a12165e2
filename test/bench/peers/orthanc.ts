import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { end } from "./process.ts"

const program = process.env["WEIR_BENCH_ORTHANC"] ?? "/usr/sbin/Orthanc"
const patienceMs = 30_000

/** Whether there is an Orthanc to run, and where it was looked for. */
export const orthancAt = (): { readonly path: string; readonly found: boolean } => ({
  path: program,
  found: existsSync(program),
})

/** An Orthanc that runs. */
export interface Orthanc {
  /** Stores a file; its id. */
  store(path: string): Promise<string>
  /** The bytes of an instance, de-identified by the basic profile. */
  anonymize(id: string): Promise<Uint8Array>
  close(): Promise<void>
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
  const { port } = server.address() as AddressInfo
  await new Promise((closed) => server.close(closed))
  return port
}

/** Starts Orthanc with a storage of its own, without plug-ins and without a DICOM port. Rejects when it does not answer. */
export async function openOrthanc(dir: string): Promise<Orthanc> {
  await mkdir(dir)
  const port = await freePort()
  const config = {
    StorageDirectory: join(dir, "storage"),
    IndexDirectory: join(dir, "index"),
    HttpPort: port,
    DicomServerEnabled: false,
    RemoteAccessAllowed: false,
    AuthenticationEnabled: false,
    Plugins: [],
    KeepAlive: true,
    StoreDicom: true,
  }
  await writeFile(join(dir, "orthanc.json"), JSON.stringify(config))
  const child = spawn(program, [join(dir, "orthanc.json")], {
    stdio: "ignore",
    env: { ...process.env, TCP_NODELAY: "1" },
  })
  const url = `http://127.0.0.1:${port}`
  const ask = async (path: string, body?: Uint8Array | string): Promise<Response> => {
    const answer = await fetch(url + path, body === undefined ? {} : { method: "POST", body })
    if (!answer.ok) throw new Error(`Orthanc answers ${answer.status} at ${path}`)
    return answer
  }
  const began = performance.now()
  for (;;) {
    const up = await ask("/system").then(
      () => true,
      () => false,
    )
    if (up) break
    if (child.exitCode !== null || performance.now() - began > patienceMs) {
      await end(child)
      throw new Error("Orthanc does not come up")
    }
    await sleep(50)
  }
  return {
    async store(path) {
      const { ID } = (await (await ask("/instances", await readFile(path))).json()) as { readonly ID: string }
      return ID
    },
    async anonymize(id) {
      return new Uint8Array(await (await ask(`/instances/${id}/anonymize`, "{}")).arrayBuffer())
    },
    close: () => end(child),
  }
}
