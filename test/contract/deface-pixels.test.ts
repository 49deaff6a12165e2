import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { deidentifyEach } from "../../cli/deid/index.ts"
import type { FilesGiven } from "../../cli/deid/index.ts"
import { parseWhole } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"
import { describe as described } from "../../formats/pixels/index.ts"
import { encodeRleFrame } from "../../formats/pixels/encode.ts"
import { withElements } from "../../formats/pixels/replace.ts"
import type { ReadText } from "../../transforms/deidentify/pixels/read-text.ts"
import { axial, phantom, usual } from "../deface/phantom.ts"
import type { Scan } from "../deface/phantom.ts"
import { memoryState } from "../kit/index.ts"
import { TestBorder, assembler, codesOf, foldInto, projectKey, runToEnd } from "./dicom-border.ts"
import type { Final } from "./dicom-border.ts"
import { textsOf } from "./dicom-slice.ts"

/** Coarse, so that a series is small. */
const coarse: Scan = { ...axial, spacing: [3, 3], rows: 90, columns: 80, step: [0, 0, 3], slices: 87 }
const face = (...changes: readonly DataElement[]) => phantom(coarse, usual, ...changes)
const both = { "clean-recognizable-visual-features": true, "clean-pixel-data": true } as const

/** Of a slice that says that it has text, and by itself that it is of no head. */
const textOfChest: readonly DataElement[] = [
  { tag: "00280301", vr: "CS", value: "YES" },
  { tag: "00180015", vr: "CS", value: "CHEST" },
  { tag: "00081030", vr: "LO", value: "CHEST" },
  { tag: "0008103E", vr: "LO", value: "CHEST" },
  { tag: "00181030", vr: "LO", value: "CHEST" },
]

/** Behind the neck, where no cut goes. */
const corner = { x: 60, y: 80, width: 16, height: 8 }

/** A reader that finds a name in the corner of a picture until the corner is of one colour. */
class FindsName implements ReadText {
  readonly engine = "none"
  pictures = 0
  async read({ width, channels, data }: Parameters<ReadText["read"]>[0]) {
    this.pictures++
    const { x, y, width: across, height: down } = corner
    const seen = new Set<number>()
    for (let row = y; row < y + down; row++)
      for (let column = x; column < x + across; column++) seen.add(data[(row * width + column) * channels]!)
    return seen.size === 1 ? [] : [{ ...corner, text: "FALKENBERG", score: 0.95 }]
  }
  async close() {}
}
const findsNothing: ReadText = { engine: "none", read: async () => [], async close() {} }

/** The same file, its frame as RLE. */
function asRle(file: Uint8Array): Uint8Array {
  const parsed = parseWhole(file)
  const its = described(parsed)
  const bytes = file.subarray(-its.rows * its.columns * 2)
  const cells = Uint16Array.from(
    { length: its.rows * its.columns },
    (_, at) => bytes[2 * at]! | (bytes[2 * at + 1]! << 8),
  )
  const { rows, columns, photometric } = its
  const fragment = encodeRleFrame({ rows, columns, samples: 1, cells, photometric }, its)
  const pixels = { vr: 0x4f42, value: new Uint8Array(0), fragments: [fragment] }
  return withElements(parsed, "1.2.840.10008.1.2.5", new Map([[0x7fe00010, pixels]]))
}

describe("weir deid that takes out text and faces", { timeout: 240_000 }, () => {
  let dir: string
  let given: Pick<FilesGiven, "input" | "output" | "projectKey">
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "weir-both-"))
    given = { input: join(dir, "in"), output: join(dir, "out"), projectKey }
    await mkdir(given.input)
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  const put = async (files: readonly Uint8Array[]) => {
    for (const [at, file] of files.entries())
      await writeFile(join(given.input, `${String(at).padStart(3, "0")}.dcm`), file)
  }
  const run = async (options: NonNullable<FilesGiven["options"]>, readText: ReadText) => {
    const results = []
    for await (const { status, reason, output } of deidentifyEach({ ...given, options, readText }))
      results.push({ status, reason, output })
    return results
  }
  const fates = (results: Awaited<ReturnType<typeof run>>) => [
    ...new Set(results.map(({ status, reason }) => `${status} ${reason}`)),
  ]
  const outputsOf = (results: Awaited<ReturnType<typeof run>>) =>
    Promise.all(results.map(({ output }) => readFile(join(given.output, output))))

  it("makes the text black and cuts the face as without it, and the object says both", async () => {
    const slices = face()
    await put(slices.map(({ file }) => file))
    const faces = await outputsOf(await run({ "clean-recognizable-visual-features": true }, findsNothing))
    const reader = new FindsName()
    const results = await run(both, reader)
    expect(fates(results)).toEqual(["released "])
    expect(reader.pictures).toBeGreaterThan(slices.length)
    for (const [at, after] of (await outputsOf(results)).entries()) {
      const texts = textsOf(after)
      expect(texts.get("(0028,0302)")).toBe("NO")
      expect(texts.get("(0028,0301)")).toBe("NO")
      expect(texts.get("(0008,2111)")).toBe("Burned-in text was made black")
      const size = coarse.rows * coarse.columns * 2
      const [cut, made] = [faces[at]!.subarray(-size), after.subarray(-size)]
      const inCorner = new Set<number>()
      let elsewhere = 0
      for (let voxel = 0; voxel < size / 2; voxel++) {
        const [x, y] = [voxel % coarse.columns, Math.floor(voxel / coarse.columns)]
        const isText = x >= corner.x && x < corner.x + corner.width && y >= corner.y && y < corner.y + corner.height
        const isMargin = x >= corner.x - 3 && y >= corner.y - 3
        if (isText) inCorner.add(made.readInt16LE(2 * voxel))
        else if (!isMargin && cut.readInt16LE(2 * voxel) !== made.readInt16LE(2 * voxel)) elsewhere++
      }
      expect(inCorner.size).toBe(1)
      expect(elsewhere).toBe(0)
    }
  })

  it("takes faces out of compressed series too, and says nothing new of text where a sample was read", async () => {
    const slices = face()
    await put(slices.map(({ file }) => asRle(file)))
    const packed = await run(both, findsNothing)
    expect(fates(packed)).toEqual(["released "])
    const files = await outputsOf(packed)
    await put(slices.map(({ file }) => file))
    const native = await outputsOf(await run(both, findsNothing))
    const size = coarse.rows * coarse.columns * 2
    for (const [at, file] of files.entries()) {
      expect(parseWhole(file).transferSyntax).toBe("1.2.840.10008.1.2.1")
      expect(Buffer.compare(file.subarray(-size), native[at]!.subarray(-size))).toBe(0)
      expect(textsOf(file).get("(0028,0301)")).toBeUndefined()
    }
  })

  it("holds each slice whose text cannot be read, face or not", async () => {
    await put(face().map(({ file }) => file))
    const fails: ReadText = {
      engine: "none",
      read: async () => [{ ...corner, text: "FALKENBERG", score: 0.95 }],
      async close() {},
    }
    expect(fates(await run(both, fails))).toEqual(["refused burned-in-text-unsure"])
  })

  it("holds a series of a head of which one slice says that it has text, whatever the others say of themselves", async () => {
    const slices = face().map(({ file }) => file)
    const chest = face(...textOfChest)[40]!.file
    await put([...slices.slice(0, 40), chest, ...slices.slice(41)])
    expect(fates(await run(both, findsNothing))).toEqual(["refused face-risk-burned-in-text"])
    expect(fates(await run({ "clean-pixel-data": true }, findsNothing))).toEqual(["refused face-risk-burned-in-text"])
  })
})

describe("a stage that takes out text and faces", { timeout: 240_000 }, () => {
  it("takes back what stands once the series is a head of which a slice says that it has text", async () => {
    const border = await TestBorder.open()
    try {
      const assemble = await assembler()
      const made = await border.create({ ...both, "pixel-share": 0 })
      const state = memoryState()
      const final: Final = new Map()
      const arrive = async (of: readonly Uint8Array[]) => {
        const arrivals = []
        for (const bytes of of) arrivals.push(await border.arrive(bytes))
        const steps = await runToEnd(made, state, border.asInputs(await assemble(arrivals)))
        for (const step of steps) foldInto(final, step)
        return steps.flatMap(codesOf)
      }
      const standing = () => [...final].filter(([row, { op }]) => row.startsWith("instances") && op === "upsert").length
      const few = { ...coarse, slices: 10 }
      const files = phantom(few, usual).map(({ file }) => file)
      const withText = phantom(few, usual, ...textOfChest)[9]!.file
      expect(await arrive(files.slice(0, 4))).toEqual([])
      expect(standing()).toBe(4)
      expect(new Set(await arrive([...files.slice(4, 9), withText]))).toEqual(new Set(["refused.face-risk"]))
      expect(standing()).toBe(0)
    } finally {
      await border.close()
    }
  })
})
