import { usageOf } from "../../cli/help.ts"
import { commands } from "../../cli/commands/index.ts"
import type { Command } from "../../cli/command.ts"
import { code, page, table } from "./markdown.ts"

const sentence = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}${/[.:]$/.test(text) ? "" : "."}`

/** Prose as it is; lines and examples as they would be typed. */
const moreOf = (more: string): string =>
  /\n|^examples?:/.test(more) ? ["```text", more, "```"].join("\n") : more.replaceAll("<", "&lt;")

function sectionOf(command: Command): string {
  const options = Object.entries(command.options).map(([name, { value, doc, repeated }]) => [
    code(`--${name}${value === undefined ? "" : ` ${value}`}`),
    repeated === true ? `${doc}; may be given several times` : doc,
  ])
  return [
    `## weir ${command.name}`,
    sentence(command.summary),
    ["```", usageOf(command), "```"].join("\n"),
    ...(options.length === 0 ? [] : [table(["option", "what it does"], options)]),
    ...(command.more === undefined ? [] : [moreOf(command.more)]),
  ].join("\n\n")
}

/** The page of all commands. */
export const commandsPage = (): string =>
  page(
    "Commands",
    "Exit codes: 0 done, 1 failed, 64 the command line is wrong, 77 a canary came below `phi`, 78 the pipeline file is wrong or a secret is missing.",
    ...commands.map(sectionOf),
  )
