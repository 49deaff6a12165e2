import { durationBounds } from "./histogram.ts"
import type { Histogram } from "./histogram.ts"

/** Labels of a sample: names, codes and partitions, never a value. */
export type Labels = Readonly<Record<string, string | number>>

/** A metric family in the sense of the Prometheus text format. */
export interface Family {
  /** snake_case, with its unit and, for counters, `_total`. */
  readonly name: string
  readonly type: "counter" | "gauge" | "histogram"
  readonly help: string
  readonly samples: readonly { readonly labels: Labels; readonly value: number | Histogram }[]
}

const escapedHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
const escapedValue = (text: string): string => escapedHelp(text).replaceAll('"', '\\"')

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapedValue(String(value))}"`)
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`
}

const numberText = (value: number): string =>
  Number.isFinite(value) ? String(value) : Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf"

function histogramLines(name: string, labels: Labels, histogram: Histogram): string[] {
  let count = 0
  const buckets = [...durationBounds, Number.POSITIVE_INFINITY].map((bound, at) => {
    count += histogram.counts[at]!
    return `${name}_bucket${labelText({ ...labels, le: numberText(bound) })} ${count}`
  })
  const of = labelText(labels)
  return [...buckets, `${name}_sum${of} ${numberText(histogram.sum)}`, `${name}_count${of} ${count}`]
}

/** The Prometheus text exposition format, version 0.0.4; families without samples are left out. */
export const prometheusText = (families: readonly Family[]): string =>
  families
    .filter(({ samples }) => samples.length > 0)
    .flatMap(({ name, type, help, samples }) => [
      `# HELP ${name} ${escapedHelp(help)}\n`,
      `# TYPE ${name} ${type}\n`,
      ...samples.flatMap(({ labels, value }) =>
        typeof value === "number"
          ? [`${name}${labelText(labels)} ${numberText(value)}\n`]
          : histogramLines(name, labels, value).map((line) => `${line}\n`),
      ),
    ])
    .join("")

/** Most labels of one counter that are told apart; what is above them counts as `other`. */
const mostLabels = 200
const code = /^[A-Za-z][A-Za-z0-9]*(?:[._:/-][A-Za-z0-9]+)*$/
const longest = 80

/** Counts by label, with every label that does not look like a code, and all above the first 200, added up as `other`: whatever a
 * plugin counts by, no value gets into a metric's name. */
export function codedLabels(counts: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const told = new Map<string, number>()
  for (const [label, count] of counts) {
    const fits = label.length <= longest && code.test(label) && (told.has(label) || told.size < mostLabels)
    const name = fits ? label : "other"
    told.set(name, (told.get(name) ?? 0) + count)
  }
  return told
}
