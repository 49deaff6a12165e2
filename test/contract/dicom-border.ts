import { createHash } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openFolderObjects } from "../../core/drivers/objects-folder/index.ts"
import type { Context, CuratedInstance, CuratedStudy, Draft, Objects, PersonEvent, Rec } from "../../core/index.ts"
import { rowId } from "../../core/index.ts"
import { buildPart10, summarize } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"
import { instanceOf } from "../../connectors/dicom/instance.ts"
import { borderOf, deidentifyDicom } from "../../transforms/deidentify/dicom.ts"
import { stepLimits } from "../../transforms/deidentify/dicom-slice.ts"
import type { StepLimits } from "../../transforms/deidentify/dicom-slice.ts"
import { BorderStep } from "../../transforms/deidentify/dicom-step.ts"
import { assembleStudy } from "../../transforms/study/index.ts"
import { memoryState, record, runStateful, testContext } from "../kit/index.ts"
import type { Collected, MemoryState, TestContext } from "../kit/index.ts"

export const projectKey = new Uint8Array(32).fill(7)

/** A CT slice of the chest; elements given replace those of the same tag, those without value or items are left out. */
export function slice(sop: string, ...changes: readonly DataElement[]): Uint8Array {
  const base: readonly DataElement[] = [
    { tag: "00080005", vr: "CS", value: "ISO_IR 100" },
    { tag: "00080008", vr: "CS", value: ["ORIGINAL", "PRIMARY", "AXIAL"] },
    { tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.2" },
    { tag: "00080018", vr: "UI", value: sop },
    { tag: "00080020", vr: "DA", value: "20240229" },
    { tag: "00080030", vr: "TM", value: "101500" },
    { tag: "00080050", vr: "SH", value: "ACC-778899" },
    { tag: "00080060", vr: "CS", value: "CT" },
    { tag: "00100010", vr: "PN", value: "Testperson^Alva" },
    { tag: "00100020", vr: "LO", value: "MRN-471147" },
    { tag: "00180015", vr: "CS", value: "CHEST" },
    { tag: "0020000D", vr: "UI", value: "1.2.3.4.100.1" },
    { tag: "0020000E", vr: "UI", value: "1.2.3.4.100.1.2" },
    { tag: "00200013", vr: "IS", value: "3" },
    { tag: "00280002", vr: "US", value: 1 },
    { tag: "00280004", vr: "CS", value: "MONOCHROME2" },
    { tag: "00280010", vr: "US", value: 2 },
    { tag: "00280011", vr: "US", value: 2 },
    { tag: "00280100", vr: "US", value: 16 },
    { tag: "7FE00010", vr: "OW", value: Uint8Array.of(1, 0, 2, 0, 3, 0, 4, 0) },
  ]
  const changed = new Set(changes.map(({ tag }) => tag))
  const kept = changes.filter(({ value, items, fragments }) => (value ?? items ?? fragments) !== undefined)
  return buildPart10([...base.filter(({ tag }) => !changed.has(tag)), ...kept], {
    transferSyntax: "1.2.840.10008.1.2.1",
  })
}

export const bodyPart = (value?: string): DataElement => ({
  tag: "00180015",
  vr: "CS",
  ...(value === undefined ? {} : { value }),
})

/** A bucket that tells which keys were read. */
export interface Watched {
  readonly objects: Objects
  readonly reads: string[]
  readonly puts: string[]
}

function watched(objects: Objects): Watched {
  const [reads, puts]: string[][] = [[], []]
  const seen: Objects = {
    driver: objects.driver,
    put: (key, body) => (puts!.push(key), objects.put(key, body)),
    putIfAbsent: (key, body) => objects.putIfAbsent(key, body),
    get: (key, range) => (reads!.push(key), objects.get(key, range)),
    bytes: (key) => (reads!.push(key), objects.bytes(key)),
    head: (key) => objects.head(key),
    list: (prefix) => objects.list(prefix),
    delete: (keys) => objects.delete(keys),
    close: () => objects.close(),
  }
  return { objects: seen, reads: reads!, puts: puts! }
}

/** Rows of an output as a reader has them: by (key, id), the newest version. */
export type Final = Map<string, Draft>

/** A border with real folders for its buckets. */
export class TestBorder {
  readonly phi: Watched
  readonly limited: Watched
  readonly counts = new Map<string, number>()
  readonly context: Context
  readonly #dir: string
  #ordinal = 0n

  private constructor(dir: string, phi: Objects, limited: Objects) {
    this.#dir = dir
    this.phi = watched(phi)
    this.limited = watched(limited)
    this.context = testContext({
      inputs: { studies: { topic: "s", zone: "phi" }, instances: { topic: "i", zone: "phi" } },
      outputs: { studies: { topic: "cs", zone: "limited" }, instances: { topic: "ci", zone: "limited" } },
      secret: () => projectKey,
      objects: (zone) => (zone === "phi" ? this.phi : this.limited).objects,
      count: (name, label, by = 1) => {
        const slot = `${name}/${label}`
        this.counts.set(slot, (this.counts.get(slot) ?? 0) + by)
      },
    })
  }

  static async open(): Promise<TestBorder> {
    const dir = await mkdtemp(join(tmpdir(), "weir-border-"))
    return new TestBorder(
      dir,
      await openFolderObjects({ dir: join(dir, "phi") }),
      await openFolderObjects({ dir: join(dir, "limited"), mtime: 0 }),
    )
  }

  close = (): Promise<void> => rm(this.#dir, { recursive: true, force: true })

  create = (options: Partial<Parameters<typeof deidentifyDicom.create>[0]> = {}, context: TestContext = {}) =>
    deidentifyDicom.create({ key: "project-key", ...options }, testContext({ ...this.context, ...context }))

  /** The same with other limits to a step. */
  inSlices = (limits: Partial<StepLimits>): BorderStep =>
    new BorderStep(borderOf({ key: "project-key" }, this.context), { ...stepLimits, ...limits })

  /** Stores bytes as the source does; gives what arrives of them at assembly. */
  async arrive(bytes: Uint8Array, key = "p", version = 1n): Promise<Rec & { readonly input: string }> {
    const sha256 = createHash("sha256").update(bytes).digest("hex")
    const object = { key: `instances/${sha256.slice(0, 2)}/${sha256}`, size: bytes.length, sha256 }
    await this.phi.objects.put(object.key, bytes)
    const summary = summarize({ header: bytes, size: bytes.length })
    if (summary.kind === "more") throw new Error("the file is cut")
    const draft = instanceOf(summary, object, "incoming/a.dcm", 0)
    const name = draft.value!.sopInstanceUid
    const value = { kind: "instance", subtype: "dicom", name, instance: draft.value, flags: [] }
    const event = value as unknown as PersonEvent
    return record({ key, id: rowId(["instance", "dicom", name]), version, value: event, time: draft.time })
  }

  left = (sop: string, version: bigint, key = "p") =>
    record({ key, id: rowId(["instance", "dicom", sop]), version, op: "retract" as const, value: null, time: 9 })

  /** What assembling emits of arrivals, as records of this stage's inputs, each with an origin of its own. */
  asInputs(emitted: Collected["emitted"]): (Rec & { readonly input: string })[] {
    return emitted.map(({ to, draft }) => {
      const origin = { topic: "arrivals", partition: 0, offset: this.#ordinal++ }
      return { ...record(draft, to), origin }
    })
  }
}

/** assemble-study with its state. */
export async function assembler() {
  const state = memoryState(0)
  const made = await assembleStudy.create({}, testContext())
  return async (batch: readonly Rec[]): Promise<Collected["emitted"]> => {
    const { emitted } = await runStateful(made, state, batch as never)
    const quiet = await runStateful(made, state, [], state.due("quiet", Number.POSITIVE_INFINITY))
    return [...emitted, ...quiet.emitted]
  }
}

export const instancesOf = ({ emitted }: Collected) =>
  emitted.filter(({ to }) => to === "instances").map(({ draft }) => draft as Draft<CuratedInstance>)
export const studiesOf = ({ emitted }: Collected) =>
  emitted.filter(({ to }) => to === "studies").map(({ draft }) => draft as Draft<CuratedStudy>)
export const codesOf = ({ failed }: Collected) => failed.map(({ error }) => (error as { code?: string }).code)
/** Runs a batch, and the timers that drive the work that it left, as the engine does when there is nothing to read. */
export async function runToEnd(
  made: Parameters<typeof runStateful>[0],
  state: MemoryState,
  batch: readonly (Rec & { readonly input: string })[],
): Promise<Collected[]> {
  const steps = batch.length === 0 ? [] : [await runStateful(made, state, batch)]
  for (let fired = state.due("quiet", Infinity); fired.length > 0; fired = state.due("quiet", Infinity))
    steps.push(await runStateful(made, state, [], fired))
  return steps
}

/** Folds what was emitted into final rows; throws unless revisions of each row are 1, 2, 3 ... */
export function foldInto(final: Final, { emitted }: Collected): void {
  for (const { to, draft } of emitted) {
    const row = `${to} ${draft.key} ${draft.id}`
    const expected = (final.get(row)?.version ?? 0n) + 1n
    if (draft.version !== expected) throw new Error(`${row}: revision ${draft.version}, not ${expected}`)
    final.set(row, draft)
  }
}

/** Rows that stand, as text. */
export const standing = (final: Final): string[] =>
  [...final]
    .filter(([, { op }]) => op === "upsert")
    .map(([row, { value, time }]) => `${row} ${time} ${JSON.stringify(value)}`)
    .sort()

export type { Collected, MemoryState }
