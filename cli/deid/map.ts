import { chmod, open } from "node:fs/promises"
import type { FileHandle } from "node:fs/promises"
import { fatal } from "../../core/index.ts"
import type { FileResult } from "./deidentify.ts"

/** A field of CSV (RFC 4180). */
const field = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/** The table of what became of each file: it links originals with results, so only its owner may read it. */
export class MapFile {
  readonly #file: FileHandle

  private constructor(file: FileHandle) {
    this.#file = file
  }

  /** Begins the file anew, mode 0600. Throws fatal `map-unwritable`. */
  static async open(path: string): Promise<MapFile> {
    try {
      const file = await open(path, "w", 0o600)
      // An older file keeps its mode when it is opened.
      await chmod(path, 0o600)
      await file.write("input,output,status,reason\n")
      return new MapFile(file)
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      throw fatal("map-unwritable", `the map cannot be written (${code ?? "unknown"})`, { path: "map", cause })
    }
  }

  async add({ input, output, status, reason }: FileResult): Promise<void> {
    await this.#file.write(`${[input, output, status, reason].map(field).join(",")}\n`)
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
