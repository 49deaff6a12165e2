import { parseArgs } from "node:util"
import { nearest } from "../core/pipeline/faults.ts"
import type { Arguments, Command } from "./command.ts"
import { UsageError } from "./exit.ts"

/** Parses what follows a command's name; every fault at once, as a UsageError. */
export function parseArguments(command: Command, argv: readonly string[]): Arguments {
  const known = Object.entries(command.options)
  const options = Object.fromEntries(
    known.map(([name, { value, repeated = false }]) => [
      name,
      { type: value === undefined ? "boolean" : "string", multiple: repeated } as const,
    ]),
  )
  const { values, positionals, tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const faults = tokens.flatMap((token) =>
    token.kind === "option" ? optionFaults(command, token.name, token.rawName, token.value) : [],
  )
  faults.push(...positionalFaults(command, positionals))
  if (faults.length > 0) throw new UsageError(faults, command.name)
  const text = (option: string) => values[option] as string | undefined
  return {
    positionals,
    flag: (option) => values[option] === true,
    text,
    texts: (option) => (values[option] as string[] | undefined) ?? [],
    count(option, least) {
      const given = text(option)
      if (given === undefined) return undefined
      const number = Number(given)
      if (given !== "" && Number.isSafeInteger(number) && number >= least) return number
      throw new UsageError([`--${option} expects a whole number of at least ${least}`], command.name)
    },
  }
}

function optionFaults(command: Command, name: string, raw: string, value: string | undefined): string[] {
  const option = command.options[name]
  if (option === undefined) {
    const near = nearest(name, Object.keys(command.options))
    return [`unknown option ${raw}${near === undefined ? "" : `; did you mean --${near}?`}`]
  }
  if (option.value === undefined) return value === undefined ? [] : [`--${name} takes no value`]
  return value === undefined ? [`--${name} needs a value: ${option.value}`] : []
}

function positionalFaults({ positionals }: Command, given: readonly string[]): string[] {
  const missing = positionals.slice(given.length).filter((name) => !name.startsWith("["))
  return [
    ...missing.map((name) => `missing ${name}`),
    ...given.slice(positionals.length).map((extra) => `unexpected argument ${JSON.stringify(extra)}`),
  ]
}
