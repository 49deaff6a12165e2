import { parseArgs } from "node:util"
import { plantedBugs } from "./bugs.ts"
import type { BugName } from "./bugs.ts"
import { runSeeds } from "./pool.ts"
import { runSeed } from "./run.ts"
import { shrink } from "./shrink.ts"
import { Summary } from "./summary.ts"

/** From so many seeds on, every mishap must have befallen every operation. */
const enoughSeeds = 10_000

const usage = `npm run sim -- [--seeds N] [--from S] [--workers W] [--bug NAME]   run seeds; the last line is the sum
npm run sim -- --replay S [--bug NAME]                            what happened under one seed, and the least of it that fails
bugs to plant: ${Object.keys(plantedBugs).join(", ")}`

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    workers: { type: "string" },
    replay: { type: "string" },
    bug: { type: "string" },
    help: { type: "boolean", default: false },
  },
})

function numberOf(name: "seeds" | "from" | "workers" | "replay"): number {
  const number = Number(values[name])
  if (Number.isSafeInteger(number) && number > 0) return number
  console.error(`--${name} ${values[name]} is no whole number above 0\n${usage}`)
  return process.exit(2)
}

function bugOf(name: string | undefined): BugName | undefined {
  if (name === undefined || name in plantedBugs) return name as BugName | undefined
  console.error(`there is no bug ${name}\n${usage}`)
  return process.exit(2)
}

async function replay(seed: number, bug: BugName | undefined): Promise<boolean> {
  const bugs = bug === undefined ? {} : plantedBugs[bug]
  const whole = await runSeed({ seed, traced: true }, bugs)
  console.log(whole.trace.join("\n"))
  console.log(`seed ${seed}: ${whole.steps} steps, ${whole.faults} faults, digest ${whole.digest.toString(16)}`)
  if (whole.broken.length === 0) return true
  console.log(whole.broken.join("\n"))
  const least = await shrink(seed, bugs)
  const { trace, broken, steps, events } = await runSeed({ ...least.seed, traced: true }, bugs)
  console.log(`\nthe least that was found to fail, after ${least.runs} runs:\n${trace.join("\n")}`)
  console.log(broken.join("\n"))
  console.log(`least: ${events} events, ${steps} steps, ${least.faults} of ${whole.faults} faults`)
  return false
}

async function all(bug: BugName | undefined): Promise<boolean> {
  const [seeds, from] = [numberOf("seeds"), numberOf("from")]
  const summary = new Summary()
  const begun = performance.now()
  await runSeeds({
    from,
    seeds,
    ...(bug === undefined ? {} : { bug }),
    ...(values.workers === undefined ? {} : { workers: numberOf("workers") }),
    onOutcome(outcome) {
      summary.add(outcome)
      const { seed, broken } = outcome
      if (broken.length > 0)
        console.log(`seed ${seed}: ${broken.join("; ").slice(0, 500)}\n  npm run sim -- --replay ${seed} tells how`)
      if (summary.seeds % 500 === 0)
        console.log(`${summary.seeds} of ${seeds}, ${Math.round((performance.now() - begun) / 1000)} s`)
    },
  })
  const missing = seeds >= enoughSeeds ? summary.missing() : []
  console.log(`\n${summary.table()}\n`)
  for (const each of missing) console.log(`no seed met ${each}`)
  const { failed, faults, steps, digest } = summary
  console.log(
    `seeds ${seeds} failed ${failed} steps ${steps} faults ${faults} missing ${missing.length} digest ${digest}`,
  )
  return failed === 0 && missing.length === 0
}

if (values.help) console.log(usage)
else {
  const bug = bugOf(values.bug)
  const good = values.replay === undefined ? await all(bug) : await replay(numberOf("replay"), bug)
  process.exitCode = good ? 0 : 1
}
