import type { ListMultipartUploadsCommandOutput, S3Client } from "@aws-sdk/client-s3"
import type { Packages } from "./packages.ts"

/** How long an upload in parts may take; one that is older was cut off with its process, ms. */
const MOST_MS = 86_400_000

/** Ends uploads in parts of which no object will come: their parts would be kept, and paid for, for ever. Nothing depends on it, so
 * a store that does not let its uploads be listed or ended, or does not answer now, is left as it is. */
export class CutUploads {
  readonly #s3: Packages["s3"]
  readonly #client: S3Client
  readonly #bucket: string
  /** Of this process, by upload id. */
  readonly #own = new Map<string, string>()

  constructor({ s3 }: Packages, client: S3Client, bucket: string) {
    this.#s3 = s3
    this.#client = client
    this.#bucket = bucket
  }

  /** Remembers one that this process could not end itself, for the connection was cut. */
  add(uploadId: string, key: string): void {
    this.#own.set(uploadId, key)
  }

  /** Ends what was remembered; called when the store answers again. */
  async endOwn(): Promise<void> {
    const own = [...this.#own]
    this.#own.clear()
    for (const [uploadId, key] of own) await this.#end(uploadId, key)
  }

  /** Ends what processes that are gone left behind.
   * @param olderThanMs since they were begun, by the store's clock and this machine's */
  async endOld(olderThanMs = MOST_MS): Promise<void> {
    const before = Date.now() - olderThanMs
    let [KeyMarker, UploadIdMarker]: (string | undefined)[] = []
    for (let more = true; more;) {
      const page = await this.#page(KeyMarker, UploadIdMarker)
      for (const { Key, UploadId, Initiated } of page?.Uploads ?? [])
        if (Key !== undefined && UploadId !== undefined && (Initiated?.getTime() ?? Infinity) <= before)
          await this.#end(UploadId, Key)
      KeyMarker = page?.NextKeyMarker
      UploadIdMarker = page?.NextUploadIdMarker
      more = page?.IsTruncated === true && KeyMarker !== undefined
    }
  }

  #page(KeyMarker?: string, UploadIdMarker?: string): Promise<ListMultipartUploadsCommandOutput | undefined> {
    const markers = { KeyMarker, UploadIdMarker }
    return this.#client
      .send(new this.#s3.ListMultipartUploadsCommand({ Bucket: this.#bucket, ...markers }))
      .catch(() => undefined)
  }

  async #end(UploadId: string, Key: string): Promise<void> {
    const upload = { Bucket: this.#bucket, Key, UploadId }
    await this.#client.send(new this.#s3.AbortMultipartUploadCommand(upload)).catch(() => {})
  }
}
