/** A file that counts: lines of the records of [from, next). Offsets are decimal texts, as JSON numbers end at 2^53. */
export interface FileEntry {
  readonly key: string
  readonly from: string
  readonly next: string
  readonly records: number
  readonly bytes: number
  readonly sha256: string
}

/** What counts of a chunk. Of several records of a chunk the one with the greatest `next` holds. */
export interface Manifest {
  readonly format: "weir-chunk-1"
  readonly topic: string
  readonly partition: number
  readonly zone: string
  readonly type: string
  /** How its records were de-identified; absent in `phi`. */
  readonly privacy?: readonly string[]
  readonly from: string
  readonly next: string
  /** The chunk is full: nothing of it changes any more. */
  readonly sealed: boolean
  readonly records: number
  /** In offset order, without gaps; one when sealed. */
  readonly files: readonly FileEntry[]
  /** Its last line, by which a topic that was made anew is noticed. */
  readonly last: { readonly offset: string; readonly sha256: string }
}

/** Offset and text of a record. */
export interface OffsetLine {
  readonly offset: bigint
  /** Without the line end. */
  readonly line: string
}

/** The bytes of a manifest record. */
export const manifestBytes = (manifest: Manifest): Buffer => Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)
