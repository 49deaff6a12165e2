import { canaryLeak } from "../core/canary/watch.ts"
import { WeirError, classify } from "../core/errors.ts"
import { PipelineFaults } from "../core/pipeline/faults.ts"
import type { Io } from "./app.ts"
import { UsageError, exit } from "./exit.ts"

/** Prints what went wrong, for people, and tells the exit code. Never a stack: foreign texts may hold payload values, so with
 * WEIR_DEBUG set only the places in the code are shown. */
export function reportError(thrown: unknown, io: Pick<Io, "stderr" | "environment">): number {
  const { stderr } = io
  if (thrown instanceof UsageError) {
    for (const fault of thrown.message.split("\n")) stderr.write(`weir: ${fault}\n`)
    stderr.write(`see: weir help${thrown.command === undefined ? "" : ` ${thrown.command}`}\n`)
    return exit.usage
  }
  if (thrown instanceof PipelineFaults) {
    stderr.write(`${thrown.message}\n`)
    const { length } = thrown.faults
    stderr.write(`${length} ${length === 1 ? "fault" : "faults"}\n`)
    return exit.pipeline
  }
  const error = classify(thrown)
  stderr.write(`weir: ${error.message}\n  code: ${error.code}\n`)
  if (error.path !== undefined) stderr.write(`  path: ${error.path}\n`)
  if (error.hint !== undefined) stderr.write(`  hint: ${error.hint}\n`)
  const debug = (io.environment["WEIR_DEBUG"] ?? "") !== ""
  if (debug) for (const line of places(thrown)) stderr.write(`${line}\n`)
  else if (error.code === "unclassified")
    stderr.write("  hint: WEIR_DEBUG=1 shows where in the code it was thrown; please report it\n")
  const codes = chain(thrown).map((one) => (one instanceof WeirError ? one.code : ""))
  if (codes.includes(canaryLeak)) return exit.leak
  return codes.includes("missing-secret") || codes.includes("canaries-unreadable") ? exit.pipeline : exit.failed
}

/** An error and its causes. */
function chain(thrown: unknown): unknown[] {
  const found: unknown[] = []
  for (
    let one = thrown;
    one !== undefined && one !== null && found.length < 10;
    one = (one as { cause?: unknown }).cause
  )
    found.push(one)
  return found
}

const places = (thrown: unknown): string[] =>
  chain(thrown).flatMap((one) =>
    one instanceof Error
      ? [`  thrown: ${one.name}`, ...(one.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line))]
      : [],
  )
