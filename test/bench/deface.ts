import { planDefacing } from "../../transforms/deface/index.ts"
import { axial, phantom } from "../deface/phantom.ts"
import { bytesOf, memberOf } from "../deface/scanned.ts"
import type { Bench } from "./figure.ts"

const slices = 100
/** What the project promises: CPU seconds for a series of 100 slices of 512 by 512, beside which reading them is little. */
const promised = 15

const cpuSeconds = (since: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1e6
}

/** Finding a face in 100 slices of 512 by 512 (0.47 by 0.47 by 2.5 mm), judging the result, and taking it out of each; by the CPU
 * time of this process. */
export const benchDeface: Bench = async (tell) => {
  const made = phantom({ ...axial, spacing: [0.47, 0.47], rows: 512, columns: 512, step: [0, 0, 2.5], slices })
  tell("made a phantom")
  const members = made.map(({ file }, at) => memberOf(file, String(at).padStart(4, "0")))
  const began = process.cpuUsage()
  const plan = await planDefacing(members, { secret: "bench" })
  if (plan.kind === "held") throw new Error(`the phantom is held: ${plan.why}`)
  tell(`planned, ${cpuSeconds(began).toFixed(1)} s of CPU`)
  for (const { file } of made) await plan.deface(bytesOf(file))
  const measured = cpuSeconds(began)
  return [
    {
      name: "faces taken out of 100 slices of 512x512",
      measured,
      floor: promised,
      unit: "s of CPU",
      target: 1,
      atMost: true,
    },
  ]
}
