import type { Command } from "./command.ts"
import { columns } from "./table.ts"

/** How a command is called, with every option. */
export const usageOf = ({ name, positionals, options }: Command): string =>
  [
    `weir ${name}`,
    ...positionals,
    ...Object.entries(options).map(([option, { value }]) => `[--${option}${value === undefined ? "" : ` ${value}`}]`),
  ].join(" ")

/** Help for one command. */
export function commandHelp(command: Command): string {
  const options = Object.entries(command.options).map(([name, { value, doc }]) => [
    `  --${name}${value === undefined ? "" : ` ${value}`}`,
    doc,
  ])
  return [
    command.summary,
    "",
    `usage: ${usageOf(command)}`,
    ...(options.length === 0 ? [] : ["", "options:", ...columns(options)]),
    ...(command.more === undefined ? [] : ["", command.more]),
    "",
  ].join("\n")
}

/** Help for all of them. */
export const generalHelp = (commands: readonly Command[]): string =>
  [
    "weir: live imaging studies and records out of a hospital, de-identified, into versioned data sets",
    "",
    "usage: weir COMMAND ...",
    "",
    "commands:",
    ...columns(commands.map((command) => [`  ${[command.name, ...command.positionals].join(" ")}`, command.summary])),
    "",
    "weir help COMMAND tells more; weir --version prints the version.",
    "exit codes: 0 done, 1 failed, 64 the command line is wrong, 77 a canary came below phi, 78 the pipeline file is wrong or a secret is missing",
    "",
  ].join("\n")
