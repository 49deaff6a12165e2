import { randomUUID } from "node:crypto"
import { describe, expect, it } from "vitest"
import { openS3Objects } from "../../core/drivers/objects-s3/index.ts"
import { load } from "../../core/drivers/objects-s3/packages.ts"
import { objectsContract } from "../kit/objects-contract.ts"
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
