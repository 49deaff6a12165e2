import type { Command } from "../command.ts"
import { check } from "./check.ts"
import { list } from "./list.ts"
import { run } from "./run.ts"

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [run, check, list]
