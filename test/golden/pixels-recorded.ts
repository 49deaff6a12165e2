import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { OcrEngine } from "../../transforms/deidentify/pixels/ocr-engine.ts"
import type { ReadText, TextBox } from "../../transforms/deidentify/pixels/read-text.ts"

const path = join(import.meta.dirname, "pixels", "reads.json")
type Line = readonly [x: number, y: number, width: number, height: number, text: string, score: number]

/** Readings below this score decide nothing, and are not kept. */
const least = 0.25

/** What the OCR engine read in pictures that it has seen, by their content: the engine takes a second for a picture. With
 * WEIR_UPDATE_READS=1 it is asked for those that are not known, and they are written down. */
export class RecordedReads implements ReadText {
  readonly engine = "recorded"
  readonly #known: Record<string, readonly Line[]>
  readonly #asks: OcrEngine | undefined

  constructor() {
    this.#known = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Record<string, readonly Line[]>) : {}
    this.#asks = process.env["WEIR_UPDATE_READS"] === "1" ? new OcrEngine() : undefined
  }

  async read(...[picture, scale]: Parameters<ReadText["read"]>): Promise<readonly TextBox[]> {
    const { width, height, channels, data } = picture
    const hash = createHash("sha256").update(`${width} ${height} ${channels} ${scale} `).update(data)
    const key = hash.digest("base64url").slice(0, 16)
    const lines = this.#known[key] ?? (await this.#ask(key, picture, scale))
    return lines.map(([x, y, w, h, text, score]) => ({ x, y, width: w, height: h, text, score }))
  }

  async close(): Promise<void> {
    await this.#asks?.close()
  }

  async #ask(key: string, ...of: Parameters<ReadText["read"]>): Promise<readonly Line[]> {
    if (this.#asks === undefined)
      throw new Error(
        "a picture that no reading is recorded of: run again with WEIR_UPDATE_READS=1, and look at the diff",
      )
    const tenth = (value: number) => Math.round(value * 10) / 10
    const boxes = (await this.#asks.read(...of)).filter(({ score }) => score >= least)
    const lines = boxes.map(({ x, y, width, height, text, score }): Line => [
      tenth(x),
      tenth(y),
      tenth(width),
      tenth(height),
      text,
      Math.round(score * 100) / 100,
    ])
    this.#known[key] = lines
    const rows = Object.entries(this.#known).sort(([a], [b]) => (a < b ? -1 : 1))
    writeFileSync(path, `{\n${rows.map(([name, of]) => `"${name}": ${JSON.stringify(of)}`).join(",\n")}\n}\n`)
    return lines
  }
}
