import { randomUUID } from "node:crypto"
import { Readable } from "node:stream"
import type { S3Client } from "@aws-sdk/client-s3"
import { checkObjectKey } from "../../ports/object-key.ts"
import type { Body, ObjectInfo, Objects } from "../../ports/objects.ts"
import { BodyFailure, openBody, type Opened, PART } from "./body.ts"
import { newClient } from "./client.ts"
import { faultOf, isMissing, missing, s3Error } from "./errors.ts"
import { loadPackages, type Packages } from "./packages.ts"
import { CutUploads } from "./uploads.ts"

/** Where the bucket is. Without `endpoint` it is AWS; without `credentials` the SDK finds them (environment, files, roles). */
export interface S3ObjectsOptions {
  readonly bucket: string
  readonly endpoint?: string
  /** `us-east-1` unless given. */
  readonly region?: string
  readonly credentials?: {
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly sessionToken?: string
  }
  /** The bucket in the path, not the host name; true with an `endpoint` unless given. */
  readonly forcePathStyle?: boolean
  /** How long a connection may be silent while a request is under way, ms; 20 s unless given. Then it is given up, and tried anew. */
  readonly silenceMs?: number
}

/** Opens a bucket as an object store, and makes it if it is missing. Rejects: `missing-package` (fatal), `login-refused`
 * (systemic), `unreachable` (retryable). */
export async function openS3Objects(options: S3ObjectsOptions): Promise<Objects> {
  const packages = await loadPackages()
  const { region = "us-east-1" } = options
  const client = newClient(packages, options)
  try {
    await ensureBucket(packages, client, options.bucket, region)
    const cut = new CutUploads(packages, client, options.bucket)
    await cut.endOld()
    return new S3Objects(packages, client, options.bucket, cut)
  } catch (error) {
    client.destroy()
    throw s3Error(error, `bucket ${options.bucket}`)
  }
}

async function ensureBucket({ s3 }: Packages, client: S3Client, bucket: string, region: string): Promise<void> {
  try {
    await client.send(new s3.HeadBucketCommand({ Bucket: bucket }))
  } catch (error) {
    if (faultOf(error).status !== 404) throw error
    const where = region === "us-east-1" ? {} : { CreateBucketConfiguration: { LocationConstraint: region as never } }
    await client.send(new s3.CreateBucketCommand({ Bucket: bucket, ...where })).catch((refused: unknown) => {
      if (faultOf(refused).name !== "BucketAlreadyOwnedByYou") throw refused
    })
  }
}

/** Names the put that made an object, so that a put whose answer was lost can be told from another's. */
const MARK = "weir-put"
const MOST_DELETED = 1000

class S3Objects implements Objects {
  readonly driver = "s3"
  readonly #s3: Packages["s3"]
  readonly #storage: Packages["storage"]
  readonly #client: S3Client
  readonly #bucket: string
  readonly #cut: CutUploads

  constructor({ s3, storage }: Packages, client: S3Client, bucket: string, cut: CutUploads) {
    this.#cut = cut
    this.#s3 = s3
    this.#storage = storage
    this.#client = client
    this.#bucket = bucket
  }

  async put(key: string, body: Body): Promise<ObjectInfo> {
    const at = this.#at(key)
    return this.#meaning("put", async () => {
      const opened = await openBody(body)
      await this.#send(at, opened, randomUUID(), {})
      return { key, size: "whole" in opened ? opened.whole.length : opened.size() }
    })
  }

  async putIfAbsent(key: string, body: Body): Promise<boolean> {
    const at = this.#at(key)
    return this.#meaning("put", async () => {
      if ((await this.head(key)) !== undefined) return false
      const opened = await openBody(body)
      const mark = randomUUID()
      try {
        await this.#send(at, opened, mark, { IfNoneMatch: "*" })
        return true
      } catch (error) {
        if (faultOf(error).status !== 412) throw error
        // The answer to a first attempt may have been lost, and the second then finds what the first had put.
        return faultOf(error).attempts > 1 && (await this.#madeBy(at)) === mark
      }
    })
  }

  async get(key: string, range?: { readonly from: number; readonly to: number }): Promise<AsyncIterable<Uint8Array>> {
    const at = this.#at(key)
    return this.#meaning("get", async () => {
      if (range !== undefined && range.to <= range.from) {
        if ((await this.head(key)) === undefined) throw missing()
        return nothing()
      }
      const Range = range === undefined ? {} : { Range: `bytes=${range.from}-${range.to - 1}` }
      try {
        const { Body } = await this.#client.send(new this.#s3.GetObjectCommand({ ...at, ...Range }))
        return this.#stream(Body as Readable)
      } catch (error) {
        if (faultOf(error).status === 416) return nothing()
        throw error
      }
    })
  }

  async bytes(key: string): Promise<Uint8Array> {
    const at = this.#at(key)
    return this.#meaning("get", async () => {
      const { Body } = await this.#client.send(new this.#s3.GetObjectCommand(at))
      return (await Body?.transformToByteArray()) ?? new Uint8Array()
    })
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const at = this.#at(key)
    return this.#meaning("head", async () => {
      try {
        const { ContentLength } = await this.#client.send(new this.#s3.HeadObjectCommand(at))
        return { key, size: ContentLength ?? 0 }
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    })
  }

  async *list(prefix: string): AsyncIterable<ObjectInfo> {
    let token: string | undefined
    do {
      const page = await this.#meaning("list", () =>
        this.#client.send(
          new this.#s3.ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: prefix,
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
        ),
      )
      for (const { Key, Size } of page.Contents ?? []) if (Key !== undefined) yield { key: Key, size: Size ?? 0 }
      token = page.NextContinuationToken
    } while (token !== undefined)
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkObjectKey(key)
    for (let from = 0; from < keys.length; from += MOST_DELETED) {
      const Objects = keys.slice(from, from + MOST_DELETED).map((Key) => ({ Key }))
      await this.#meaning("delete", async () => {
        const Delete = { Objects, Quiet: true }
        const { Errors = [] } = await this.#client.send(
          new this.#s3.DeleteObjectsCommand({ Bucket: this.#bucket, Delete }),
        )
        const failed = Errors.find(({ Code }) => Code !== "NoSuchKey")
        if (failed !== undefined) throw Object.assign(new Error("delete failed"), { Code: failed.Code })
      })
    }
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }

  #at(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: checkObjectKey(key) }
  }

  async #send(
    at: { readonly Bucket: string; readonly Key: string },
    opened: Opened,
    mark: string,
    condition: { readonly IfNoneMatch?: string },
  ): Promise<void> {
    const input = { ...at, ...condition, Metadata: { [MARK]: mark } }
    if ("whole" in opened) {
      await this.#client.send(new this.#s3.PutObjectCommand({ ...input, Body: opened.whole }))
      return
    }
    const Body = Readable.from(opened.pieces, { objectMode: false, highWaterMark: 1 << 20 })
    const upload = new this.#storage.Upload({
      client: this.#client,
      params: { ...input, Body },
      partSize: PART,
      queueSize: 2,
    })
    try {
      await upload.done()
      await this.#cut.endOwn()
    } catch (error) {
      Body.destroy()
      if (upload.uploadId !== undefined) this.#cut.add(upload.uploadId, at.Key)
      // The completion was repeated after its answer was lost.
      if (faultOf(error).name !== "NoSuchUpload" || (await this.#madeBy(at)) !== mark) throw error
    }
  }

  async #madeBy(at: { readonly Bucket: string; readonly Key: string }): Promise<string | undefined> {
    const { Metadata } = await this.#client.send(new this.#s3.HeadObjectCommand(at))
    return Metadata?.[MARK]
  }

  async *#stream(body: Readable): AsyncGenerator<Uint8Array> {
    try {
      yield* body as AsyncIterable<Uint8Array>
    } catch (error) {
      throw s3Error(error, "get")
    }
  }

  async #meaning<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof BodyFailure) throw error.cause
      throw s3Error(error, `${what} in bucket ${this.#bucket}`)
    }
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
