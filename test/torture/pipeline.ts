import { renameSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { join } from "node:path"
import { stringify } from "yaml"

export const pipelineName = "torture"
export const partitions = 3
export const bucket = "torture"
export const s3Keys = { "access-key": "test", "secret-key": "testsecret" }

/** What an upgrade changes. */
export interface Release {
  readonly number: number
  /** Every label is derived again when it changes. */
  readonly factor: number
}

/** Addresses of one process: all of them a proxy's, but the ports on which it listens itself. */
export interface Addresses {
  readonly process: number
  readonly brokers: readonly number[]
  readonly postgres: number
  readonly s3: number
  readonly push: number
  readonly http: number
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Writes the pipeline file of one process, whole or not at all; processes differ only in addresses. */
export function writePipeline(folder: string, to: Addresses, release: Release): string {
  const file = join(folder, `weir-${to.process}.yaml`)
  const topic = { zone: "limited", partitions }
  const text = stringify({
    name: pipelineName,
    plugins: [here("./plugins.ts"), here("../integration/hospital/insert-only.ts")],
    log: {
      driver: "kafka",
      brokers: to.brokers.map((port) => `127.0.0.1:${port}`),
      "client-id": `weir-${to.process}`,
    },
    store: { driver: "postgres", url: `postgres://postgres:test@127.0.0.1:${to.postgres}/postgres` },
    objects: { driver: "s3", endpoint: `http://127.0.0.1:${to.s3}`, bucket, ...s3Keys },
    listen: { port: to.http },
    topics: Object.fromEntries(["arrivals", "pushed", "kept", "counted", "labels"].map((name) => [name, topic])),
    sources: {
      feed: { use: "torture-feed", with: { path: "./events" }, to: "arrivals" },
      push: { use: "torture-push", with: { port: to.push }, to: "pushed" },
    },
    stages: {
      sift: { from: "arrivals", through: [{ use: "torture-sift", with: { release: release.number } }], to: "kept" },
      count: { from: { left: "kept", right: "pushed" }, through: [{ use: "torture-count" }], to: "counted" },
      join: {
        from: { left: "kept", right: "pushed" },
        through: [{ use: "torture-join", with: { factor: release.factor } }],
        to: "labels",
      },
    },
    sinks: {
      table: { use: "postgres", from: ["counted", "labels"] },
      inserts: { use: "insert-only", from: ["counted"] },
      files: { use: "object-store", with: { "chunk-records": 500 }, from: ["counted"] },
    },
  })
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
  return file
}
