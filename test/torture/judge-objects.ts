import { gunzipSync } from "node:zlib"
import { openS3Objects } from "../../core/drivers/objects-s3/index.ts"
import type { Objects } from "../../core/ports/objects.ts"
import { bucket, partitions, s3Keys } from "./pipeline.ts"

interface Manifest {
  readonly sealed: boolean
  readonly files: readonly { readonly key: string; readonly records: number }[]
}

/** Reads what counts among the objects: chunks that the newest manifest record of their bounds names. */
export class ObjectsSeen {
  readonly #endpoint: string
  #objects: Objects | undefined
  /** Ids in sealed chunks, by the key of their manifest. */
  readonly #sealed = new Map<string, readonly number[]>()

  constructor(endpoint: string) {
    this.#endpoint = endpoint
  }

  /** How often each id is there. */
  async look(): Promise<ReadonlyMap<number, number>> {
    this.#objects ??= await openS3Objects({
      bucket: `${bucket}-limited`,
      endpoint: this.#endpoint,
      credentials: { accessKeyId: s3Keys["access-key"], secretAccessKey: s3Keys["secret-key"] },
    })
    const times = new Map<number, number>()
    for (let partition = 0; partition < partitions; partition++)
      for (const key of await this.#newest(this.#objects, partition))
        for (const id of await this.#ids(this.#objects, key)) times.set(id, (times.get(id) ?? 0) + 1)
    return times
  }

  /** Forgets what it has read. */
  forget(): void {
    this.#sealed.clear()
  }

  async close(): Promise<void> {
    await this.#objects?.close()
  }

  /** The manifest records that hold: of each chunk the one that reaches farthest. */
  async #newest(objects: Objects, partition: number): Promise<readonly string[]> {
    const newest = new Map<string, string>()
    for await (const { key } of objects.list(`manifests/counted/${partition}/`))
      newest.set(key.slice(0, key.lastIndexOf("-")), key)
    return [...newest.values()]
  }

  async #ids(objects: Objects, key: string): Promise<readonly number[]> {
    const known = this.#sealed.get(key)
    if (known !== undefined) return known
    const { sealed, files } = JSON.parse(Buffer.from(await objects.bytes(key)).toString()) as Manifest
    const ids: number[] = []
    for (const file of files) {
      const lines = gunzipSync(await objects.bytes(file.key))
        .toString()
        .split("\n")
        .filter(Boolean)
      if (lines.length !== file.records) throw new Error(`${file.key} has ${lines.length} lines, not ${file.records}`)
      ids.push(...lines.map((line) => Number((JSON.parse(line) as { id: string }).id)))
    }
    if (sealed) this.#sealed.set(key, ids)
    return ids
  }
}
