import { faultKinds } from "./faults.ts"
import { commitPoints, moments, pointNames, pointText } from "./points.ts"
import { lastLine, sumOf } from "./tally.ts"
import type { Tally } from "./tally.ts"

/** What the rounds ran on. */
export interface Versions {
  readonly node: string
  readonly kafka: string
  readonly postgres: string
  readonly s3: string
}

/** In columns, as prettier writes it. */
function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const width = head.map((title, at) => Math.max(3, title.length, ...rows.map((cells) => String(cells[at]).length)))
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell, at) => String(cell).padEnd(width[at]!)).join(" | ")} |`
  return [line(head), `| ${width.map((chars) => "-".repeat(chars)).join(" | ")} |`, ...rows.map(line)].join("\n")
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1)
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

/** The report of a folder's rounds, as markdown. */
export function reportOf(tally: Tally, versions: Versions, notes: readonly string[]): string {
  const { rounds, seed } = tally
  const struck = rounds.flatMap(({ struck }) => struck).filter(({ missed }) => missed !== true)
  const kinds = faultKinds.map((kind) => {
    const times = rounds.filter(({ struck }) => struck.at(-1)?.kind === kind).map(({ recoveredMs }) => recoveredMs)
    const count = struck.filter((each) => each.kind === kind).length
    return times.length === 0
      ? [kind, count, "", ""]
      : [kind, count, seconds(median(times)), seconds(Math.max(...times))]
  })
  const killed = (text: string) =>
    struck.filter(({ killedAt }) => killedAt !== undefined && pointText(killedAt) === text).length
  const points = pointNames.map((name) => [name, ...moments.map((moment) => killed(pointText({ name, moment })))])
  const few = commitPoints.filter((point) => killed(pointText(point)) < 3).map(pointText)
  const moved = rounds.map(({ movedMs, recoveredMs }) => movedMs ?? recoveredMs)
  const missed = rounds.flatMap(({ struck: all }) => all).length - struck.length
  const took = rounds.map(({ ms }) => ms)
  const events = rounds.reduce((sum, { events: made }) => sum + made, 0)
  return `# Torture

Three Weir processes on real Kafka (three brokers), PostgreSQL and S3, with a fault or two in each round; written by
\`npm run torture\` (docs/decisions/0037-torture.md says what is done and what is held against it).

\`${lastLine(sumOf(tally))}\`

Seed ${seed}; ${events} events; a round took ${seconds(median(took))} s in the median, ${seconds(Math.max(0, ...took))} s at most.
Node ${versions.node}, Apache Kafka ${versions.kafka}, PostgreSQL ${versions.postgres}, versitygw ${versions.s3}.
${notes.map((note) => `\n${note}\n`).join("")}
## Faults

Recovery is the time from the end of a round's last fault until every acknowledged event was in all its places, in seconds.
Something came through ${seconds(Math.max(0, ...moved))} s after it at the latest.

${table(["fault", "times", "recovery, median", "recovery, max"], kinds)}

## Commit points at which a process was killed

before: the request was not passed on; lost: its answer was not; after: the answer was passed on.

${table(["commit point", ...moments], points)}

Kills and stops to whose point nobody came in time: ${missed}; they are not counted.
${few.length === 0 ? "Each at least three times." : `Fewer than three times: ${few.join("; ")}.`}
`
}
