import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { filesOf } from "./base.ts"
import { fuzz, hasGrown } from "./fuzz.ts"
import type { FuzzReport } from "./fuzz.ts"
import { inputOf, trial } from "./trial.ts"

const usage = `npm run fuzz -- [--files N] [--seed S] [--from I] [--minutes M] [--json FILE]
npm run fuzz -- --seed S --only I [--write FILE]

De-identifies mutated DICOM files: those of ../shared/data/dicom (--folder F) and made-up ones.
Ends with 1 when anything crashed, hung, leaked the planted person, could not be read back, or memory grew.
  --minutes   ends after so many minutes, with what was done
  --only      one file of a seed; --write keeps it`

/** What a run found, as lines. */
export function lines(report: FuzzReport): readonly string[] {
  const { seed, from, files, verdicts, faults, slowest, held } = report
  const mb = (bytes: number) => `${(bytes / (1 << 20)).toFixed(1)} MB`
  return [
    `seed ${seed}, files ${from} to ${from + files}`,
    ...Object.entries(verdicts)
      .sort(([, a], [, b]) => b - a)
      .map(([verdict, count]) => `  ${verdict} ${count}`),
    ...faults.slice(0, 50).map(({ number, fault }) => `FAULT --seed ${seed} --only ${number}: ${fault}`),
    `slowest file ${slowest.toFixed(0)} ms of processor; held ${mb(held.first)} at first, ${mb(held.last)} at last, ${mb(held.most)} at most`,
    `${files} files, ${faults.length} faults${hasGrown(report) ? ", memory grew" : ""}`,
  ]
}

const number = (text: string, name: string): number => {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} takes a whole number`)
  return value
}

function one(folder: string, seed: number, only: number, write: string | undefined): number {
  const bases = filesOf(folder)
  if (write !== undefined) writeFileSync(write, inputOf(bases, seed, only).input.header)
  const outcome = trial(bases, seed, only)
  console.log(JSON.stringify(outcome))
  return outcome.fault === undefined ? 0 : 1
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      files: { type: "string", default: "10000" },
      seed: { type: "string", default: "1" },
      from: { type: "string", default: "0" },
      minutes: { type: "string" },
      only: { type: "string" },
      write: { type: "string" },
      json: { type: "string" },
      folder: { type: "string", default: "../shared/data/dicom" },
    },
  })
  const seed = number(values.seed, "seed")
  if (values.only !== undefined) return one(values.folder, seed, number(values.only, "only"), values.write)
  let told = 0
  const report = await fuzz({
    seed,
    files: number(values.files, "files"),
    from: number(values.from, "from"),
    folder: values.folder,
    ...(values.minutes === undefined ? {} : { most: number(values.minutes, "minutes") * 60_000 }),
    onProgress(now) {
      if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(now, undefined, 2)}\n`)
      if (now.files - told < 10_000) return
      told = now.files
      console.log(`${new Date().toISOString()} ${now.files} files, ${now.faults.length} faults`)
    },
  })
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`)
  console.log(lines(report).join("\n"))
  return report.faults.length > 0 || hasGrown(report) ? 1 : 0
}

if (import.meta.main)
  try {
    process.exitCode = await main()
  } catch (thrown) {
    console.error(`${(thrown as Error).message}\n\n${usage}`)
    process.exitCode = 2
  }
