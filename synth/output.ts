import { createWriteStream } from "node:fs"
import type { WriteStream } from "node:fs"
import { mkdir, open, rm, writeFile } from "node:fs/promises"
import type { FileHandle } from "node:fs/promises"
import { dirname, join } from "node:path"
import { finished } from "node:stream/promises"
import { createGzip } from "node:zlib"
import type { Gzip } from "node:zlib"

const chunk = 1 << 16

/** A text file that grows line by line; `.gz` in its name makes it gzip. */
export class LineFile {
  /** Lines written so far. */
  lines = 0
  readonly #file: WriteStream
  readonly #gzip: Gzip | undefined
  readonly #done: Promise<void>
  #waiting: string[] = []
  #size = 0

  constructor(path: string) {
    this.#file = createWriteStream(path)
    this.#done = finished(this.#file)
    this.#done.catch(() => undefined)
    this.#gzip = path.endsWith(".gz") ? createGzip({ level: 6 }) : undefined
    this.#gzip?.pipe(this.#file)
  }

  /** Adds a line; gives its number, from 1. */
  line(text: string): number {
    this.#waiting.push(text)
    this.#size += text.length
    return ++this.lines
  }

  /** Hands lines to the system once there are enough of them, and waits while it is busy. */
  async flush(all = false): Promise<void> {
    if (this.#size === 0 || (!all && this.#size < chunk)) return
    const text = `${this.#waiting.join("\n")}\n`
    this.#waiting = []
    this.#size = 0
    await new Promise<void>((resolve, reject) =>
      (this.#gzip ?? this.#file).write(text, (error) => (error ? reject(error) : resolve())),
    )
  }

  async close(): Promise<void> {
    await this.flush(true)
    const end = this.#gzip ?? this.#file
    end.end()
    await this.#done
  }
}

/** A JSON array that grows on disk, to become a member of a JSON file at the end. */
export class JsonPart {
  readonly path: string
  readonly #file: LineFile
  #any = false

  constructor(path: string) {
    this.path = path
    this.#file = new LineFile(path)
  }

  async add(values: readonly unknown[]): Promise<void> {
    for (const value of values) {
      this.#file.line(`${this.#any ? "," : ""}${JSON.stringify(value)}`)
      this.#any = true
    }
    await this.#file.flush()
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

async function copyInto(target: FileHandle, path: string): Promise<void> {
  const source = await open(path)
  try {
    for await (const bytes of source.createReadStream({ autoClose: false })) await target.write(bytes as Uint8Array)
  } finally {
    await source.close()
  }
}

/** Writes a JSON object of small members and of parts, which are removed. */
export async function writeJson(path: string, head: object, parts: Readonly<Record<string, JsonPart>>): Promise<void> {
  const target = await open(path, "w")
  try {
    await target.write(JSON.stringify(head, null, 2).replace(/\n\}$/, ""))
    for (const [name, part] of Object.entries(parts)) {
      await part.close()
      await target.write(`,\n  ${JSON.stringify(name)}: [\n`)
      await copyInto(target, part.path)
      await target.write("  ]")
      await rm(part.path)
    }
    await target.write("\n}\n")
  } finally {
    await target.close()
  }
}

/** Writes a file, its folders included. */
export async function put(folder: string, path: string, content: Uint8Array | string): Promise<void> {
  const whole = join(folder, path)
  await mkdir(dirname(whole), { recursive: true })
  await writeFile(whole, content)
}
