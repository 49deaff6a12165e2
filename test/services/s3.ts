import { existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { cache, type Addresses, type Started } from "./cache.ts"
import { freePort, run, startDetached, waitForPort } from "./processes.ts"

const VERSION = "v1.8.0"

/** Starts an S3 server (versitygw over a folder). */
export async function startS3(
  folder: string,
): Promise<{ readonly process: Started; readonly address: Addresses["s3"] }> {
  const binary = await versitygw()
  // The sidecar, which keeps the attributes of objects, stays outside of the data.
  const [data, sidecar, versions] = ["data", "sidecar", "versions"].map((name) => join(folder, name))
  for (const each of [data, sidecar, versions]) mkdirSync(each!, { recursive: true })
  const port = await freePort()
  const log = join(folder, "log.txt")
  const started = startDetached(
    { name: "s3", mark: data!, log },
    binary,
    ["--quiet", "--port", `127.0.0.1:${port}`, "posix", "--sidecar", sidecar!, "--versioning-dir", versions!, data!],
    { env: { ...process.env, ROOT_ACCESS_KEY: "test", ROOT_SECRET_KEY: "testsecret" } },
  )
  await waitForPort(started, port, log)
  return { process: started, address: { endpoint: `http://127.0.0.1:${port}`, key: "test", secret: "testsecret" } }
}

/** The path of the S3 server's binary, built once. */
export async function versitygw(): Promise<string> {
  const folder = join(cache, `versitygw-${VERSION}`)
  const binary = join(folder, "versitygw")
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true })
    await run("go", ["install", `github.com/versity/versitygw/cmd/versitygw@${VERSION}`], {
      env: { ...process.env, GOBIN: folder },
    })
  }
  return binary
}
