import { type FileHandle, open, readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import { corrupt } from "./block.ts"
import { readAll, scan } from "./scan.ts"
import { addBlock, decodeEntries, decodeIndex, encodeIndex, type Part, type Parts, placeOf } from "./segment-index.ts"

/** The first bytes of a segment file. */
export const SEGMENT_HEADER = 64
const MAGIC = "WEIRLOG1"

/** What a segment file says of itself: a checksummed header of 64 bytes at its beginning. */
export interface SegmentHeader {
  readonly salt: number
  /** Numbers of the segments that it holds: one, or several that were cleaned into one. */
  readonly first: number
  readonly last: number
  /** Bytes of the file, when it was written whole; 0 for one that is, or was, appended to. */
  readonly size: number
  /** Bytes of the segment before, as it was when this one was begun. */
  readonly previous: number
}

/** The name of the file of the segment that begins with this number. */
export const segmentName = (first: number): string => `${String(first).padStart(10, "0")}.log`

export function encodeSegmentHeader({ salt, first, last, size, previous }: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER)
  bytes.write(MAGIC, 0, "latin1")
  bytes.writeUInt32LE(salt, 8)
  bytes.writeUInt32LE(first, 12)
  bytes.writeUInt32LE(last, 16)
  bytes.writeDoubleLE(size, 24)
  bytes.writeDoubleLE(previous, 32)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60)
  return bytes
}

export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER || bytes.toString("latin1", 0, 8) !== MAGIC) return undefined
  if (crc32(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)) return undefined
  return {
    salt: bytes.readUInt32LE(8),
    first: bytes.readUInt32LE(12),
    last: bytes.readUInt32LE(16),
    size: bytes.readDoubleLE(24),
    previous: bytes.readDoubleLE(32),
  }
}

/** An open segment file and where the blocks of each partition lie in it. */
export class Segment {
  readonly folder: string
  readonly header: SegmentHeader
  readonly file: FileHandle
  /** Bytes that count. */
  size: number
  parts: Parts = new Map()
  #readers = 0
  #retired = false

  constructor(folder: string, header: SegmentHeader, file: FileHandle, size: number) {
    this.folder = folder
    this.header = header
    this.file = file
    this.size = size
  }

  /** Opens a file. Rejects with `log-corrupt` (fatal) when its header does not hold. */
  static async open(folder: string, name: string, mode: "r" | "r+"): Promise<Segment> {
    const file = await open(join(folder, name), mode)
    try {
      const bytes = Buffer.alloc(SEGMENT_HEADER)
      const header = decodeSegmentHeader(bytes.subarray(0, await readAll(file, bytes, 0)))
      const { size } = await file.stat()
      if (header === undefined || segmentName(header.first) !== name) throw corrupt(name)
      return new Segment(folder, header, file, size)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  get name(): string {
    return segmentName(this.header.first)
  }

  /** The name of its index file: of another file in its place the index has another name. */
  get indexName(): string {
    return `${this.name.slice(0, -4)}-${this.header.last}-${this.size}.idx`
  }

  get #indexPath(): string {
    return join(this.folder, this.indexName)
  }

  /** Reads the index file, or makes it anew. */
  async loadIndex(): Promise<void> {
    const parts = decodeIndex(await readFile(this.#indexPath).catch(() => Buffer.alloc(0)), this.size, this.header.last)
    if (parts === undefined) await this.rebuildIndex()
    else this.parts = parts
  }

  /** Makes the index from the frames. Rejects with `log-corrupt` where one does not hold. */
  async rebuildIndex(): Promise<void> {
    this.parts = await this.#scan()
    await this.storeIndex()
  }

  async #scan(): Promise<Parts> {
    const parts: Parts = new Map()
    const end = await scan(this.file, SEGMENT_HEADER, this.size, this.header.salt, ({ position, time, blocks }) => {
      for (const { at, info } of blocks) addBlock(parts, position + at, info, time)
    })
    if (end !== this.size) throw corrupt(`${this.name} at byte ${end}`)
    return parts
  }

  /** Writes the index file; then entries need not stay in memory. It is no harm when it cannot be written. */
  async storeIndex(): Promise<void> {
    const bytes = encodeIndex(this.size, this.header.last, this.parts)
    try {
      await writeFile(`${this.#indexPath}~`, bytes, { mode: 0o600 })
      await rename(`${this.#indexPath}~`, this.#indexPath)
    } catch {
      return
    }
    for (const [place, { stored }] of decodeIndex(bytes, this.size, this.header.last) ?? []) {
      const part = this.parts.get(place)
      if (part === undefined || stored === undefined) continue
      part.stored = stored
      if (part.entries !== undefined) part.kept = new WeakRef(part.entries)
      part.entries = undefined
    }
  }

  /** The entries of a part, from memory or from the index file. */
  async entriesOf(part: Part): Promise<Uint32Array> {
    const known = part.entries ?? part.kept?.deref()
    if (known !== undefined) return known
    const stored = await this.#readEntries(part)
    const entries = stored ?? (await this.#scan()).get(placeOf(part.topic, part.partition))?.entries
    if (entries === undefined) throw corrupt(this.name)
    // The index is gone or damaged: what was found stays.
    if (stored === undefined) part.entries = entries
    part.kept = new WeakRef(entries)
    return entries
  }

  async #readEntries({ stored, length }: Part): Promise<Uint32Array | undefined> {
    const index = stored === undefined ? undefined : await open(this.#indexPath, "r").catch(() => undefined)
    if (index === undefined) return undefined
    try {
      const bytes = Buffer.alloc(length * 12)
      const read = await readAll(index, bytes, stored!.at)
      return read === bytes.length ? decodeEntries(bytes, stored!.crc) : undefined
    } finally {
      await index.close()
    }
  }

  /** Keeps the file open while `use` runs, also when it was replaced meanwhile. */
  async using<T>(use: () => Promise<T>): Promise<T> {
    this.#readers++
    try {
      return await use()
    } finally {
      this.#readers--
      if (this.#retired && this.#readers === 0) await this.file.close()
    }
  }

  /** Closes the file once nobody reads it. */
  async retire(): Promise<void> {
    if (this.#retired) return
    this.#retired = true
    if (this.#readers === 0) await this.file.close()
  }
}
