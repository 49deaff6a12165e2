import { randomUUID } from "node:crypto"
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  S3Client,
} from "@aws-sdk/client-s3"
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { openS3Objects } from "../../core/drivers/objects-s3/index.ts"
import { load, loadPackages } from "../../core/drivers/objects-s3/packages.ts"
import { CutUploads } from "../../core/drivers/objects-s3/uploads.ts"
import type { Objects } from "../../core/ports/objects.ts"
import { objectsContract } from "../kit/objects-contract.ts"
import { openProxy } from "../kit/proxy.ts"
import { services } from "../services/addresses.ts"

const { endpoint, key, secret } = services().s3
const credentials = { accessKeyId: key, secretAccessKey: secret }
const open = (bucket = `weir-test-${randomUUID()}`) => openS3Objects({ endpoint, bucket, credentials })

objectsContract("a bucket of S3", () => open())

describe("a bucket of S3", () => {
  it("is made once and found again", async () => {
    const bucket = `weir-test-${randomUUID()}`
    const [first, second] = await Promise.all([open(bucket), open(bucket)])
    await first.put("a", new Uint8Array(3))
    expect(await second.head("a")).toEqual({ key: "a", size: 3 })
    const third = await open(bucket)
    expect(await third.head("a")).toEqual({ key: "a", size: 3 })
    for (const each of [first, second, third]) await each.close()
  })

  it("says that a login was refused, which no record is to blame for", async () => {
    const bucket = `weir-test-${randomUUID()}`
    const wrong = openS3Objects({ endpoint, bucket, credentials: { ...credentials, secretAccessKey: "wrong" } })
    await expect(wrong).rejects.toMatchObject({ meaning: "systemic", code: "login-refused" })
  })

  it("says that nobody answers, which may pass", async () => {
    const nobody = openS3Objects({ endpoint: "http://127.0.0.1:1", bucket: "weir-test", credentials })
    await expect(nobody).rejects.toMatchObject({ meaning: "retryable", code: "unreachable" })
  })

  it("does not take the failure of a body for the store's", async () => {
    const objects = await open()
    const failing = (size: number) =>
      async function* () {
        yield new Uint8Array(size)
        throw new RangeError("of the body")
      }
    for (const size of [1, 20 << 20])
      await expect(objects.put("a", failing(size)())).rejects.toMatchObject({ name: "RangeError" })
    expect(await objects.head("a")).toBeUndefined()
    await objects.close()
  })

  describe("whose connections are cut", () => {
    let proxy: Awaited<ReturnType<typeof openProxy>>
    let objects: Objects
    let bucket: string
    const direct = new S3Client({ region: "us-east-1", endpoint, forcePathStyle: true, credentials })
    beforeEach(async () => {
      bucket = `weir-test-${randomUUID()}`
      proxy = await openProxy(endpoint)
      objects = await openS3Objects({ endpoint: proxy.url, bucket, credentials })
    })
    afterEach(async () => {
      await objects.close()
      await proxy.close()
    })
    afterAll(() => direct.destroy())

    const large = Buffer.alloc(20 << 20, "0123456789abcdefg")
    async function* inPieces() {
      for (let from = 0; from < large.length; from += 1 << 20) yield large.subarray(from, from + (1 << 20))
    }
    const uploads = async () => {
      const { Uploads = [] } = await direct.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
      return Uploads.map(({ Key }) => Key)
    }
    const parts = async (key: string) => {
      const { Uploads = [] } = await direct.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
      const [upload] = Uploads
      const { Parts = [] } = await direct.send(
        new ListPartsCommand({ Bucket: bucket, Key: key, UploadId: upload!.UploadId }),
      )
      return Parts.length
    }

    it.each(["question", "answer"] as const)(
      "once, by the %s of any request of an upload in parts, has it whole",
      async (what) => {
        for (const request of [
          "POST /BUCKET/KEY?uploads",
          "partNumber=1&",
          "partNumber=2&",
          "partNumber=3&",
          "POST /BUCKET/KEY?uploadId",
        ]) {
          const key = `large-${Math.random().toString(36).slice(2)}`
          proxy.cutAt(request.replace("BUCKET", bucket).replace("KEY", key), what)
          await objects.put(key, inPieces())
          expect(large.equals(await objects.bytes(key)), request).toBe(true)
        }
      },
    )

    it("for good, in the middle of an upload in parts, shows nothing of it; the next try wins, and no parts stay", async () => {
      await objects.put("old", new Uint8Array(3))
      for (const key of ["new", "old"]) {
        const body = async function* () {
          for await (const piece of inPieces()) {
            yield piece
            if ((await uploads()).length === 0) continue
            // The client has its number: of an upload whose number was cut off nobody can take the parts away yet.
            await vi.waitFor(async () => expect(await parts(key)).toBeGreaterThan(0), { timeout: 20_000 })
            proxy.refuse(true)
          }
        }
        await expect(objects.put(key, body())).rejects.toMatchObject({ meaning: "retryable", code: "unreachable" })
        expect(await uploads()).toEqual([key])
        proxy.refuse(false)
        expect((await objects.head(key))?.size).toBe(key === "new" ? undefined : 3)
        await objects.put(key, inPieces())
        expect(large.equals(await objects.bytes(key))).toBe(true)
        expect(await uploads()).toEqual([])
      }
    })

    it("with the process, leaves parts, which are ended once nobody can be at it any more", async () => {
      const key = "left"
      await direct.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: key }))
      await (await openS3Objects({ endpoint, bucket, credentials })).close()
      expect(await uploads()).toEqual([key])
      await new CutUploads(await loadPackages(), direct, bucket).endOld(-60_000)
      expect(await uploads()).toEqual([])
      expect(await objects.head(key)).toBeUndefined()
    })

    it("at the answer to a conditional put knows its own object again", async () => {
      for (const body of [new Uint8Array(10), inPieces()]) {
        const key = `claim-${Math.random().toString(36).slice(2)}`
        proxy.cutAt("if-none-match", "answer")
        expect(await objects.putIfAbsent(key, body)).toBe(true)
        expect(await objects.putIfAbsent(key, new Uint8Array(1))).toBe(false)
      }
    })

    it("in the middle of a body that is read says that it may pass", async () => {
      await objects.put("large", inPieces())
      const reading = async () => {
        let read = 0
        for await (const piece of await objects.get("large")) {
          read += piece.length
          if (read > 1 << 20) proxy.refuse(true)
        }
        return read
      }
      await expect(reading()).rejects.toMatchObject({ meaning: "retryable" })
      proxy.refuse(false)
      expect((await objects.bytes("large")).length).toBe(large.length)
    })
  })

  it("says which package to install when one is missing", async () => {
    const missing = load("@aws-sdk/client-s3", () => import("no-such-package-of-weir" as string))
    await expect(missing).rejects.toMatchObject({
      meaning: "fatal",
      code: "missing-package",
      message: expect.stringContaining("@aws-sdk/client-s3"),
      hint: expect.stringContaining("npm install"),
    })
  })

  it("keeps memory flat while it stores a large body", async () => {
    const objects = await open()
    const piece = Buffer.alloc(1 << 20, 7)
    let most = 0
    const body = async function* () {
      for (let i = 0; i < 200; i++) {
        if (i % 10 === 0) most = Math.max(most, process.memoryUsage().arrayBuffers)
        yield piece
      }
    }
    const before = process.memoryUsage().arrayBuffers
    expect(await objects.put("large", body())).toEqual({ key: "large", size: 200 << 20 })
    expect(most - before).toBeLessThan(120 << 20)
    await objects.delete(["large"])
    await objects.close()
  })
})
