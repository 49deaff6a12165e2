import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Release } from "./pipeline.ts"
import type { RoundEnd } from "./round.ts"

/** What is kept of the rounds that were done in a folder. */
export interface Tally {
  readonly seed: number
  readonly rounds: readonly RoundEnd[]
  readonly release: Release
}

const fileIn = (folder: string): string => join(folder, "tally.json")

/** The tally of a folder; an empty one where nothing was done yet.
 * @throws where it was begun with another seed */
export function readTally(folder: string, seed: number | undefined): Tally {
  const file = fileIn(folder)
  if (!existsSync(file)) return { seed: seed ?? 1, rounds: [], release: { number: 1, factor: 1 } }
  const tally = JSON.parse(readFileSync(file, "utf8")) as Tally
  if (seed !== undefined && tally.seed !== seed)
    throw new Error(`${folder} was begun with seed ${tally.seed}: take another folder for seed ${seed}`)
  return tally
}

export function writeTally(folder: string, tally: Tally): void {
  const file = fileIn(folder)
  writeFileSync(`${file}.new`, JSON.stringify(tally, undefined, 1))
  renameSync(`${file}.new`, file)
}

/** The numbers of the last line. */
export interface Sum {
  readonly rounds: number
  readonly faults: number
  readonly lost: number
  readonly doubled: number
  readonly stuck: number
  /** Rounds with something else wrong: a process that ended by itself. */
  readonly wrong: number
}

export const sumOf = ({ rounds }: Tally): Sum => ({
  rounds: rounds.length,
  faults: rounds.reduce((sum, { struck }) => sum + struck.filter(({ missed }) => missed !== true).length, 0),
  lost: rounds.reduce((sum, { lost }) => sum + lost, 0),
  doubled: rounds.reduce((sum, { doubled }) => sum + doubled, 0),
  stuck: rounds.filter(({ stuck }) => stuck).length,
  wrong: rounds.filter(({ wrong }) => wrong.length > 0).length,
})

export const lastLine = ({ rounds, faults, lost, doubled, stuck }: Sum): string =>
  `rounds ${rounds} faults ${faults} lost ${lost} doubled ${doubled} stuck ${stuck}`
