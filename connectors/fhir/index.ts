import { Schema, WeirError, defineSource, fatal, fhirResource, port, retryable } from "../../core/index.ts"
import type { Context, SourceRun } from "../../core/index.ts"
import { interval, zoneOffset } from "../../formats/fhir/time.ts"
import { listNdjson } from "./files.ts"
import { Reader } from "./reader.ts"

const options = Schema.Struct({
  path: Schema.String.annotate({ description: "folder of .ndjson and .ndjson.gz files, or one such file" }),
  "complete-through": Schema.optionalKey(
    Schema.String.annotate({
      description: "once all files are read, the feed is complete to the end of this FHIR date or dateTime",
    }),
  ),
  "time-zone": Schema.optionalKey(
    Schema.String.annotate({ description: "zone of times that state none: an IANA name, Z or +hh:mm (default Z)" }),
  ),
  name: Schema.optionalKey(
    Schema.String.annotate({
      description:
        "name that records state as their source, where two sources share their Patient ids (default its own)",
    }),
  ),
})

export const outputs = { out: port(fhirResource, "patient-reference", "phi") }

/** Reads every file, those that cannot be read last: they are tried again once all others are done. */
async function readAll(path: string, reader: Reader, context: Context, run: SourceRun<typeof outputs>): Promise<void> {
  const { folder, files, others } = await listNdjson(path)
  if (others > 0) context.log.warn("files-not-ndjson", { count: others })
  let unreadable = 0
  for (const file of files) {
    if (run.signal.aborted) return
    try {
      await reader.file(folder, file)
    } catch (thrown) {
      if (!(thrown instanceof WeirError) || thrown.code !== "file-unreadable") throw thrown
      context.log.warn("file-unreadable", { position: files.indexOf(file) + 1 })
      unreadable++
    }
  }
  await reader.settle()
  if (unreadable > 0)
    throw retryable("file-unreadable", `${unreadable} of ${files.length} files cannot be read`, {
      hint: "give the process the right to read them",
    })
}

/** Reads FHIR resources from NDJSON files, once: the files in name order, their lines in order, each file on from the line after
 * the last durable one when it has grown. A line that is no resource with type and id is a dead letter at `file:line`. Resources
 * are keyed by their Patient reference, empty when they name no person. */
export const fhirNdjson = defineSource({
  name: "fhir-ndjson",
  summary: "Reads FHIR R4 resources from .ndjson and .ndjson.gz files",
  runs: "once",
  options,
  outputs,
  async create(given, context) {
    const zone = zoneOffset(given["time-zone"] ?? "Z")
    if (zone === undefined)
      throw fatal("time-zone-unknown", "the time zone is no IANA name, Z or +hh:mm", { path: "time-zone" })
    const through = given["complete-through"]
    const complete = through === undefined ? undefined : interval(through, zone)
    if (through !== undefined && complete === undefined)
      throw fatal("date-unreadable", "complete-through is no FHIR date or dateTime", { path: "complete-through" })
    return {
      async run(run) {
        const reader = new Reader({ source: given.name ?? context.name, zone }, context, run)
        await readAll(context.resolve(given.path), reader, context, run)
        if (complete !== undefined && !run.signal.aborted) await run.complete(`${context.name}/*`, complete.to)
      },
    }
  },
})
