import { createHash } from "node:crypto"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import type { PersonEvent } from "../../core/index.ts"
import { parseWhole, summaryOf } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"
import { Attributes } from "../../formats/pixels/description.ts"
import { redact } from "../../formats/pixels/index.ts"
import type { Picture } from "../../formats/pixels/index.ts"
import { borderOf } from "../../transforms/deidentify/dicom.ts"
import { policyFrom } from "../../transforms/deidentify/dicom-options.ts"
import type { DicomOptions } from "../../transforms/deidentify/dicom-options.ts"
import { ReviewQueue } from "../../transforms/deidentify/dicom-review.ts"
import type { Risk } from "../../transforms/deidentify/dicom-series.ts"
import { Kept } from "../../transforms/deidentify/dicom-store.ts"
import { verdictOn } from "../../transforms/deidentify/dicom-verdict.ts"
import { NoEngine } from "../../transforms/deidentify/pixels/ocr-engine.ts"
import type { ReadText } from "../../transforms/deidentify/pixels/read-text.ts"
import { MemoryReviews, memoryState } from "../kit/index.ts"
import { TestBorder, assembler, instancesOf, projectKey, runToEnd, slice } from "./dicom-border.ts"
import { fileOf, framesOf, syntaxes } from "./pixels.ts"

const [rows, columns] = [80, 200]
const [name, blur] = [
  { x: 10, y: 10, width: 60, height: 16 },
  { x: 100, y: 40, width: 60, height: 16 },
]
/** Pixels above the black lower part. */
const shown = 60 * columns
const nonsense = ["KWOTZ", "HULPA", "BRENT", "VIMSY", "DORLU", "GAPEX", "JONTU", "FLIBE"]

/** Reads a name where it was drawn, for certain, and at another place something that no two looks agree on. */
function reader(): ReadText {
  let looks = 0
  const unsure = () => nonsense[looks++ % nonsense.length]!
  const lit = ({ width, data }: Picture, { x, y }: typeof name) => data[(y + 8) * width + x + 8]! > 0
  return {
    engine: "test",
    async read(picture) {
      const { width, height } = picture
      if (width < columns) return [{ x: 0, y: 0, width, height, text: unsure(), score: 0.6 }]
      return [
        ...(lit(picture, name) ? [{ ...name, text: "FALKENBERG JANE", score: 0.93 }] : []),
        ...(lit(picture, blur) ? [{ ...blur, text: unsure(), score: 0.617 }] : []),
      ]
    },
    async close() {},
  }
}
const noReader: ReadText = { engine: "none", read: () => Promise.reject(new NoEngine("none")), async close() {} }

/** Two frames of ultrasound, each of one value, with a black lower part. */
const ultrasound = (syntax: string, ...more: readonly DataElement[]) =>
  fileOf({
    transferSyntax: syntax,
    rows,
    columns,
    samples: 1,
    bits: 8,
    photometric: "MONOCHROME2",
    frames: [100, 110].map((value) =>
      Uint16Array.from({ length: rows * columns }, (_, at) => (at < shown ? value : 0)),
    ),
    more,
  })

const isIn = (at: number, { x, y, width, height }: typeof name, margin = 0) => {
  const [column, row] = [at % columns, Math.floor(at / columns)]
  return column >= x - margin && column < x + width + margin && row >= y - margin && row < y + height + margin
}

describe("an instance that is held until a person decides", () => {
  let border: TestBorder
  let reviews: MemoryReviews
  beforeAll(async () => {
    border = await TestBorder.open()
  })
  afterAll(() => border.close())
  beforeEach(() => {
    reviews = new MemoryReviews()
  })

  async function verdict(
    bytes: Uint8Array,
    given: Partial<DicomOptions> = { "clean-pixel-data": true },
    { readText = reader(), risk = "none" }: { readText?: ReadText; risk?: Risk } = {},
  ) {
    const options = { key: "project-key", ...given }
    const policy = policyFrom(options, projectKey, readText)
    const sha256 = createHash("sha256").update(bytes).digest("hex")
    const object = { key: `instances/${sha256}`, size: bytes.length, sha256 }
    await border.phi.objects.put(object.key, bytes)
    const { sopInstanceUid: sop, studyInstanceUid: study, seriesInstanceUid: series } = summaryOf(parseWhole(bytes))
    const own = { ...borderOf(options, border.context), policy, reviews: new ReviewQueue(reviews, policy.fingerprint) }
    const stated = { study, series, object, time: 0 }
    const at = ["instances", 0, "7"] as const
    return verdictOn({ key: "p", sop, stated, at, risk, face: undefined }, own, new Kept(0))
  }
  const released = async (found: Awaited<ReturnType<typeof verdict>>) => {
    if (found.released === undefined) throw new Error(`refused: ${JSON.stringify(found.refused)}`)
    return border.limited.objects.bytes(found.released.object.key)
  }
  const element = (bytes: Uint8Array, tag: number) => {
    const { source, dataSet } = parseWhole(bytes)
    return new Attributes(source, dataSet).text(tag)
  }
  const accept = { verdict: "accepted", boxes: [] } as const

  it("waits with the places that were found and how surely, and no word of what stands there", async () => {
    const { refused } = await verdict(await ultrasound(syntaxes["explicit little endian"]))
    expect(refused).toEqual({ reason: "burned-in-text-unsure", detail: "text-or-tissue" })
    const [held] = reviews.held
    expect(held).toMatchObject({ person: "p", reason: "burned-in-text-unsure", input: "instances[0]@7" })
    const { boxes, ...facts } = held!.facts
    expect(facts).toMatchObject({ rows, columns, frames: 2, redactable: true, detail: "text-or-tissue" })
    expect(boxes).toContainEqual({ frame: 1, ...blur, score: 0.62, judgement: "unsure" })
    expect(boxes).toContainEqual({ frame: 2, ...name, score: 0.93, judgement: "redact" })
    expect(JSON.stringify(held)).not.toMatch(/FALKENBERG|KWOTZ|MRN20417/)
  })

  it("accepted: keeps what nobody was sure of, and loses what was certain all the same", async () => {
    reviews.decided.set("burned-in-text-unsure", accept)
    const bytes = await released(await verdict(await ultrasound(syntaxes["explicit little endian"])))
    for (const [frame, { cells }] of (await framesOf(bytes)).entries())
      for (let at = 0; at < shown; at++) {
        if (isIn(at, name) && cells[at] !== 0) expect.fail("the name stands")
        if (!isIn(at, name, 3) && cells[at] !== 100 + 10 * frame) expect.fail(`changed: ${frame} ${at}`)
      }
    expect(element(bytes, 0x00280301)).toBe("NO")
    expect(element(bytes, 0x00120063)).toMatch(/clean-pixel-data\\reviewed by a person/)
    expect(reviews.held).toEqual([])
  })

  it.each(["explicit little endian", "big endian", "deflated little endian", "RLE", "JPEG-LS"] as const)(
    "redacted: loses the places that were named, in the frames that were named (%s)",
    async (syntax) => {
      const box = { frame: 2, ...blur }
      reviews.decided.set("burned-in-text-unsure", { verdict: "redacted", boxes: [box] })
      const bytes = await released(await verdict(await ultrasound(syntaxes[syntax])))
      expect(parseWhole(bytes).transferSyntax).toBe(syntaxes[syntax])
      const [first, second] = await framesOf(bytes)
      for (let at = 0; at < shown; at++)
        if (isIn(at, blur) && (first!.cells[at] !== 100 || second!.cells[at] !== 0)) expect.fail(`pixel ${at}`)
      expect(element(bytes, 0x00082111)).toBe("Burned-in text was made black")
    },
  )

  it("rejected: says so, and does not wait again", async () => {
    reviews.decided.set("burned-in-text-unsure", { verdict: "rejected", boxes: [] })
    const { refused } = await verdict(await ultrasound(syntaxes.RLE))
    expect(refused).toEqual({ reason: "review-rejected", detail: "burned-in-text-unsure" })
    expect(reviews.held).toEqual([])
  })

  it("stays held by every other verdict than the one that was reviewed", async () => {
    for (const other of ["burned-in-text-risk", "pixels-unreadable", "face-risk"]) reviews.decided.set(other, accept)
    const { refused } = await verdict(await ultrasound(syntaxes.RLE))
    expect(refused?.reason).toBe("burned-in-text-unsure")
    expect(reviews.held).toHaveLength(1)
  })

  it("that no reader could look at passes once a person has", async () => {
    const bytes = await ultrasound(syntaxes.RLE)
    const none = { readText: noReader }
    expect((await verdict(bytes, { "clean-pixel-data": true }, none)).refused?.reason).toBe("burned-in-text-risk")
    reviews.decided.set("burned-in-text-risk", accept)
    expect((await verdict(bytes, { "clean-pixel-data": true }, none)).released).toBeDefined()
  })

  it("that passes one verdict is held by the next one, as a review of its own", async () => {
    let looks = 0
    const then = reader()
    const late: ReadText = { ...then, read: (...args) => (looks++ === 0 ? noReader : then).read(...args) }
    reviews.decided.set("burned-in-text-risk", accept)
    const found = await verdict(await ultrasound(syntaxes.RLE), { "clean-pixel-data": true }, { readText: late })
    expect(found.refused?.reason).toBe("burned-in-text-unsure")
    expect(reviews.held.map(({ reason }) => reason)).toEqual(["burned-in-text-unsure"])
  })

  it.each([
    { verdict: "redacted", boxes: [] },
    { verdict: "redacted", boxes: [{ frame: 3, ...blur }] },
    { verdict: "redacted", boxes: [{ x: columns, y: 0, width: 9, height: 9 }] },
    { verdict: "accepted", boxes: [blur] },
  ] as const)("stays held when a decision cannot be followed: %j", async (decision) => {
    for (const reason of ["burned-in-text-unsure", "burned-in-text-risk"]) reviews.decided.set(reason, decision)
    expect((await verdict(await ultrasound(syntaxes.RLE))).released).toBeUndefined()
    expect((await verdict(await ultrasound(syntaxes.RLE), {})).released).toBeUndefined()
  })

  it("is never let through by a person for what its header says, or for what the self-check finds", async () => {
    for (const reason of [
      "burned-in-text-unsure",
      "burned-in-text-risk",
      "pixels-unreadable",
      "face-risk",
      "identifier-left",
      "overlay",
      "structured-report",
      "unexpected-pixel-data",
    ])
      reviews.decided.set(reason, accept)
    const reasonOf = async (bytes: Uint8Array, given: Partial<DicomOptions> = { "clean-pixel-data": true }) =>
      (await verdict(bytes, given)).refused?.reason
    const named = { tag: "00080070", vr: "LO", value: "FALKENBERG" }
    expect(await reasonOf(await ultrasound(syntaxes.RLE, named))).toBe("identifier-left")
    expect(await reasonOf(await ultrasound(syntaxes.RLE, named), {})).toBe("identifier-left")
    const report = { tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.88.11" }
    expect(await reasonOf(await ultrasound(syntaxes.RLE, report))).toMatch(/^(?!burned|face|pixels).+/)
    expect(reviews.held).toEqual([])
  })

  it("for its face says YES in (0028,0302) once it is let through, and cannot be redacted", async () => {
    const head = slice("1.2.3.4.5.6", { tag: "00180015", vr: "CS", value: "HEAD" })
    const face = { risk: "face-risk" as const }
    expect((await verdict(head, {}, face)).refused).toEqual({ reason: "face-risk" })
    expect(reviews.held[0]!.facts).toMatchObject({ redactable: false, boxes: [] })
    reviews.decided.set("face-risk", { verdict: "redacted", boxes: [blur] })
    expect((await verdict(head, {}, face)).refused?.reason).toBe("face-risk")
    reviews.decided.set("face-risk", accept)
    const found = await verdict(head, {}, face)
    const bytes = await released(found)
    expect(element(bytes, 0x00280302)).toBe("YES")
    expect(element(bytes, 0x00280301)).toBe("")
    expect(element(bytes, 0x00120063)).toMatch(/faces allowed\\reviewed by a person/)
    expect(found.released!.profile).toMatch(/faces-allowed reviewed$/)
  })

  it("gives the same bytes for the same decision", async () => {
    reviews.decided.set("burned-in-text-unsure", { verdict: "redacted", boxes: [{ frame: 1, ...blur }] })
    const bytes = await ultrasound(syntaxes["JPEG-LS"])
    const [one, two] = [await verdict(bytes), await verdict(bytes)]
    expect(one.released!.object).toEqual(two.released!.object)
  })
})

describe("the stage", () => {
  it("lets wait no longer what passed, left, or came with other bytes", async () => {
    const border = await TestBorder.open()
    try {
      const reviews = new MemoryReviews()
      const made = await border.create({}, { reviews: () => reviews })
      const state = memoryState(0)
      const assemble = await assembler()
      const deliver = async (...records: Parameters<typeof assemble>[0]) =>
        runToEnd(made, state, border.asInputs(await assemble(records)))
      const burned = (number: string) =>
        slice("1.2.3.4.5", { tag: "00280301", vr: "CS", value: "YES" }, { tag: "00200013", vr: "IS", value: number })
      await deliver(await border.arrive(burned("1")))
      expect(reviews.held.map(({ reason }) => reason)).toEqual(["burned-in-text-risk"])
      expect(reviews.ended).toEqual([])
      await deliver(await border.arrive(burned("2"), "p", 2n))
      const [first, second] = reviews.held.map(({ subject }) => subject)
      expect(reviews.ended).toEqual([[first, "gone"]])
      await deliver(await border.arrive(slice("1.2.3.4.5"), "p", 3n))
      expect(reviews.ended.slice(1)).toEqual([
        [second, "gone"],
        [expect.any(String), "passed"],
      ])
      await deliver(await border.arrive(burned("3"), "p", 4n))
      await deliver(border.left("1.2.3.4.5", 5n))
      expect(reviews.ended.at(-1)).toEqual([reviews.held.at(-1)!.subject, "gone"])
    } finally {
      await border.close()
    }
  })

  it("asks again for a decision when the same bytes come again after they were held", async () => {
    const border = await TestBorder.open()
    try {
      const reviews = new MemoryReviews()
      const made = await border.create({}, { reviews: () => reviews })
      const state = memoryState(0)
      const assemble = await assembler()
      const burned = slice("1.2.3.4.5", { tag: "00280301", vr: "CS", value: "YES" })
      const deliver = async (version: bigint) => {
        const arrived = await border.arrive(burned, "p", version)
        const event = arrived.value as PersonEvent
        const value = { ...event, instance: { ...event.instance, file: `incoming/${version}.dcm` } }
        const records = [{ ...arrived, value }]
        const steps = await runToEnd(made, state, border.asInputs(await assemble(records)))
        return steps.flatMap(instancesOf).map(({ op }) => op)
      }
      expect(await deliver(1n)).toEqual([])
      reviews.decided.set("burned-in-text-risk", { verdict: "accepted", boxes: [] })
      expect(await deliver(2n)).toEqual(["upsert"])
    } finally {
      await border.close()
    }
  })
})

it("a redaction of one frame leaves the bytes of all others", async () => {
  const bytes = await ultrasound(syntaxes["explicit little endian"])
  const done = await redact(parseWhole(bytes), [{ frame: 1, ...blur }])
  const [before, after] = [await framesOf(bytes), await framesOf(done.bytes)]
  expect(after[0]!.cells).toEqual(before[0]!.cells)
  expect(after[1]!.cells.filter((cell, at) => cell !== before[1]!.cells[at])).toHaveLength(blur.width * blur.height)
})
