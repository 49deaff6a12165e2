import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Tracer } from "effect/Tracer"
import { classify } from "../errors.ts"
import type { Rec } from "../record.ts"

/** What a step works on, as spans and metrics name it. */
export interface StepName {
  readonly kind: "source" | "stage" | "sink"
  readonly name: string
  readonly partition: number
}

type Attributes = Readonly<Record<string, string | number | boolean>>

/** Spans of steps, one each: names, places and codes, never a value. */
export class Tracing {
  readonly #tracer: Tracer
  readonly #clock: Clock.Clock

  constructor(tracer: Tracer, clock: Clock.Clock) {
    this.#tracer = tracer
    this.#clock = clock
  }

  /** Begins the span of a step; what it gives ends it, with the error if the step failed. */
  begin({ kind, name, partition }: StepName, attributes: Attributes): (failed?: unknown) => void {
    const span = this.#tracer.span({
      name: `${kind} ${name}`,
      parent: Option.none(),
      annotations: Context.empty(),
      links: [],
      startTime: this.#clock.currentTimeNanosUnsafe(),
      kind: kind === "source" ? "producer" : "consumer",
      root: true,
      sampled: true,
    })
    span.attribute(`weir.${kind}`, name)
    span.attribute("weir.partition", partition)
    for (const [key, value] of Object.entries(attributes)) span.attribute(key, value)
    return (failed) => {
      const code = failed === undefined ? undefined : classify(failed).code
      if (code !== undefined) span.attribute("weir.error.code", code)
      // The exporter would print an error's text and stack, and a foreign one may quote a value.
      span.end(this.#clock.currentTimeNanosUnsafe(), code === undefined ? Exit.void : Exit.fail(code))
    }
  }
}

/** Where the chains of a batch's records began, as `topic[partition]@first-last`, blanks between. */
export function originRanges(records: readonly Pick<Rec, "origin">[]): string {
  const ranges = new Map<string, { first: bigint; last: bigint }>()
  for (const { origin } of records) {
    const place = `${origin.topic}[${origin.partition}]`
    const range = ranges.get(place)
    if (range === undefined) ranges.set(place, { first: origin.offset, last: origin.offset })
    else if (origin.offset < range.first) range.first = origin.offset
    else if (origin.offset > range.last) range.last = origin.offset
  }
  return [...ranges].map(([place, { first, last }]) => `${place}@${first}-${last}`).join(" ")
}
