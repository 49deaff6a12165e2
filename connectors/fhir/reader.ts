import { join } from "node:path"
import type { FileHandle } from "node:fs/promises"
import { WeirError, badRecord, classify, retryable } from "../../core/index.ts"
import type { Context, Draft, FhirResource, SourceRun } from "../../core/index.ts"
import { linesOf } from "../../formats/fhir/lines.ts"
import type { Line } from "../../formats/fhir/lines.ts"
import type { ZoneOffset } from "../../formats/fhir/time.ts"
import { openFile, textFrom } from "./files.ts"
import { InFlight } from "./in-flight.ts"
import type { outputs } from "./index.ts"
import { Ordinals, lineHash, linesPerOrdinal, read, written } from "./progress.ts"
import type { Progress } from "./progress.ts"
import { readLine } from "./resource-line.ts"

const batchRecords = 500
const batchBytes = 4 * 1024 * 1024
const bytesInFlight = 16 * 1024 * 1024
/** What a dead letter counts for in flight. */
const letterWeight = 64 * 1024
/** Longest line that is read, bytes. */
const mostLine = 64 * 1024 * 1024

export interface Settings {
  /** Name of the source as records state it. */
  readonly source: string
  readonly zone: ZoneOffset
}

/** Reads files line by line into records; one a run. */
export class Reader {
  readonly #settings: Settings
  readonly #context: Context
  readonly #run: SourceRun<typeof outputs>
  readonly #ordinals: Ordinals
  readonly #flight = new InFlight(bytesInFlight)

  constructor(settings: Settings, context: Context, run: SourceRun<typeof outputs>) {
    this.#settings = settings
    this.#context = context
    this.#run = run
    this.#ordinals = new Ordinals(run.checkpoint.values())
  }

  /** Reads what is new in a file, from the line after the last one that is durable. Throws retryable `file-unreadable`. */
  async file(folder: string, path: string): Promise<void> {
    const known = read(this.#run.checkpoint.get(path))
    const resumed = known !== undefined && known.line > 0
    if (resumed && (await this.#pass(folder, path, known))) return
    if (resumed) this.#context.log.warn("file-replaced", { line: known.line })
    await this.#pass(folder, path, {
      ordinal: -1,
      line: 0,
      start: 0,
      hash: "",
      size: resumed ? -1 : (known?.size ?? -1),
    })
  }

  /** False when the file is not the one in which `from` was reached. */
  async #pass(folder: string, path: string, from: Progress): Promise<boolean> {
    const file = await openFile(join(folder, path))
    if (file === undefined) return true
    try {
      const { size } = await file.stat()
      if (from.size === size) return true
      const ordinal = from.ordinal < 0 ? this.#ordinals.take() : from.ordinal
      return await new Pass(this, file, path, size, { ...from, ordinal }).read()
    } finally {
      await file.close()
    }
  }

  get stopped(): boolean {
    return this.#run.signal.aborted
  }

  /** The record of a line, undefined for a blank one; the error of a bad one. */
  draft(line: Line, path: string, number: number, ordinal: number): Draft<FhirResource> | WeirError | undefined {
    if (line.bytes === undefined) return badRecord("line-too-long", `the line is longer than ${mostLine} bytes`)
    try {
      return readLine(line.bytes, { ...this.#settings, file: path, line: number, ordinal })
    } catch (thrown) {
      const error = classify(thrown)
      if (error.meaning === "bad-record") return error
      throw error
    }
  }

  ordinal(): number {
    return this.#ordinals.take()
  }

  append(path: string, records: readonly Draft<FhirResource>[], progress: Progress, bytes: number): Promise<void> {
    return this.#flight.add(this.#run.append("out", records, { [path]: written(progress) }), bytes + 1024)
  }

  fail(path: string, line: number, error: WeirError, progress: Progress): Promise<void> {
    return this.#flight.add(this.#run.fail(`${path}:${line}`, error, { [path]: written(progress) }), letterWeight)
  }

  settle(): Promise<void> {
    return this.#flight.settle()
  }
}

/** One reading of one file, from a place on to its end. */
class Pass {
  readonly #reader: Reader
  readonly #file: FileHandle
  readonly #path: string
  readonly #size: number
  readonly #from: Progress
  #ordinal: number
  #line: number
  #last: Line | undefined
  #batch: Draft<FhirResource>[] = []
  #bytes = 0

  constructor(reader: Reader, file: FileHandle, path: string, size: number, from: Progress) {
    this.#reader = reader
    this.#file = file
    this.#path = path
    this.#size = size
    this.#from = from
    this.#ordinal = from.ordinal
    this.#line = from.line
  }

  /** False, and nothing done, when the file is not the one that was read before. */
  async read(): Promise<boolean> {
    const { line, start } = this.#from
    try {
      let resuming = line > 0
      for await (const lines of linesOf(textFrom(this.#file, this.#path, start), start, mostLine)) {
        if (this.#reader.stopped) return true
        if (resuming && lineHash(lines[0]!.bytes) !== this.#from.hash) return false
        for (const each of resuming ? lines.slice(1) : lines) await this.#take(each)
        resuming = false
      }
      if (resuming) return false
    } catch (thrown) {
      const error = streamError(thrown)
      if (error.meaning !== "bad-record") throw error
      await this.#flush()
      await this.#reader.fail(this.#path, this.#line + 1, error, this.#progress(this.#size))
      return true
    }
    await this.#flush(this.#size)
    return true
  }

  async #take(line: Line): Promise<void> {
    const ordinal = this.#line > 0 && this.#line % linesPerOrdinal === 0 ? this.#reader.ordinal() : this.#ordinal
    const record = this.#reader.draft(line, this.#path, this.#line + 1, ordinal)
    if (record instanceof WeirError) await this.#flush()
    this.#ordinal = ordinal
    this.#line++
    this.#last = line
    if (record === undefined) return
    if (record instanceof WeirError) return this.#reader.fail(this.#path, this.#line, record, this.#progress(-1))
    this.#batch.push(record)
    this.#bytes += line.bytes!.length
    if (this.#batch.length >= batchRecords || this.#bytes >= batchBytes) await this.#flush()
  }

  #progress(size: number): Progress {
    const { start, hash } =
      this.#last === undefined ? this.#from : { start: this.#last.start, hash: lineHash(this.#last.bytes) }
    return { ordinal: this.#ordinal, line: this.#line, start, hash, size }
  }

  /** @param size of the file when this is its end */
  async #flush(size = -1): Promise<void> {
    if (this.#batch.length === 0 && size < 0) return
    const [batch, bytes] = [this.#batch, this.#bytes]
    this.#batch = []
    this.#bytes = 0
    await this.#reader.append(this.#path, batch, this.#progress(size), bytes)
  }
}

/** What the end of a stream in an error means: bytes that are not gzip are the file's fault, all else the disk's. */
function streamError(thrown: unknown): WeirError {
  const code = (thrown as { readonly code?: unknown }).code
  if (code === "Z_BUF_ERROR") return badRecord("gzip-truncated", "the gzip file ends in the middle", { cause: thrown })
  if (typeof code === "string" && code.startsWith("Z_"))
    return badRecord("gzip-corrupt", `the file is not readable gzip (${code})`, { cause: thrown })
  if (thrown instanceof WeirError) return thrown
  const system = typeof code === "string" && /^E[A-Z]+$/.test(code)
  return system ? retryable("file-unreadable", `a file cannot be read (${code})`, { cause: thrown }) : classify(thrown)
}
