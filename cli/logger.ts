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
  "host",
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
  "port",
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

const cut = (value: string): string => (value.length > longest ? `${value.slice(0, longest)}…` : value)

function shown(value: string | number | boolean): string {
  if (typeof value !== "string") return String(value)
  const short = cut(value)
  return /^[\w./:@[\]-]+$/.test(short) ? short : JSON.stringify(short)
}

type Fields = Readonly<Record<string, string | number | boolean>>

/** The fields that may be told, and how many were left out. */
function told(fields: Fields): {
  readonly entries: readonly (readonly [string, Fields[string]])[]
  readonly left: number
} {
  const all = Object.entries(fields)
  const entries = all.filter(([name]) => allowed.has(name))
  return { entries, left: all.length - entries.length }
}

const levels = (line: (level: string, event: string, fields: Fields) => void): Logger => ({
  info: (event, fields = {}) => line("info", event, fields),
  warn: (event, fields = {}) => line("warn", event, fields),
  error: (event, fields = {}) => line("error", event, fields),
})

/** Writes the log as lines of `time level event name=value ...`. Fields whose names are not on the list are left out, and how
 * many were is told; texts are cut at 200 characters. */
export const lineLogger = (write: (line: string) => void, now: () => number): Logger =>
  levels((level, event, fields) => {
    const { entries, left } = told(fields)
    const pairs = entries.map(([name, value]) => ` ${name}=${shown(value)}`).join("")
    const hidden = left === 0 ? "" : ` (${left} fields not shown)`
    write(`${new Date(now()).toISOString()} ${level} ${shown(event)}${pairs}${hidden}\n`)
  })

/** Writes the log as JSON, one object a line: `time`, `level`, `event`, and under `fields` what the list allows; `hidden` tells how
 * many fields were left out. Texts are cut at 200 characters. */
export const jsonLogger = (write: (line: string) => void, now: () => number): Logger =>
  levels((level, event, fields) => {
    const { entries, left } = told(fields)
    const cutFields = Object.fromEntries(
      entries.map(([name, value]) => [name, typeof value === "string" ? cut(value) : value]),
    )
    const hidden = left === 0 ? {} : { hidden: left }
    const line = { time: new Date(now()).toISOString(), level, event: cut(event), fields: cutFields, ...hidden }
    write(`${JSON.stringify(line)}\n`)
  })
