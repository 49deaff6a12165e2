import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { deidentifyEach } from "../../cli/deid/index.ts"
import { writeSlices } from "./ct-slices.ts"
import type { Bench, Figure } from "./figure.ts"
import { alternate, onOneCore, timed } from "./measure.ts"
import { openOrthanc, orthancAt } from "./peers/orthanc.ts"
import type { Orthanc } from "./peers/orthanc.ts"

const projectKey = new Uint8Array(32).fill(7)
const images = 120
const rounds = 3
/** Requests that Orthanc has at the same time: as many as `weir deid` has files. */
const width = 4
/** What the project promises: times the peer's rate. */
const promised = 4

/** `weir deid` against other de-identifiers on the same files, both on one core: CT slices of 0.5 MB, read and written as files. */
export const benchDeidPeers: Bench = async (tell) => {
  tell("CTP IS LEFT OUT, IT WAS NOT MEASURED: it is in no package registry")
  const { path, found } = orthancAt()
  if (!found) {
    tell(
      `ORTHANC IS LEFT OUT, NOTHING WAS MEASURED: it is not at ${path}; apt-get install orthanc, or WEIR_BENCH_ORTHANC`,
    )
    return []
  }
  const dir = await mkdtemp(join(tmpdir(), "weir-bench-deid-peers-"))
  try {
    // Processes that are started on one core stay on it.
    return await onOneCore(() => againstOrthanc(dir), tell)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function againstOrthanc(dir: string): Promise<readonly Figure[]> {
  const input = join(dir, "in")
  const bytes = await writeSlices(input, images)
  const orthanc = await openOrthanc(join(dir, "orthanc"))
  try {
    const ids: string[] = []
    for (const name of await readdir(input)) ids.push(await orthanc.store(join(input, name)))
    let run = 0
    const taken = await alternate(
      rounds,
      () => timed(() => ours(input, join(dir, `out-${++run}`))),
      () => timed(() => theirs(orthanc, ids, join(dir, `theirs-${++run}`))),
    )
    return [
      {
        name: "weir deid, 0.5 MB CT, one core, against Orthanc's anonymize of what it has stored",
        measured: bytes / 1e6 / taken.measured.seconds,
        floor: bytes / 1e6 / taken.floor.seconds,
        unit: "MB/s",
        target: promised,
      },
    ]
  } finally {
    await orthanc.close()
  }
}

async function ours(input: string, output: string): Promise<void> {
  let released = 0
  for await (const { status } of deidentifyEach({ input, output, projectKey })) if (status === "released") released++
  if (released !== images) throw new Error(`${released} of ${images} images were released`)
}

/** Storing is not timed: Orthanc de-identifies what it has. */
async function theirs(orthanc: Orthanc, ids: readonly string[], output: string): Promise<void> {
  await mkdir(output)
  let next = 0
  const one = async () => {
    while (next < ids.length) {
      const id = ids[next++]!
      await writeFile(join(output, `${id}.dcm`), await orthanc.anonymize(id))
    }
  }
  await Promise.all(Array.from({ length: width }, one))
}
