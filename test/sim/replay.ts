import { runSeed } from "./run.ts"
const seed = Number(process.argv[2])
const outcome = await runSeed({ seed, traced: true })
console.log(outcome.trace.join("\n"))
console.log(outcome.broken.join("\n"))
