import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { identityKeyFrom, personKey } from "../../core/index.ts"
import { deidentifyEach } from "../../cli/deid/index.ts"
import type { FilesGiven } from "../../cli/deid/index.ts"
import { parseWhole } from "../../formats/dicom/index.ts"
import { memoryState } from "../kit/index.ts"
import { axial, phantom, usual } from "../deface/phantom.ts"
import type { Person, Scan } from "../deface/phantom.ts"
import { bytesOf, defaced } from "../deface/scanned.ts"
import { planDefacing } from "../../transforms/deface/index.ts"
import { TestBorder, assembler, codesOf, foldInto, instancesOf, projectKey, runToEnd } from "./dicom-border.ts"
import type { Final } from "./dicom-border.ts"
import { textsOf } from "./dicom-slice.ts"

/** Coarse, so that a series is small. */
const coarse: Scan = { ...axial, spacing: [3, 3], rows: 90, columns: 80, step: [0, 0, 3], slices: 87 }
const cleaning = { "clean-recognizable-visual-features": true } as const
const face = (scan: Scan = coarse, person: Person = usual) => phantom(scan, person)

describe("weir deid over a series from which a face could be rendered", { timeout: 240_000 }, () => {
  let dir: string
  let given: Pick<FilesGiven, "input" | "output" | "projectKey">
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "weir-faces-"))
    given = { input: join(dir, "in"), output: join(dir, "out"), projectKey }
    await mkdir(given.input)
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  const put = async (files: readonly Uint8Array[]) => {
    for (const [at, file] of files.entries())
      await writeFile(join(given.input, `${String(at).padStart(3, "0")}.dcm`), file)
  }
  const run = async (options: FilesGiven["options"]) => {
    const results = []
    for await (const { status, reason, output } of deidentifyEach({ ...given, options: options! }))
      results.push({ status, reason, output })
    return results
  }
  const fates = (results: Awaited<ReturnType<typeof run>>) => [
    ...new Set(results.map(({ status, reason }) => `${status} ${reason}`)),
  ]
  const outputOf = ({ output }: { readonly output: string }) => readFile(join(given.output, output))

  it("takes the face out, says so, and leaves every other voxel and the size of the pixel data as they were", async () => {
    const slices = face()
    await put(slices.map(({ file }) => file))
    const results = await run(cleaning)
    expect(fates(results)).toEqual(["released "])
    let [changed, brainChanged] = [0, 0]
    for (const [at, result] of results.entries()) {
      const after = await outputOf(result)
      const texts = textsOf(after)
      expect(texts.get("(0028,0302)")).toBe("NO")
      expect(texts.get("(0012,0064)[1].(0008,0100)")).toBe("113102")
      const { file, brain } = slices[at]!
      const [old, made] = [file.subarray(-brain.length * 2), after.subarray(-brain.length * 2)]
      for (let voxel = 0; voxel < brain.length; voxel++) {
        const same = old[voxel * 2] === made[voxel * 2] && old[voxel * 2 + 1] === made[voxel * 2 + 1]
        if (!same) changed++
        if (!same && brain[voxel] === 1) brainChanged++
      }
    }
    expect(changed).toBeGreaterThan(20_000)
    expect(brainChanged).toBe(0)
  })

  it("gives the same bytes with the same key, whatever the files are named, and others with another", async () => {
    const files = face().map(({ file }) => file)
    await put(files)
    const first = (await run(cleaning)).map(({ output }) => output).sort()
    await rm(given.input, { recursive: true })
    await mkdir(given.input)
    await put(files.toReversed())
    expect((await run(cleaning)).map(({ output }) => output).sort()).toEqual(first)
    const members = files.map((file, at) => ({
      id: `${at}`,
      use: <T>(act: (b: ReturnType<typeof bytesOf>) => T) => act(bytesOf(file)),
    }))
    const [one, other] = await Promise.all(["a", "b"].map((secret) => planDefacing(members as never, { secret })))
    const at = 30
    const filled = async (plan: typeof one) => {
      if (plan!.kind === "held") throw new Error(plan!.why)
      const made = await plan!.deface(bytesOf(files[at]!))
      return "kind" in made ? new Uint8Array() : made.read(0, made.size)
    }
    expect(Buffer.compare(await filled(one), await filled(other))).not.toBe(0)
  })

  it("holds the whole series, with the reason, where the face cannot be taken out", async () => {
    const slices = face()
    const files = slices.map(({ file }) => file)
    // One slice of a head without its place in the patient.
    const lost = phantom(
      { ...coarse, slices: 1 },
      usual,
      { tag: "00200032", vr: "DS" },
      { tag: "00080018", vr: "UI", value: "1.2.3.4.5.900" },
    )
    await put([...files.slice(0, 30), lost[0]!.file])
    expect(fates(await run(cleaning))).toEqual(["refused face-risk-not-slices"])
  })

  it("holds what is no head that it knows: a face must be found to be taken out", async () => {
    const hand: Person = { ...usual, scale: 0.35 }
    await put(face(coarse, hand).map(({ file }) => file))
    expect(fates(await run(cleaning))).toEqual(["refused face-risk-not-a-head"])
  })

  it("refuses such a series without the option, and says YES where faces are allowed", async () => {
    await put(face({ ...coarse, slices: 8 }).map(({ file }) => file))
    expect(fates(await run({}))).toEqual(["refused face-risk"])
    const allowed = await run({ faces: "allow" })
    expect(fates(allowed)).toEqual(["released "])
    expect(textsOf(await outputOf(allowed[0]!)).get("(0028,0302)")).toBe("YES")
    await expect(run({ ...cleaning, faces: "allow" })).rejects.toMatchObject({ code: "options-conflict" })
  })

  it("passes scouts and single slices of a head, unless they say that there are more or that a face can be seen", async () => {
    const scout = (...changes: Parameters<typeof phantom>[2][]) =>
      phantom({ ...coarse, slices: 3, step: [0, 0, 30] }, usual, ...changes).map(({ file }) => file)
    await put(scout())
    expect(fates(await run({}))).toEqual(["released "])
    await put(scout({ tag: "00201002", vr: "IS", value: "87" }))
    expect(fates(await run({}))).toEqual(["refused face-risk"])
    await put(scout({ tag: "00280302", vr: "CS", value: "YES" }))
    expect(fates(await run({}))).toEqual(["refused face-risk"])
  })
})

describe("a stage that takes faces out", { timeout: 240_000 }, () => {
  it("does so after assembly, makes what the folder command makes, and cuts anew when a slice comes late", async () => {
    const border = await TestBorder.open()
    const dir = await mkdtemp(join(tmpdir(), "weir-faces-"))
    try {
      const files = face().map(({ file }) => file)
      const person = personKey(identityKeyFrom(projectKey), "mrn", "MRN-471147")
      const assemble = await assembler()
      const made = await border.create(cleaning)
      const state = memoryState()
      const final: Final = new Map()
      const arrive = async (of: readonly Uint8Array[]) => {
        const arrivals = []
        for (const bytes of of) arrivals.push(await border.arrive(bytes, person))
        const steps = await runToEnd(made, state, border.asInputs(await assemble(arrivals)))
        for (const step of steps) foldInto(final, step)
        return steps
      }
      const first = await arrive(files.slice(0, -1))
      expect(first.flatMap(codesOf)).toEqual([])
      expect(first.flatMap(instancesOf)).toHaveLength(files.length - 1)
      const late = await arrive(files.slice(-1))
      expect(late.flatMap(codesOf)).toEqual([])
      expect(border.counts.get("faces-cleaned/face-risk")).toBeGreaterThan(files.length)
      for (const [at, file] of files.entries()) await writeFile(join(dir, `${at}.dcm`), file)
      const outputs: string[] = []
      for await (const { output } of deidentifyEach({
        input: dir,
        output: `${dir}-out`,
        projectKey,
        options: cleaning,
      }))
        outputs.push(`dicom/${output}`)
      const standing = [...final]
        .filter(([row, { op }]) => row.startsWith("instances") && op === "upsert")
        .map(([, { value }]) => (value as { readonly object: { readonly key: string } }).object.key)
      expect(standing.sort()).toEqual(outputs.sort())
    } finally {
      await border.close()
      await rm(dir, { recursive: true, force: true })
      await rm(`${dir}-out`, { recursive: true, force: true })
    }
  })

  it("takes back what stood with a face once slices make a surface of it, and holds it where nothing can be done", async () => {
    const border = await TestBorder.open()
    try {
      const assemble = await assembler()
      const made = await border.create(cleaning)
      const state = memoryState()
      const final: Final = new Map()
      const arrive = async (of: readonly Uint8Array[]) => {
        const arrivals = []
        for (const bytes of of) arrivals.push(await border.arrive(bytes))
        const steps = await runToEnd(made, state, border.asInputs(await assemble(arrivals)))
        for (const step of steps) foldInto(final, step)
        return steps.flatMap(codesOf)
      }
      const files = face({ ...coarse, slices: 10, centre: [0, -4, 30] }).map(({ file }) => file)
      expect(await arrive(files.slice(0, 4))).toEqual([])
      const standing = () => [...final].filter(([row, { op }]) => row.startsWith("instances") && op === "upsert").length
      expect(standing()).toBe(4)
      // Ten slices through the forehead show neither the top of a head nor a nose.
      expect(new Set(await arrive(files.slice(4)))).toEqual(new Set(["refused.face-risk"]))
      expect(standing()).toBe(0)
    } finally {
      await border.close()
    }
  })
})

describe("pixel data that is compressed", { timeout: 240_000 }, () => {
  it("is held without a decoder and where the decoder gives up, and is written native with one", async () => {
    const slices = face()
    const isRle = "1.2.840.10008.1.2.5"
    const wrapped = slices.map(({ file, brain }) => {
      const pixels = Buffer.from(file.subarray(-brain.length * 2))
      return { pixels, file: encapsulated(file, pixels, isRle) }
    })
    const compressed = slices.map((slice, at) => ({ ...slice, file: wrapped[at]!.file }))
    expect(await defaced(compressed)).toEqual({ kind: "held", why: "compressed" })
    expect(await defaced(compressed, { decode: async () => undefined })).toEqual({ kind: "held", why: "compressed" })
    const files = await defaced(compressed, {
      decode: async (frame) => frame.subarray(0, coarse.rows * coarse.columns * 2),
    })
    const native = await defaced(slices)
    if ("kind" in files || "kind" in native) throw new Error("held")
    for (const [at, file] of files.entries()) {
      expect(parseWhole(file).transferSyntax).toBe("1.2.840.10008.1.2.1")
      const size = slices[at]!.brain.length * 2
      expect(Buffer.compare(file.subarray(-size), native[at]!.subarray(-size))).toBe(0)
    }
  })
})

/** The same file with its pixels as the one frame of an encapsulated element; what is in it only its decoder knows. */
function encapsulated(file: Uint8Array, pixels: Buffer, transferSyntax: string): Uint8Array {
  const item = (bytes: Buffer) => {
    const head = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0])
    head.writeUInt32LE(bytes.length, 4)
    return Buffer.concat([head, bytes])
  }
  const head = Buffer.from([0xe0, 0x7f, 0x10, 0x00, 0x4f, 0x42, 0, 0, 0xff, 0xff, 0xff, 0xff])
  const end = Buffer.from([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0])
  const parsed = parseWhole(file)
  const at = parsed.dataSet.elements.find(({ tag }) => tag === 0x7fe00010)!.start
  const before = Buffer.from(file.subarray(0, at)).toString("latin1")
  // Both syntaxes' names are padded to the same length where they are written.
  const changed = before.replace("1.2.840.10008.1.2.1\0", `${transferSyntax}\0`.padEnd(20, "\0"))
  return Buffer.concat([Buffer.from(changed, "latin1"), head, item(Buffer.alloc(0)), item(pixels), end])
}
