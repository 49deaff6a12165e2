import type { ReviewRow, ReviewState } from "../../core/ports/reviews.ts"
import type { Arguments, Option } from "../command.ts"
import { UsageError } from "../exit.ts"

/** Options by which all reviews of a series or study are meant. */
export const together: Readonly<Record<string, Option>> = {
  series: { value: "UID", doc: "all that are of this series, by its original UID (review show --phi tells it)" },
  study: { value: "UID", doc: "all that are of this study, by its original UID" },
}

/** Options of commands that change what is chosen together. */
export const confirming: Readonly<Record<string, Option>> = {
  ...together,
  count: { value: "N", doc: "with --series or --study: go on where it is about exactly so many" },
  yes: { doc: "with --series or --study: go on, however many there are" },
}

/** Whether a review is one of those that the options name. */
export function isOf(args: Arguments): (row: ReviewRow) => boolean {
  const [series, study] = [args.text("series"), args.text("study")]
  return ({ facts }) =>
    facts.seriesInstanceUid === (series ?? facts.seriesInstanceUid) &&
    facts.studyInstanceUid === (study ?? facts.studyInstanceUid)
}

/** What a command is about: one review by its key, or all of a series or study in certain states. */
export interface Choice {
  readonly key: string | undefined
  readonly states: readonly ReviewState[]
}

/** Throws UsageError where neither a key nor a series or study is named, or both are. */
export function choiceOf(args: Arguments, command: string, states: readonly ReviewState[]): Choice {
  const [, key] = args.positionals
  const many = ["series", "study"].filter((name) => args.text(name) !== undefined)
  const faults = [
    ...(key === undefined && many.length === 0 ? ["missing KEY, or --series UID or --study UID"] : []),
    ...(key !== undefined && many.length > 0 ? [`KEY and --${many[0]} exclude each other`] : []),
    ...(many.length === 0 && (args.flag("yes") || args.text("count") !== undefined)
      ? ["--yes and --count go with --series or --study"]
      : []),
  ]
  if (faults.length > 0) throw new UsageError(faults, command)
  return { key, states }
}

/** Whether what was chosen together may go on: nobody decides on more than is meant. */
export const isConfirmed = (args: Arguments, found: number): boolean =>
  args.flag("yes") || args.count("count", 1) === found

/** Reviews by reason. */
export function byReason(rows: readonly ReviewRow[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const { reason } of rows) counts[reason] = (counts[reason] ?? 0) + 1
  return counts
}
