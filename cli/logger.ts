import type { Logger } from "../core/context.ts"

/** The only field names that the log prints; a name that is not here might hold anything. */
const allowed: ReadonlySet<string> = new Set([
  "attempt",
  "bytes",
  "code",
  "count",
  "driver",
  "epoch",
  "feed",
  "group",
  "input",
  "line",
  "message",
  "ms",
  "name",
  "number",
  "offset",
  "output",
  "partition",
  "partitions",
  "path",
  "plugin",
  "position",
  "reason",
  "records",
  "sink",
  "source",
  "stage",
  "step",
  "table",
  "topic",
  "writer",
  "zone",
])

/** Longest text that a field prints. */
const longest = 200

function shown(value: string | number | boolean): string {
  if (typeof value !== "string") return String(value)
  const cut = value.length > longest ? `${value.slice(0, longest)}…` : value
  return /^[\w./:@[\]-]+$/.test(cut) ? cut : JSON.stringify(cut)
}

/** Writes the log as lines of `time level event name=value ...`. Fields whose names are not on the list are left out, and how
 * many were is told; texts are cut at 200 characters. */
export function lineLogger(write: (line: string) => void, now: () => number): Logger {
  const line =
    (level: string): Logger["info"] =>
    (event, fields = {}) => {
      const entries = Object.entries(fields)
      const told = entries.filter(([name]) => allowed.has(name)).map(([name, value]) => ` ${name}=${shown(value)}`)
      const left = entries.length - told.length
      const hidden = left === 0 ? "" : ` (${left} fields not shown)`
      write(`${new Date(now()).toISOString()} ${level} ${shown(event)}${told.join("")}${hidden}\n`)
    }
  return { info: line("info"), warn: line("warn") }
}
