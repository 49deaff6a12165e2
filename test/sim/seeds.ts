import { parseArgs } from "node:util"
import { runSeed } from "./run.ts"

/** `npm run sim -- --seeds N --from S`: runs seeds and tells which fail; the last line is the sum. */
const { values } = parseArgs({ options: { seeds: { type: "string" }, from: { type: "string" } } })
const [seeds, from] = [Number(values.seeds ?? 1000), Number(values.from ?? 1)]
let failed = 0
for (let seed = from; seed < from + seeds; seed++) {
  const { broken } = await runSeed(seed)
  if (broken.length > 0) {
    failed++
    console.log(`seed ${seed}: ${broken.join("; ").slice(0, 500)}`)
  }
  if ((seed - from + 1) % 500 === 0) console.log(`${seed - from + 1} of ${seeds}`)
}
console.log(`seeds ${seeds} failed ${failed}`)
process.exit(failed === 0 ? 0 : 1)
