import { nearest } from "../core/pipeline/faults.ts"
import type { App, Io } from "./app.ts"
import { parseArguments } from "./arguments.ts"
import type { Command } from "./command.ts"
import { commands } from "./commands/index.ts"
import { UsageError, exit } from "./exit.ts"
import { commandHelp, generalHelp } from "./help.ts"
import { reportError } from "./report-error.ts"
import { version } from "./version.ts"

/** Runs the command that the arguments name; resolves to the exit code. Never rejects. */
export async function dispatch(argv: readonly string[], app: App, io: Io): Promise<number> {
  try {
    return await act(argv, app, io)
  } catch (error) {
    return reportError(error, io)
  }
}

async function act(argv: readonly string[], app: App, io: Io): Promise<number> {
  const [first] = argv
  if (first === "--version" || first === "version") {
    io.stdout.write(`${version()}\n`)
    return exit.ok
  }
  if (first === undefined) {
    io.stderr.write(generalHelp(commands))
    return exit.usage
  }
  if (first === "help" || first === "--help" || first === "-h") return help(argv.slice(1), io)
  const { command, rest } = find(argv)
  const end = rest.indexOf("--")
  if ((end < 0 ? rest : rest.slice(0, end)).some((one) => one === "--help" || one === "-h"))
    return help(command.name.split(" "), io)
  return command.run(parseArguments(command, rest), app, io)
}

function help(words: readonly string[], io: Io): number {
  const named = commands.filter(({ name }) => name === words.join(" ") || name.split(" ")[0] === words.join(" "))
  if (words.length > 0 && named.length === 0) find(words)
  io.stdout.write(words.length === 0 ? generalHelp(commands) : named.map(commandHelp).join("\n"))
  return exit.ok
}

/** The command whose name the arguments begin with, of one word to three, and what follows it. */
function find(argv: readonly string[]): { readonly command: Command; readonly rest: readonly string[] } {
  for (const words of [3, 2, 1]) {
    const command = commands.find(({ name }) => name === argv.slice(0, words).join(" "))
    if (command !== undefined) return { command, rest: argv.slice(words) }
  }
  const group = commands.filter(({ name }) => name.startsWith(`${argv[0]} `))
  if (group.length > 0) {
    const known = group.map(({ name }) => name.slice(argv[0]!.length + 1))
    const near = argv[1] === undefined || known.includes(argv[1]) ? undefined : nearest(argv[1], known)
    throw new UsageError([
      near === undefined
        ? `${argv[0]} needs one of: ${known.join(", ")}`
        : `unknown command "${argv[0]} ${argv[1]}"; did you mean "${argv[0]} ${near}"?`,
    ])
  }
  const near = nearest(
    argv[0]!,
    commands.map(({ name }) => name.split(" ")[0]!),
  )
  throw new UsageError([
    `unknown command ${JSON.stringify(argv[0])}${near === undefined ? "" : `; did you mean ${near}?`}`,
  ])
}
