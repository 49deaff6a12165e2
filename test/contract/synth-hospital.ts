import { createHash } from "node:crypto"
import { mkdtemp, readdir, readFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { parseWhole, Values } from "../../formats/dicom/index.ts"
import type { DataSet } from "../../formats/dicom/index.ts"
import { generate } from "../../synth/index.ts"
import type { Arrival, Planted, Summary, TruePerson } from "../../synth/index.ts"

/** A hospital in a temporary folder, with what it says of itself. */
export interface Made {
  readonly out: string
  readonly summary: Summary
  readonly truth: {
    readonly persons: readonly TruePerson[]
    readonly arrivals: readonly Arrival[]
    readonly waves: readonly {
      readonly name: "wave1" | "wave2"
      readonly asOf: string
      readonly completeThrough: string
    }[]
    readonly accessionIssuers: readonly (readonly string[])[]
  }
  readonly planted: readonly Planted[]
}

const json = async (path: string) => JSON.parse(await readFile(path, "utf8"))

export async function makeHospital(patients: number, seed: number | string): Promise<Made> {
  const out = join(await mkdtemp(join(tmpdir(), "weir-synth-")), "hospital")
  const summary = await generate({ patients, seed, out })
  const truth = await json(join(out, "truth.json"))
  const { values } = await json(join(out, "planted.json"))
  return { out, summary, truth, planted: values }
}

/** Paths of all files under a folder, sorted. */
export async function filesOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}

/** One hash of all names and bytes. */
export async function hashOf(folder: string): Promise<string> {
  const hash = createHash("sha256")
  for (const file of await filesOf(folder)) hash.update(file).update(await readFile(join(folder, file)))
  return hash.digest("hex")
}

/** Lines of an NDJSON file, compressed or not. */
export async function linesOf(out: string, file: string): Promise<readonly string[]> {
  const bytes = await readFile(join(out, file))
  const text = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8")
  return text.slice(0, -1).split("\n")
}

/** The text of each line that an arrival names. */
export async function resourceArrivals(made: Made): Promise<readonly (readonly [arrival: Arrival, text: string])[]> {
  const files = new Map<string, readonly string[]>()
  const told = made.truth.arrivals.filter(({ line }) => line !== undefined)
  for (const { file } of told) if (!files.has(file)) files.set(file, await linesOf(made.out, file))
  return told.map((arrival) => [arrival, files.get(arrival.file)![arrival.line! - 1]!] as const)
}

function gatherTexts(values: Values, dataSet: DataSet, into: Set<string>): void {
  for (const element of dataSet.elements) {
    for (const item of element.items ?? []) gatherTexts(new Values(values.source, item, values.charset), item, into)
    if (element.items !== undefined || element.fragments !== undefined || element.tag === 0x7fe00010) continue
    into.add(values.text(element))
    for (const text of values.texts(element)) into.add(text)
    if (element.valueEnd - element.valueStart < 200)
      into.add(Buffer.from(values.source.bytes(element.valueStart, element.valueEnd)).toString("latin1"))
  }
}

/** All texts of a DICOM file, decoded, pixel data apart; bytes of unknown kind as ISO 8859-1. */
export function dicomText(bytes: Uint8Array): string {
  const parsed = parseWhole(bytes)
  const texts = new Set<string>()
  gatherTexts(new Values(parsed.source, parsed.dataSet), parsed.dataSet, texts)
  return [...texts].join("\n")
}
