import { connect, createServer } from "node:net"
import type { AddressInfo, Server, Socket } from "node:net"
import type { Pool } from "pg"
import { afterAll, beforeAll, expect, it } from "vitest"
import { meaningful, openPool, transaction } from "../../sinks/postgres/session.ts"
import { temporaryPostgres } from "../oracle/postgres.ts"

let postgres: Awaited<ReturnType<typeof temporaryPostgres>>
let server: Server
let pool: Pool
const links: { client: Socket; lost: boolean }[] = []

beforeAll(async () => {
  postgres = await temporaryPostgres()
  server = createServer((client) => {
    const upstream = connect(postgres.client.port, "127.0.0.1")
    const link = { client, lost: false }
    links.push(link)
    client.on("error", () => {}).on("close", () => upstream.destroy())
    upstream.on("error", () => {})
    client.on("data", (bytes) => link.lost || upstream.write(bytes))
    upstream.on("data", (bytes) => link.lost || client.write(bytes))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  pool = openPool(`postgres://oracle:oracle@127.0.0.1:${(server.address() as AddressInfo).port}/postgres`)
})
afterAll(async () => {
  await pool.end()
  for (const { client } of links) client.destroy()
  await new Promise((resolve) => server.close(resolve))
  await postgres.close()
})

const one = () =>
  meaningful(transaction(pool, async (client) => (await client.query("SELECT 1 AS n")).rows[0] as unknown, 300))

it("a connection that is half open when it is next used is given up soon, and the try after it has another", async () => {
  await expect(one()).resolves.toEqual({ n: 1 })
  for (const link of links) link.lost = true
  await expect(one()).rejects.toMatchObject({ meaning: "retryable", code: "unreachable" })
  await expect(one()).resolves.toEqual({ n: 1 })
  expect(links).toHaveLength(2)
})
