import { Schema, defineSource, dicomInstance, fatal, port } from "../../core/index.ts"
import type { Context, SourceRun } from "../../core/index.ts"
import { interval, zoneOffset } from "../../formats/fhir/time.ts"
import { Scanner, leftError } from "./scan.ts"
import { rootOf } from "./walk.ts"
import { watchFolder } from "./watch.ts"

const options = Schema.Struct({
  path: Schema.String.annotate({ description: "folder of DICOM files, with its subfolders, or one file" }),
  watch: Schema.optionalKey(
    Schema.Boolean.annotate({ description: "goes on reading what arrives in the folder (default false)" }),
  ),
  extensions: Schema.optionalKey(
    Schema.Array(Schema.String).annotate({
      description: "extensions of files that count as arrivals, as .dcm (default all files)",
    }),
  ),
  "complete-through": Schema.optionalKey(
    Schema.String.annotate({
      description: "once the folder is read, the feed is complete to the end of this FHIR date or dateTime",
    }),
  ),
  "time-zone": Schema.optionalKey(
    Schema.String.annotate({
      description: "zone of study times without (0008,0201): an IANA name, Z or +hh:mm (default Z)",
    }),
  ),
})

export const outputs = { out: port(dicomInstance, "study", "phi") }

/** A folder is scanned again after this many ms even when no change was noticed. */
const rescan = 5000
/** While a file is being written to. */
const soon = 1000

async function follow(scanner: Scanner, folder: string, context: Context, run: SourceRun<typeof outputs>) {
  const changes = watchFolder(folder, run.signal, (code) => context.log.warn("watch-failed", { code }))
  try {
    while (!run.signal.aborted) {
      const left = await scanner.scan(true)
      if (left.unreadable > 0) context.log.warn("file-unreadable", { count: left.unreadable })
      if (left.changing === 0 && !run.signal.aborted) run.caughtUp()
      await changes.next(left.changing > 0 ? soon : rescan)
    }
  } finally {
    changes.close()
  }
}

/** Reads DICOM files (PS3.10, also without preamble) from a folder, in name order. The bytes go to the phi bucket under their hash,
 * a record with the claim check to the topic, keyed by StudyInstanceUID. Files that are not DICOM are dropped as `not-dicom`,
 * DICOMDIR files as `dicomdir`; DICOM that cannot be parsed is a dead letter. A file is read again when its size or time of
 * change is another. */
export const dicomFolder = defineSource({
  name: "dicom-folder",
  summary: "Reads DICOM files from a folder, once or as they arrive",
  runs: "once",
  feeds: ["dicom"],
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
    if (given.watch === true && complete !== undefined)
      throw fatal("never-complete", "a folder that is watched is never complete", { path: "complete-through" })
    const extensions = given.extensions?.map((extension) => `.${extension.toLowerCase().replace(/^\./, "")}`)
    return {
      async run(run) {
        const root = await rootOf(context.resolve(given.path))
        const filter = { extensions: extensions === undefined ? undefined : new Set(extensions) }
        const scanner = new Scanner(root, filter, zone, context, run)
        if (given.watch === true) return follow(scanner, root.folder, context, run)
        const error = leftError(await scanner.scan(false))
        if (run.signal.aborted) return
        if (error !== undefined) throw error
        // Images alone: the records of the same hospital come by other feeds.
        if (complete !== undefined) await run.complete(`${context.name}/dicom`, complete.to)
      },
    }
  },
})
