import type { FileHandle } from "node:fs/promises"
import { WeirError, badRecord } from "../../core/index.ts"
import { DicomFormatError, parse, summaryOf } from "../../formats/dicom/index.ts"
import type { Input, Parsed, Summary } from "../../formats/dicom/index.ts"
import { find } from "../../formats/dicom/element.ts"

const firstRead = 64 * 1024
/** Most bytes before the pixel data that are held in memory. */
const mostHeader = 256 * 1024 * 1024
const directoryRecords = 0x00041220

/** What the header of a file says it is. */
export type Header =
  | { readonly kind: "instance"; readonly summary: Summary }
  | { readonly kind: "drop"; readonly reason: "not-dicom" | "dicomdir" }
  | { readonly kind: "fail"; readonly error: WeirError }

/** [from, to) of a file, shorter when the file is. */
export async function readRange(file: FileHandle, from: number, to: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(to - from)
  let length = 0
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, from + length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return bytes.subarray(0, length)
}

/** Parses up to the pixel data, with as much of the file as that needs. */
async function parseHeader(file: FileHandle, size: number, whole: Buffer | undefined): Promise<Parsed> {
  let input: Input = { header: whole ?? (await readRange(file, 0, Math.min(size, firstRead))), size }
  for (;;) {
    const parsed = parse(input, { stopAtPixelData: true, skipPrivate: true })
    if (parsed.kind === "parsed") return parsed
    const { part, from, to } = parsed
    if (to > size || to - from > mostHeader) throw new DicomFormatError(to > size ? "truncated" : "too-large", "", from)
    // Growing by at least half keeps the number of tries small when a header has many elements.
    const end = part === "header" ? Math.min(size, Math.max(to, Math.ceil(input.header.length * 1.5))) : to
    const bytes = await readRange(file, from, end)
    if (bytes.length < to - from) throw new DicomFormatError("truncated", "", from + bytes.length)
    input = part === "header" ? { ...input, header: bytes } : { ...input, tail: bytes }
  }
}

/** UIDs of PS3.5 have 64 characters; more than this is no UID of any kind. */
const mostUid = 128

const uids = [
  ["sopInstanceUid", "(0008,0018)"],
  ["studyInstanceUid", "(0020,000D)"],
  ["seriesInstanceUid", "(0020,000E)"],
  ["sopClassUid", "(0008,0016)"],
] as const

function uidError(summary: Summary): WeirError | undefined {
  for (const [name, path] of uids) {
    if (summary[name] === "")
      return badRecord("no-uid", "the instance does not state a UID that it must have", { path })
    if (summary[name].length > mostUid) return badRecord("bad-uid", "a UID is too long to be one", { path })
  }
  return undefined
}

/** Reads what a file is, without its pixel data. Passes errors of the disk on.
 * @param whole the file's bytes when they are at hand */
export async function readHeader(file: FileHandle, size: number, whole: Buffer | undefined): Promise<Header> {
  if (size === 0) return { kind: "drop", reason: "not-dicom" }
  try {
    const parsed = await parseHeader(file, size, whole)
    if (find(parsed.dataSet, directoryRecords) !== undefined) return { kind: "drop", reason: "dicomdir" }
    const summary = summaryOf(parsed)
    const error = uidError(summary)
    return error === undefined ? { kind: "instance", summary } : { kind: "fail", error }
  } catch (thrown) {
    if (!(thrown instanceof DicomFormatError)) throw thrown
    if (thrown.code === "not-dicom") return { kind: "drop", reason: "not-dicom" }
    const detail = thrown.path === "" ? {} : { path: thrown.path }
    return { kind: "fail", error: badRecord(thrown.code, thrown.message, detail) }
  }
}
