import { createHash, randomBytes } from "node:crypto"
import { mkdir, mkdtemp, open, readFile, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { deidentifyEach } from "../../cli/deid/index.ts"
import { instanceOf } from "../../connectors/dicom/instance.ts"
import type { Study } from "../../core/index.ts"
import { openFolderObjects } from "../../core/drivers/objects-folder/index.ts"
import { buildPart10, summarize } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"
import { deidentifyDicom } from "../../transforms/deidentify/dicom.ts"
import { runToEnd } from "../contract/dicom-border.ts"
import { memoryState, record, testContext } from "../kit/index.ts"
import type { Figure } from "./figure.ts"
import { alternate, timed } from "./measure.ts"

const projectKey = new Uint8Array(32).fill(7)
const images = 120
const rounds = 3

/** A CT slice of 0.5 MB with a header as scanners write them: some 130 elements, private groups, sequences. */
function ctSlice(number: number): Uint8Array {
  const hex = (value: number) => value.toString(16).padStart(4, "0").toUpperCase()
  const filler: DataElement[] = Array.from({ length: 40 }, (_, at) => ({
    tag: `0019${hex(0x1000 + at)}`,
    vr: "LO",
    value: `private value ${at}`,
  }))
  const acquisition: DataElement[] = Array.from({ length: 40 }, (_, at) => ({
    tag: `0018${hex(0x9300 + at)}`,
    vr: "FD",
    value: at,
  }))
  const code: DataElement[] = [
    { tag: "00080100", vr: "SH", value: "71250" },
    { tag: "00080102", vr: "SH", value: "C4" },
    { tag: "00080104", vr: "LO", value: "CT chest" },
  ]
  const elements: DataElement[] = [
    { tag: "00080008", vr: "CS", value: ["ORIGINAL", "PRIMARY", "AXIAL"] },
    { tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.2" },
    { tag: "00080018", vr: "UI", value: `1.2.826.0.1.999.5.${number}` },
    { tag: "00080020", vr: "DA", value: "20240229" },
    { tag: "00080030", vr: "TM", value: "101500" },
    { tag: "00080050", vr: "SH", value: "ACC-778899" },
    { tag: "00080060", vr: "CS", value: "CT" },
    { tag: "00080070", vr: "LO", value: "Weir Imaging" },
    { tag: "00080080", vr: "LO", value: "General Hospital" },
    { tag: "00080090", vr: "PN", value: "Referring^Doctor" },
    { tag: "00081030", vr: "LO", value: "CT CHEST" },
    { tag: "0008103E", vr: "LO", value: "AXIAL 2.5MM LUNG" },
    { tag: "00081032", vr: "SQ", items: [code] },
    { tag: "00081140", vr: "SQ", items: [[{ tag: "00081155", vr: "UI", value: "1.2.826.0.1.999.7" }], code] },
    { tag: "00100010", vr: "PN", value: "Testperson^Alva" },
    { tag: "00100020", vr: "LO", value: "MRN-471147" },
    { tag: "00100030", vr: "DA", value: "19500101" },
    { tag: "00180015", vr: "CS", value: "CHEST" },
    { tag: "0020000D", vr: "UI", value: "1.2.826.0.1.999.1" },
    { tag: "0020000E", vr: "UI", value: "1.2.826.0.1.999.2" },
    { tag: "00200013", vr: "IS", value: String(number) },
    { tag: "00280002", vr: "US", value: 1 },
    { tag: "00280004", vr: "CS", value: "MONOCHROME2" },
    { tag: "00280010", vr: "US", value: 512 },
    { tag: "00280011", vr: "US", value: 512 },
    { tag: "00280100", vr: "US", value: 16 },
    { tag: "00190010", vr: "LO", value: "WEIR BENCH" },
    { tag: "7FE00010", vr: "OW", value: randomBytes(512 * 512 * 2) },
    ...filler,
    ...acquisition,
  ]
  return buildPart10(elements, { transferSyntax: "1.2.840.10008.1.2.1" })
}

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
    target: 0.25,
    cpu: { measured: taken.measured.cpu, floor: taken.floor.cpu },
  }
}

/** deidentify-dicom on 0.5 MB CT slices, folder to folder: out of stream against bare read, sha256 and write, and in the stream,
 * with durable objects, against the same with fsync. */
export async function benchDeidentifyDicom(): Promise<Figure[]> {
  const dir = await mkdtemp(join(tmpdir(), "weir-bench-deid-"))
  try {
    const input = join(dir, "in")
    await mkdir(input)
    let bytes = 0
    for (let number = 0; number < images; number++) {
      const slice = ctSlice(number)
      bytes += slice.length
      await writeFile(join(input, `${number}.dcm`), slice)
    }
    const megabytes = bytes / 1e6
    const step = await stream(dir, input, join(dir, "limited"))
    return [
      await against(
        "deidentify-dicom, 0.5 MB CT, weir deid, against read + sha256 + write",
        megabytes,
        () => folder(input, join(dir, "out")),
        () => bare(input, join(dir, "bare"), false),
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
