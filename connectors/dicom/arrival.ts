import { open, type FileHandle } from "node:fs/promises"
import { join } from "node:path"
import { WeirError } from "../../core/index.ts"
import type { Objects } from "../../core/index.ts"
import type { ZoneOffset } from "../../formats/fhir/time.ts"
import { readHeader, readRange } from "./header.ts"
import type { Header } from "./header.ts"
import { instanceOf } from "./instance.ts"
import type { Unnumbered } from "./instance.ts"
import { Changing, store } from "./store.ts"

/** What became of a file. `mark` is its size and time of change: a file that still has them is not read again. */
export type Arrival =
  | { readonly kind: "record"; readonly mark: string; readonly draft: Unnumbered }
  | { readonly kind: "drop"; readonly mark: string; readonly reason: string }
  | { readonly kind: "fail"; readonly mark: string; readonly error: WeirError }
  /** Known already, or gone. */
  | { readonly kind: "nothing" }
  /** Somebody writes to it. */
  | { readonly kind: "changing" }
  | { readonly kind: "unreadable"; readonly code: string }

export interface Reading {
  readonly folder: string
  readonly objects: Objects
  readonly zone: ZoneOffset
  /** The mark of a file when it was dealt with. */
  known(path: string): string | undefined
  /** Whether a file that looks like this may be read now. */
  settled(path: string, mark: string, modified: number): boolean
}

/** Files up to this many bytes are read once, whole. */
const mostWhole = 8 * 1024 * 1024

const markOf = (file: { readonly size: number; readonly mtimeMs: number }): string => `${file.size}:${file.mtimeMs}`

/** Reads one file and stores its bytes; only errors of the object store are thrown. */
export async function readArrival(path: string, reading: Reading): Promise<Arrival> {
  let file: FileHandle | undefined
  try {
    file = await open(join(reading.folder, path), "r")
    const before = await file.stat()
    const mark = markOf(before)
    if (reading.known(path) === mark) return { kind: "nothing" }
    if (!reading.settled(path, mark, before.mtimeMs)) return { kind: "changing" }
    const arrival = await readOpen(file, path, before.size, mark, reading)
    return markOf(await file.stat()) === mark ? arrival : { kind: "changing" }
  } catch (thrown) {
    if (thrown instanceof Changing) return { kind: "changing" }
    const { code, syscall } = thrown as NodeJS.ErrnoException
    if (thrown instanceof WeirError || syscall === undefined) throw thrown
    return code === "ENOENT" ? { kind: "nothing" } : { kind: "unreadable", code: code ?? "unknown" }
  } finally {
    await file?.close()
  }
}

async function readOpen(
  file: FileHandle,
  path: string,
  size: number,
  mark: string,
  { objects, zone }: Reading,
): Promise<Arrival> {
  const whole = size <= mostWhole ? await readRange(file, 0, size) : undefined
  if (whole !== undefined && whole.length < size) throw new Changing()
  const header: Header = await readHeader(file, size, whole)
  if (header.kind !== "instance") return { ...header, mark }
  const stored = await store(objects, file, size, whole)
  return { kind: "record", mark, draft: instanceOf(header.summary, stored, path, zone) }
}
