/** A thread that reads text in pictures: asks come as `{ id, picture, scale }`, and get `{ id, boxes }` or `{ id, failure }`. */
import { parentPort, workerData } from "node:worker_threads"
import type { Picture } from "../../../formats/pixels/index.ts"
import { Paddle } from "./paddle.ts"

interface Ask {
  readonly id: number
  readonly picture: Picture
  readonly scale: number
}

const port = parentPort!
const paddle = Paddle.open((workerData as { readonly threads: number }).threads)
// Who asks is told of a failure; without an ask nobody is.
paddle.catch(() => {})
let turn: Promise<void> = Promise.resolve()

async function answer({ id, picture, scale }: Ask): Promise<void> {
  try {
    port.postMessage({ id, boxes: await (await paddle).read(picture, scale) })
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException
    port.postMessage({ id, failure: { code: code ?? "failed", message } })
  }
}

port.on("message", (ask: Ask) => {
  turn = turn.then(() => answer(ask))
})
