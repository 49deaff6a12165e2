import { createServer } from "node:http"
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openS3Objects } from "../../core/drivers/objects-s3/index.ts"
import type { Objects } from "../../core/ports/objects.ts"

describe("a bucket whose server falls silent while it is asked, as one behind a connection that is half open", () => {
  let server: Server
  let objects: Objects
  let asked = 0
  beforeAll(async () => {
    // Buckets are there, of an object half comes, and what is put is never answered.
    server = createServer((request, response) => {
      const { pathname } = new URL(request.url!, "http://s3")
      if (request.method === "HEAD" || pathname === "/b/" || pathname === "/b") return void response.end()
      asked++
      if (request.method === "GET") response.writeHead(200, { "content-length": "10", etag: '"e"' }).write("12345")
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    const credentials = { accessKeyId: "key", secretAccessKey: "secret" }
    objects = await openS3Objects({ endpoint: `http://127.0.0.1:${port}`, bucket: "b", credentials, silenceMs: 200 })
  })
  afterAll(async () => {
    await objects.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  it("says of a put, after some tries, that nobody answers, which may pass", async () => {
    asked = 0
    await expect(objects.put("a", Buffer.from("x"))).rejects.toMatchObject({
      meaning: "retryable",
      code: "unreachable",
    })
    expect(asked).toBe(3)
  })

  it("says so of an object of which a part came", async () => {
    await expect(objects.bytes("a")).rejects.toMatchObject({ meaning: "retryable", code: "unreachable" })
  })
})
