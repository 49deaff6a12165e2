import * as fs from "node:fs"
import { readdir, realpath, stat } from "node:fs/promises"
import { basename, dirname, join, resolve, sep } from "node:path"
import { promisify } from "node:util"
import { classify, fatal } from "../../core/index.ts"
import type { Original } from "../../transforms/deidentify/dicom-original.ts"
import type { Take } from "./memory.ts"

/** What is read: the files of a folder, or one. */
export interface Inputs {
  readonly folder: string
  /** Paths under the folder, with `/`, in name order. Links are not followed. */
  readonly files: readonly string[]
}

/** The file stayed not the same, or ended early. */
export class FileChanged extends Error {}

/** Lists the input. Throws fatal `path-missing`, `path-unreadable`. */
export async function listInputs(input: string): Promise<Inputs> {
  try {
    if ((await stat(input)).isFile()) return { folder: dirname(resolve(input)), files: [basename(input)] }
    const entries = await readdir(input, { recursive: true, withFileTypes: true })
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(input, sep).length))
    return { folder: resolve(input), files: files.map((file) => file.replaceAll(sep, "/")).sort() }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === "ENOENT" || code === "ENOTDIR")
      throw fatal("path-missing", "the input does not exist", { path: "input", cause })
    throw fatal("path-unreadable", `the input cannot be read (${code ?? "unknown"})`, { path: "input", cause })
  }
}

async function realOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") throw classify(thrown)
    const parent = dirname(path)
    return parent === path ? path : join(await realOf(parent), basename(path))
  }
}

const holds = (outer: string, inner: string): boolean => inner === outer || inner.startsWith(join(outer, sep))

/** Nothing is done in place, and the map, which links both sides, does not lie beside the results. Throws fatal `in-place`,
 * `map-in-output`. */
export async function checkApart(input: string, output: string, map: string | undefined): Promise<void> {
  const [from, to] = [await realOf(resolve(input)), await realOf(resolve(output))]
  if (holds(from, to) || holds(to, from))
    throw fatal("in-place", "the output is, holds or is inside the input", {
      path: "output",
      hint: "name a folder of its own for the output",
    })
  if (map !== undefined && holds(to, await realOf(resolve(map))))
    throw fatal("map-in-output", "the map would lie in the output, which it would re-identify", {
      path: "map",
      hint: "name a place outside the output folder",
    })
}

/** A vault re-identifies: it is in no folder that is handed on, and in none that is read. Throws fatal `vault-in-output`, `vault-in-input`. */
export async function checkVaultApart(input: string, output: string, vault: string): Promise<void> {
  const [from, to, own] = [await realOf(resolve(input)), await realOf(resolve(output)), await realOf(resolve(vault))]
  for (const [where, folder] of [
    ["output", to],
    ["input", from],
  ] as const)
    if (holds(folder, own) || holds(own, folder))
      throw fatal(`vault-in-${where}`, `the vault is, holds or is inside the ${where}`, {
        path: "vault",
        hint: "name a folder of its own for the vault",
      })
}

/** What a file looks like from outside; another one means that somebody wrote to it. */
export const markOf = (file: { readonly size: number; readonly mtimeMs: number }): string =>
  `${file.size}:${file.mtimeMs}`

/** Opens a file for one act, which is given its bytes, its mark, and what asks for its mark anew: that of the bytes that were read,
 * whatever the name stands for meanwhile.
 * @param take where its bytes are read into; memory of their own unless given */
export async function withFile<T>(
  path: string,
  act: (original: Original, mark: string, remark: () => string) => Promise<T>,
  take: Take = Buffer.allocUnsafe,
): Promise<T> {
  const file = await openFile(path, "r")
  try {
    // What is asked of an open file, and the close of one that was read, waits for no disk; a thread for each would cost more.
    const info = fs.fstatSync(file)
    return await act(originalOf(file, info.size, take), markOf(info), () => markOf(fs.fstatSync(file)))
  } finally {
    fs.closeSync(file)
  }
}

const openFile = promisify(fs.open)
const readFile = promisify(fs.read)
const pieceSize = 1 << 20

function originalOf(file: number, size: number, take: Take): Original {
  const read = async (from: number, to: number, into = take): Promise<Uint8Array> => {
    const bytes = into(to - from)
    let length = 0
    while (length < bytes.length) {
      const { bytesRead } = await readFile(file, bytes, length, bytes.length - length, from + length)
      if (bytesRead === 0) throw new FileChanged()
      length += bytesRead
    }
    return bytes
  }
  return {
    size,
    read: (from, to) => read(from, to),
    async *stream(from, to) {
      // Pieces pass by one after another; memory that is lent would hold all of them.
      for (let at = from; at < to; at += pieceSize)
        yield await read(at, Math.min(to, at + pieceSize), Buffer.allocUnsafe)
    },
  }
}
