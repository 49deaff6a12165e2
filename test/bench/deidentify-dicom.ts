import { createHash } from "node:crypto"
import { mkdir, mkdtemp, open, readFile, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { deidentifyEach } from "../../cli/deid/index.ts"
import { instanceOf } from "../../connectors/dicom/instance.ts"
import type { Study } from "../../core/index.ts"
import { openFolderObjects } from "../../core/drivers/objects-folder/index.ts"
import { summarize } from "../../formats/dicom/index.ts"
import { deidentifyDicom } from "../../transforms/deidentify/dicom.ts"
import { runToEnd } from "../contract/dicom-border.ts"
import { memoryState, record, testContext } from "../kit/index.ts"
import { writeSlices } from "./ct-slices.ts"
import type { Bench, Figure } from "./figure.ts"
import { alternate, onOneCore, timed } from "./measure.ts"

const projectKey = new Uint8Array(32).fill(7)
const images = 120
const rounds = 5

/** Read, hash and write each file, one after another; durable ones are synced to the disk as objects are. */
async function bare(input: string, output: string, durable: boolean): Promise<void> {
  await mkdir(output, { recursive: true })
  for (const name of await readdir(input)) {
    const bytes = await readFile(join(input, name))
    const sha256 = createHash("sha256").update(bytes).digest("hex")
    const file = await open(join(output, sha256), "w")
    await file.write(bytes)
    if (durable) await file.sync()
    await file.close()
  }
}

/** The study that lists all slices. */
const study: Study = {
  studyInstanceUid: "1.2.826.0.1.999.1",
  accessionNumber: "ACC-778899",
  accessionIssuer: "",
  modalities: ["CT"],
  bodyParts: ["CHEST"],
  started: null,
  startedPrecision: "none",
  series: [],
  instances: Array.from({ length: images }, (_, at) => ({
    sopInstanceUid: `1.2.826.0.1.999.5.${at}`,
    revision: 1,
  })),
  expectedInstances: null,
  complete: true,
}

/** The stream's transform between two folders of objects. */
async function stream(dir: string, input: string, output: string): Promise<() => Promise<void>> {
  const from = await openFolderObjects({ dir: join(dir, "phi") })
  const to = await openFolderObjects({ dir: output, mtime: 0 })
  const records = await Promise.all(
    (await readdir(input)).map(async (name) => {
      const bytes = await readFile(join(input, name))
      const sha256 = createHash("sha256").update(bytes).digest("hex")
      const object = { key: `instances/${sha256}`, size: bytes.length, sha256 }
      await from.put(object.key, bytes)
      const summary = summarize({ header: bytes, size: bytes.length })
      if (summary.kind === "more") throw new Error("the file is cut")
      return record({ ...instanceOf(summary, object, name, 0), key: "p", version: 1n }, "instances")
    }),
  )
  const bound = { topic: "t", zone: "limited" } as const
  const made = await deidentifyDicom.create(
    { key: "project-key", "retain-longitudinal-modified-dates": true },
    testContext({
      outputs: { studies: bound, instances: bound },
      secret: () => projectKey,
      objects: (zone) => (zone === "phi" ? from : to),
    }),
  )
  return async () => {
    const listing = record({ key: "p", id: study.studyInstanceUid, value: study }, "studies")
    const steps = await runToEnd(made, memoryState(), [...records, listing])
    const released = steps.flatMap(({ emitted }) => emitted).filter(({ to }) => to === "instances").length
    if (released !== images) throw new Error(`${released} of ${images} images were released`)
  }
}

async function folder(input: string, output: string): Promise<void> {
  let released = 0
  for await (const { status } of deidentifyEach({ input, output, projectKey })) if (status === "released") released++
  if (released !== images) throw new Error(`${released} of ${images} images were released`)
}

async function against(
  name: string,
  megabytes: number,
  measured: () => Promise<void>,
  floor: () => Promise<void>,
): Promise<Figure> {
  const taken = await alternate(
    rounds,
    () => timed(measured),
    () => timed(floor),
  )
  return {
    name,
    measured: megabytes / taken.measured.seconds,
    floor: megabytes / taken.floor.seconds,
    unit: "MB/s",
    target: 0.5,
    cpu: { measured: taken.measured.cpu, floor: taken.floor.cpu },
  }
}

/** deidentify-dicom on 0.5 MB CT slices, on one core, folder to folder: out of stream against bare read, sha256 and write, and in the stream,
 * with durable objects, against the same with fsync. Out of stream each run has a new folder, as file systems take long to put files in the place of
 * others. */
export const benchDeidentifyDicom: Bench = (tell) => onOneCore(benchOnCore, tell)

async function benchOnCore(): Promise<Figure[]> {
  const dir = await mkdtemp(join(tmpdir(), "weir-bench-deid-"))
  try {
    const input = join(dir, "in")
    const megabytes = (await writeSlices(input, images)) / 1e6
    let run = 0
    const step = await stream(dir, input, join(dir, "limited"))
    return [
      await against(
        "deidentify-dicom, 0.5 MB CT, weir deid, against read + sha256 + write",
        megabytes,
        () => folder(input, join(dir, `out-${++run}`)),
        () => bare(input, join(dir, `bare-${++run}`), false),
      ),
      await against(
        "deidentify-dicom, 0.5 MB CT, in the stream, against read + sha256 + write + fsync",
        megabytes,
        step,
        () => bare(input, join(dir, "bare-durable"), true),
      ),
    ]
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
