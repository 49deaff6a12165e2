import { Paddle } from "../../transforms/deidentify/pixels/paddle.ts"
import { Drawing } from "../contract/drawn-text.ts"
import type { Bench } from "./figure.ts"

/** CPU seconds that a megapixel of enlarged picture may cost, on one core. */
const bearable = 3
const rounds = 3
const lines = ["FALKENBERG JANE", "MRN20417 08/29/1951", "CITY HOSPITAL WEST", "GAIN 20 DEPTH 16 CM"]

/** Reading a picture of a megapixel with a few lines of text, by the CPU time of this process; a cost, told for each megapixel. */
export const benchOcr: Bench = async () => {
  const [width, height] = [1024, 1024]
  const drawing = new Drawing(width, height, 20, 150)
  for (const [at, line] of lines.entries()) drawing.text(line, 20, 20 + 40 * at, 255)
  const picture = { width, height, channels: 1, data: Uint8Array.from(drawing.cells) } as const
  const paddle = await Paddle.open(1)
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage()
    const found = await paddle.read(picture, 1)
    if (found.length < lines.length) throw new Error(`${found.length} lines were found`)
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / 1e6 / ((width * height) / 1e6))
  }
  return [
    {
      name: "text read in pictures, CPU for a megapixel, beside what is bearable",
      measured: best,
      floor: bearable,
      unit: "s/MP",
      target: 1,
      atMost: true,
    },
  ]
}
