import type { App, Io } from "./app.ts"

/** An option of a command. */
export interface Option {
  /** Name of its value in help, as `DATE`; a flag has none. */
  readonly value?: string
  readonly doc: string
  /** It may be given several times. */
  readonly repeated?: true
}

/** The command line of one command, checked against its declaration. */
export interface Arguments {
  readonly positionals: readonly string[]
  flag(option: string): boolean
  text(option: string): string | undefined
  /** Every value of an option that may be repeated, in order. */
  texts(option: string): readonly string[]
  /** A whole number of at least `least`; anything else is a usage error. */
  count(option: string, least: number): number | undefined
}

/** One command of `weir`: from it come parsing, help and dispatch. */
export interface Command {
  /** One word to three, as `topic read`. */
  readonly name: string
  readonly summary: string
  /** Names of the positionals in order; `[X]` may be left out. */
  readonly positionals: readonly string[]
  readonly options: Readonly<Record<string, Option>>
  /** More help: a paragraph or examples. */
  readonly more?: string
  /** Resolves to the exit code. */
  run(args: Arguments, app: App, io: Io): Promise<number>
}

export const jsonOption: Option = { doc: "print JSON on stdout" }
export const phiOption: Option = { doc: "also show what is phi; that you looked is written down" }
