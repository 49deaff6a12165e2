import { readdir, stat } from "node:fs/promises"
import { basename, dirname, extname, join } from "node:path"
import { fatal, retryable } from "../../core/index.ts"

/** What is read: a folder, and perhaps one file of it alone. */
export interface Root {
  readonly folder: string
  readonly only?: string
}

/** The folder that a path names, or the one file. Throws fatal `path-missing`, retryable `folder-unreadable`. */
export async function rootOf(path: string): Promise<Root> {
  try {
    return (await stat(path)).isFile() ? { folder: dirname(path), only: basename(path) } : { folder: path }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === "ENOENT" || code === "ENOTDIR")
      throw fatal("path-missing", "the folder of the source does not exist", { path: "path", cause })
    throw retryable("folder-unreadable", `the folder of the source cannot be read (${code ?? "unknown"})`, { cause })
  }
}

/** Which files count as arrivals. */
export interface Filter {
  /** Lower case, with the dot; undefined takes all files. */
  readonly extensions: ReadonlySet<string> | undefined
}

/** A file under the root by its path with `/`, or a folder that could not be listed. */
export type Found = { readonly path: string } | { readonly unlisted: string }

/** The files under a root in name order, a folder at a time in memory. Links are not followed: what they point to is either
 * outside, or read where it stands. */
export async function* walk({ folder, only }: Root, { extensions }: Filter, under = ""): AsyncGenerator<Found> {
  if (only !== undefined) {
    yield { path: only }
    return
  }
  const entries = await readdir(join(folder, under), { withFileTypes: true }).catch(() => undefined)
  if (entries === undefined) {
    yield { unlisted: under }
    return
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))) {
    const path = under === "" ? entry.name : `${under}/${entry.name}`
    if (entry.isDirectory()) yield* walk({ folder }, { extensions }, path)
    else if (entry.isFile() && (extensions === undefined || extensions.has(extname(entry.name).toLowerCase())))
      yield { path }
  }
}
