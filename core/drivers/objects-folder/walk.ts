import type { Dirent } from "node:fs"
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import type { ObjectInfo } from "../../ports/objects.ts"
import { errnoOf } from "./errors.ts"

/** The objects below a folder whose keys begin with `prefix`, in key order, a folder's entries in memory at a time. */
export async function* walk(root: string, prefix: string): AsyncGenerator<ObjectInfo> {
  const slash = prefix.lastIndexOf("/")
  yield* walkFolder(root, prefix.slice(0, slash + 1), prefix)
}

async function* walkFolder(root: string, folder: string, prefix: string): AsyncGenerator<ObjectInfo> {
  for (const { key, isFolder } of await entries(root, folder)) {
    if (!key.startsWith(prefix) && !prefix.startsWith(key)) continue
    if (isFolder) yield* walkFolder(root, key, prefix)
    else if (key.startsWith(prefix)) {
      const info = await ifThere(stat(join(root, key)))
      if (info !== undefined) yield { key, size: info.size }
    }
  }
}

/** A folder is sorted with its slash, for `a.b` comes before `a/b` and after `a-b`. */
async function entries(root: string, folder: string): Promise<{ key: string; isFolder: boolean }[]> {
  const found: Dirent[] = (await ifThere(readdir(join(root, folder), { withFileTypes: true }))) ?? []
  return found
    .filter(({ name }) => !name.includes("~"))
    .map((entry) => ({ key: folder + entry.name + (entry.isDirectory() ? "/" : ""), isFolder: entry.isDirectory() }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
}

async function ifThere<T>(look: Promise<T>): Promise<T | undefined> {
  try {
    return await look
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined
    throw error
  }
}
