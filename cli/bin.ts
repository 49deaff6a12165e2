#!/usr/bin/env node
import { main } from "../main.ts"
import { exit } from "./exit.ts"
import { reportError } from "./report-error.ts"

const stop = new AbortController()
/** How long draining may take, ms. */
let patience = 30_000

let asked = false
const onSignal = () => {
  if (asked) process.exit(1)
  asked = true
  stop.abort()
  setTimeout(() => {
    process.stderr.write(
      `weir: draining took more than ${patience / 1000} seconds; what was not committed is done again by the next run\n`,
    )
    process.exit(1)
  }, patience).unref()
}
process.on("SIGTERM", onSignal)
process.on("SIGINT", onSignal)
/** What a plugin throws where nobody waits for it. Node would print its text, which may hold a payload value. */
const onStray = (thrown: unknown) => {
  process.stderr.write("weir: something failed outside of any step, so the process ends at once\n")
  reportError(thrown, { stderr: process.stderr, environment: process.env })
  process.exit(exit.failed)
}
process.on("unhandledRejection", onStray)
process.on("uncaughtException", onStray)
// Whoever reads our output has seen enough: `weir topic read ... | head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1))

process.exitCode = await main(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  signal: stop.signal,
  now: () => Date.now(),
  drainWithin: (ms) => void (patience = ms),
})
// What was left open must not keep a finished command alive.
setTimeout(() => process.exit(), 2000).unref()
