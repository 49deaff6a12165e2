import { createReadStream } from "node:fs"
import { link, mkdir, readFile, rename, stat, unlink, utimes } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { checkObjectKey } from "../../ports/object-key.ts"
import type { Body, ObjectInfo, Objects } from "../../ports/objects.ts"
import { errnoOf, fileError, missing } from "./errors.ts"
import { FolderSync } from "./folder-sync.ts"
import { Temporaries } from "./temporary.ts"
import { walk } from "./walk.ts"
import { writeFile } from "./write.ts"

/** Where the objects are; `mtime` (ms since 1970) is given to every stored file and its folder, so that neither tells when
 * it was written. */
export interface FolderObjectsOptions {
  readonly dir: string
  readonly mtime?: number
}

/** Opens a folder as an object store: a key is a path in it, an object a file that is there whole or not at all. Several
 * processes may have it open. Rejects: `disk-full`, `access-refused` (systemic). */
export async function openFolderObjects({ dir, mtime }: FolderObjectsOptions): Promise<Objects> {
  const root = resolve(dir)
  try {
    await mkdir(root, { recursive: true })
    return new FolderObjects(root, mtime, await Temporaries.open(root))
  } catch (error) {
    throw fileError(error)
  }
}

class FolderObjects implements Objects {
  readonly driver = "folder"
  readonly #root: string
  readonly #mtime: number | undefined
  readonly #temporaries: Temporaries
  readonly #folders = new FolderSync()
  readonly #durable = new Set<string>()

  constructor(root: string, mtime: number | undefined, temporaries: Temporaries) {
    this.#root = root
    this.#mtime = mtime
    this.#temporaries = temporaries
  }

  async put(key: string, body: Body): Promise<ObjectInfo> {
    const path = this.#path(key)
    const size = await this.#store(path, body, rename)
    return { key, size }
  }

  async putIfAbsent(key: string, body: Body): Promise<boolean> {
    const path = this.#path(key)
    // The one who put it may have crashed before the folder was synced; who is told "it is there" relies on it too.
    if ((await this.head(key)) !== undefined) return this.#settle(path).then(() => false)
    try {
      await this.#store(path, body, link)
      return true
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error
      return this.#settle(path).then(() => false)
    }
  }

  async get(key: string, range?: { readonly from: number; readonly to: number }): Promise<AsyncIterable<Uint8Array>> {
    if ((await this.head(key)) === undefined) throw missing()
    return read(this.#path(key), range)
  }

  async bytes(key: string): Promise<Uint8Array> {
    return readFile(this.#path(key)).catch((error: unknown) => Promise.reject(fileError(error)))
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    try {
      const info = await stat(this.#path(key))
      return info.isFile() ? { key, size: info.size } : undefined
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined
      throw fileError(error)
    }
  }

  async *list(prefix: string): AsyncIterable<ObjectInfo> {
    try {
      yield* walk(this.#root, prefix)
    } catch (error) {
      throw fileError(error)
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    const paths = keys.map((key) => this.#path(key))
    const folders = new Set<string>()
    for (const path of paths) if (await remove(path)) folders.add(dirname(path))
    for (const folder of folders) await this.#settle(join(folder, "deleted"))
  }

  async close(): Promise<void> {}

  #path(key: string): string {
    return join(this.#root, checkObjectKey(key))
  }

  async #store(path: string, body: Body, name: typeof rename | typeof link): Promise<number> {
    const temporary = this.#temporaries.path()
    let left = true
    try {
      const size = await writeFile(temporary, body, this.#mtime)
      await this.#makeFolder(dirname(path))
      await name(temporary, path).catch((error: unknown) => {
        throw errnoOf(error) === "EEXIST" ? error : fileError(error)
      })
      left = name !== rename
      await this.#settle(path)
      return size
    } finally {
      if (left) await this.#temporaries.remove(temporary)
    }
  }

  /** Makes a name in a folder durable, and leaves no time on the folder. */
  async #settle(path: string): Promise<void> {
    const folder = dirname(path)
    try {
      if (this.#mtime !== undefined) await utimes(folder, this.#mtime / 1000, this.#mtime / 1000)
      await this.#folders.sync(folder)
    } catch (error) {
      throw fileError(error)
    }
  }

  async #makeFolder(folder: string): Promise<void> {
    if (folder === this.#root || this.#durable.has(folder)) return
    // A file in the way of a folder answers EEXIST, which elsewhere means that somebody else won.
    await mkdir(folder, { recursive: true }).catch((error: unknown) => {
      throw fileError(errnoOf(error) === "EEXIST" ? Object.assign(new Error(), { code: "ENOTDIR" }) : error)
    })
    for (let made = folder; made !== this.#root; made = dirname(made)) await this.#settle(made)
    this.#durable.add(folder)
  }
}

async function* read(path: string, range?: { readonly from: number; readonly to: number }): AsyncGenerator<Uint8Array> {
  if (range !== undefined && range.to <= range.from) return
  const bounds = range === undefined ? {} : { start: range.from, end: range.to - 1 }
  try {
    yield* createReadStream(path, { ...bounds, highWaterMark: 1 << 18 }) as AsyncIterable<Uint8Array>
  } catch (error) {
    throw fileError(error)
  }
}

async function remove(path: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return false
    throw fileError(error)
  }
}
