import { Schema, defineStateful, dicomInstance, fatal, personEvent, port, study } from "../../core/index.ts"
import { zoneOffset } from "../../formats/fhir/time.ts"
import { Assembler } from "./assemble.ts"

const options = Schema.Struct({
  quiet: Schema.optionalKey(
    Schema.String.annotate({
      description: "how long a study must be quiet before it is emitted: a number and ms, s, m or h (default 60s)",
    }),
  ),
  "time-zone": Schema.optionalKey(
    Schema.String.annotate({
      description:
        "zone of dates and times that state none: an IANA name, Z or +hh:mm (default: times are as the source read them)",
    }),
  ),
})

export const inputs = { in: port(personEvent, "person", "phi") }
export const outputs = { studies: port(study, "person", "phi"), instances: port(dicomInstance, "person", "phi") }

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** A duration in ms, as `500ms`, `60s`, `5m`, `1h`; undefined for what is none. */
export function duration(text: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h)$/.exec(text)
  return match === null ? undefined : Number(match[1]) * units[match[2]!]!
}

/** Assembles a person's instances into studies. Instances are emitted as they come; a study when the count that its instances
 * expect (0020,1208) is there, or when it has been quiet. A late instance makes the next revision. */
export const assembleStudy = defineStateful({
  name: "assemble-study",
  summary: "Assembles instances into studies with revisions, by expected counts and quiet time",
  options,
  inputs,
  outputs,
  async create(given, context) {
    const quiet = duration(given.quiet ?? "60s")
    if (quiet === undefined)
      throw fatal("duration-unreadable", "quiet is no duration", { path: "quiet", hint: "write 500ms, 60s, 5m or 1h" })
    const name = given["time-zone"]
    const zone = name === undefined ? undefined : zoneOffset(name)
    if (name !== undefined && zone === undefined)
      throw fatal("time-zone-unknown", "the time zone is no IANA name, Z or +hh:mm", { path: "time-zone" })
    const assembler = new Assembler({ quiet, zone, count: context.count })
    return {
      apply: (batch, out, state) => assembler.apply(batch, out, state),
      onTimer: (fired, out, state) => assembler.onTimer(fired, out, state),
    }
  },
})
