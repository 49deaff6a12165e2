import { existsSync } from "node:fs"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test } from "vitest"
import type { DicomInstance, Rec } from "../../core/index.ts"
import { identityKeyFrom } from "../../core/index.ts"
import { deidentifyEach } from "../../cli/deid/index.ts"
import type { FileResult } from "../../cli/deid/index.ts"
import { personOf } from "../../cli/deid/person.ts"
import { DicomFormatError, summarize } from "../../formats/dicom/index.ts"
import { memoryState } from "../kit/index.ts"
import {
  TestBorder,
  assembler,
  foldInto,
  instancesOf,
  projectKey,
  runToEnd,
  standing,
  studiesOf,
} from "./dicom-border.ts"
import type { Collected, Final } from "./dicom-border.ts"
import { dicomText, filesOf, makeHospital } from "./synth-hospital.ts"
import type { Made } from "./synth-hospital.ts"

const identityKey = identityKeyFrom(projectKey)

/** The person of a file's bytes; undefined when they cannot be read as an instance of a study. */
function personIn(bytes: Uint8Array): string | undefined {
  try {
    const summary = summarize({ header: bytes, size: bytes.length })
    const { sopInstanceUid, studyInstanceUid, seriesInstanceUid, sopClassUid } = summary as Exclude<
      typeof summary,
      { kind: "more" }
    >
    if (summary.kind === "more" || [sopInstanceUid, studyInstanceUid, seriesInstanceUid, sopClassUid].includes(""))
      return undefined
    return personOf(summary, identityKey, "mrn")
  } catch (thrown) {
    if (thrown instanceof DicomFormatError) return undefined
    throw thrown
  }
}

/** Files through assembly and the border, a few at a time, and what of them stands below. */
class Feed {
  readonly final: Final = new Map()
  readonly released = new Set<string>()
  readonly failed = new Map<string, string>()
  readonly seen: Collected[] = []
  readonly #border: TestBorder
  readonly #files = new Map<bigint, string>()
  readonly #state = memoryState()
  #assemble: Awaited<ReturnType<typeof assembler>> | undefined
  #made: Awaited<ReturnType<TestBorder["create"]>> | undefined
  readonly #options: Parameters<TestBorder["create"]>[0]
  #version = 0n

  constructor(border: TestBorder, options: Parameters<TestBorder["create"]>[0]) {
    this.#border = border
    this.#options = options
  }

  /** @param files by name, in order */
  async take(files: readonly (readonly [name: string, bytes: Uint8Array])[]): Promise<readonly string[]> {
    this.#assemble ??= await assembler()
    this.#made ??= await this.#border.create(this.#options)
    const entered: string[] = []
    const arrivals: Rec[] = []
    for (const [name, bytes] of files) {
      const person = personIn(bytes)
      if (person === undefined) continue
      const arrival = await this.#border.arrive(bytes, person, ++this.#version)
      const value = arrival.value as { readonly instance: DicomInstance }
      arrivals.push({ ...arrival, value: { ...value, instance: { ...value.instance, file: name } } } as Rec)
      entered.push(name)
    }
    const inputs = this.#border.asInputs(await this.#assemble(arrivals))
    for (const { input, origin, value } of inputs)
      if (input === "instances" && value !== null) this.#files.set(origin.offset, (value as DicomInstance).file)
    for (const done of await runToEnd(this.#made, this.#state, inputs)) {
      foldInto(this.final, done)
      this.seen.push(done)
      for (const { to, draft } of done.emitted)
        if (to === "instances") this.released.add(this.#files.get(draft.origin!.offset)!)
      for (const { from, error } of done.failed)
        this.failed.set(this.#files.get(from.origin.offset)!, (error as { readonly code?: string }).code!)
    }
    return entered
  }

  get objects(): string[] {
    return [...this.final]
      .filter(([row, { op }]) => row.startsWith("instances ") && op === "upsert")
      .map(([, { value }]) => (value as { readonly object: { readonly key: string } }).object.key)
  }
}

describe("the synthetic hospital's images through assembly and the border", () => {
  let made: Made
  let border: TestBorder
  beforeAll(async () => {
    made = await makeHospital(10, 23)
  })
  afterAll(() => rm(join(made.out, ".."), { recursive: true, force: true }))
  beforeEach(async () => {
    border = await TestBorder.open()
  })
  afterEach(() => border.close())

  test("have the fates that the truth says, leave nothing planted, and equal the folder command's bytes", async () => {
    const options = { "retain-longitudinal-modified-dates": true, "retain-patient-characteristics": true } as const
    const feed = new Feed(border, options)
    const arrivals = made.truth.arrivals.filter(({ type, fate }) => type === "dicom" && fate !== "dropped")
    const wrong: string[] = []
    for (const wave of ["wave1", "wave2"])
      for (const group of chunks(
        arrivals.filter((one) => one.wave === wave),
        50,
      )) {
        const files = await Promise.all(
          group.map(async ({ file }) => [file, await readFile(join(made.out, file))] as const),
        )
        const entered = new Set(await feed.take(files))
        for (const arrival of group) {
          if (!entered.has(arrival.file)) continue
          const said = feed.released.has(arrival.file) ? "released" : feed.failed.get(arrival.file)
          const told = "reason" in arrival ? arrival.reason : arrival.fate
          if (said !== told && !arrival.file.includes("/import/")) wrong.push(`${arrival.file}: ${said}, not ${told}`)
        }
      }
    expect(wrong).toEqual([])
    const outputs: string[] = []
    const output = join(made.out, "..", "deid")
    for await (const result of deidentifyEach({ input: join(made.out), output, projectKey, options }))
      if (result.output.endsWith(".dcm")) outputs.push(`dicom/${result.output}`)
    expect(new Set(feed.objects)).toEqual(new Set(outputs))
    const texts = await Promise.all(
      feed.objects.map(async (key) => `${key}\n${dicomText(await border.limited.objects.bytes(key))}`),
    )
    const below = `${texts.join("\n")}\n${standing(feed.final).join("\n")}`
    const left = made.planted.filter(({ value, kind }) => value.length > 5 && kind !== "date" && below.includes(value))
    expect(left.map(({ kind }) => kind)).toEqual([])
  })
})

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size))

const shared = ["../shared/data/dicom"].find((path) => existsSync(path))
if (shared === undefined) console.warn("SKIPPED: the real DICOM files, as ../shared/data/dicom is not there")

describe.skipIf(shared === undefined)("the real files of ../shared/data/dicom", () => {
  it.each(["refuse", "allow"] as const)(
    "have one fate each, and stand below as the folder command makes them (faces: %s)",
    async (faces) => {
      const dir = await mkdtemp(join(tmpdir(), "weir-deid-real-"))
      const border = await TestBorder.open()
      try {
        const results: FileResult[] = []
        const output = join(dir, "out")
        for await (const one of deidentifyEach({ input: shared!, output, projectKey, options: { faces } }))
          results.push(one)
        const names = await filesOf(shared!)
        expect(results.map(({ input }) => input)).toEqual(names)
        for (const { output: name, status, reason } of results) {
          expect(status).not.toBe("failed")
          expect(status === "released").toBe(reason === "" && name !== "")
        }
        const feed = new Feed(border, { faces })
        const files = await Promise.all(names.map(async (name) => [name, await readFile(join(shared!, name))] as const))
        const entered = await feed.take(files)
        const released = feed.seen.flatMap(instancesOf).length
        const refused = feed.seen.flatMap(({ failed }) => failed).length
        // Several of the files are one instance in other encodings: the newest stands.
        expect(released + refused).toBe(new Set(instanceNames(files, entered)).size)
        const counted = feed.seen.flatMap(studiesOf).map(({ value }) => value!)
        expect(counted.reduce((sum, one) => sum + one.released, 0)).toBe(released)
        expect(counted.reduce((sum, one) => sum + one.refused, 0)).toBe(refused)
        const outputs = new Set(results.map(({ output: name }) => `dicom/${name}`))
        expect(feed.objects.filter((key) => !outputs.has(key))).toEqual([])
        expect(released).toBeGreaterThan(faces === "allow" ? 15 : 3)
      } finally {
        await border.close()
        await rm(dir, { recursive: true, force: true })
      }
    },
  )
})

/** Person and SOP Instance UID of files. */
function instanceNames(files: readonly (readonly [string, Uint8Array])[], entered: readonly string[]): string[] {
  const wanted = new Set(entered)
  return files.flatMap(([name, bytes]) => {
    if (!wanted.has(name)) return []
    const summary = summarize({ header: bytes, size: bytes.length })
    return summary.kind === "more" ? [] : [`${personIn(bytes)} ${summary.sopInstanceUid}`]
  })
}
