import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  buildPart10,
  deidentifier,
  DicomFormatError,
  lookup,
  parse,
  parseWhole,
  summarize,
} from "../../formats/dicom/index.ts"
import type { DataElement, Input, NeedMore, Pseudonyms } from "../../formats/dicom/index.ts"
import dictionary from "../../formats/dicom/data/dictionary.json" with { type: "json" }
import table from "../../formats/dicom/data/table-e1-1.json" with { type: "json" }

const person: Pseudonyms = {
  patientId: () => "pseudonympseudonympseudony",
  patientName: () => "pseudonympseudonympseudony",
  uid: (uid) => `2.25.${BigInt(`0x${Buffer.from(uid).toString("hex")}`) % 10n ** 38n}`,
  accession: () => "AAAABBBBCCCCDDDD",
  identifier: () => "AAAABBBBCCCCDDDD",
  shiftDays: 500,
}

const syntaxes = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"] as const

const core: readonly DataElement[] = [
  { tag: "00080008", vr: "CS", value: ["ORIGINAL", "PRIMARY"] },
  { tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.2" },
  { tag: "00080018", vr: "UI", value: "1.2.3.4.5" },
  { tag: "00080060", vr: "CS", value: "CT" },
  { tag: "00180015", vr: "CS", value: "CHEST" },
  { tag: "0020000D", vr: "UI", value: "1.2.3.4.1" },
  { tag: "0020000E", vr: "UI", value: "1.2.3.4.2" },
  { tag: "00280002", vr: "US", value: 1 },
  { tag: "00280004", vr: "CS", value: "MONOCHROME2" },
  { tag: "00280010", vr: "US", value: 2 },
  { tag: "00280011", vr: "US", value: 2 },
  { tag: "00280100", vr: "US", value: 16 },
  { tag: "7FE00010", vr: "OW", value: [1, 2, 3, 4] },
]

/** The canary: in names, dates, ages, identifiers, UIDs and binary it must never come out again. */
const canary = "QUETZALCOATL"
const planted: Readonly<Record<string, string | Uint8Array>> = {
  PN: `${canary}^X`,
  LO: canary,
  SH: canary,
  ST: canary,
  LT: canary,
  UT: canary,
  UC: canary,
  UR: `http://${canary}/`,
  AE: canary,
  CS: canary,
  UI: `1.2.${canary}`,
  DA: canary,
  DT: canary,
  TM: canary,
  AS: canary,
  DS: canary,
  IS: canary,
  OB: Buffer.from(canary),
  UN: Buffer.from(canary),
  OW: Buffer.from(canary),
}

interface Row {
  readonly tag: string
  readonly vr: string
}

const rows = (dictionary.rows as string[][]).map(([tag, vr]) => ({ tag: tag!, vr: vr! }))
/** Attributes of a secondary capture device: objects with them are refused. */
const refused = /^001810(?:1[0-9AB])/
const inTable = new Set((table.rows as string[][]).map((row) => row[0]!))
const usable = ({ tag, vr }: Row) =>
  /^[0-9A-F]{8}$/.test(tag) && tag >= "00080006" && vr in planted && !tag.endsWith("0000")
/** Attributes that the basic profile never keeps. */
const identifying = rows.filter((row) => usable(row) && inTable.has(row.tag) && !refused.test(row.tag))
const named = new Set(core.map(({ tag }) => tag))
const removed = /^(?:0010003[34]|0040(?:100[67]|200[67]|4073|E010)|00081190)/
// Free text of reports and drawings is always taken out, though the table names only the sequences around it.
const judged =
  /^(?:0040A160|00700006|0012006|002803|00280008|0008(?:0064|103E|1030)|001810|00187004|00080005|7FE0|00181030|FFF|04000500)/
const dated = new Set(["DA", "DT", "PN", "UI", "SQ", ""])
/** Attributes that no rule names and that decide nothing. */
const neutral = rows.filter(
  (row) =>
    usable(row) &&
    !inTable.has(row.tag) &&
    !named.has(row.tag) &&
    !judged.test(row.tag) &&
    !removed.test(row.tag) &&
    !dated.has(row.vr),
)
const sequences = rows.filter(
  ({ tag, vr }) =>
    vr === "SQ" &&
    /^[0-9A-F]{8}$/.test(tag) &&
    !inTable.has(tag) &&
    tag > "00081111" &&
    !/^(?:5200|0008(?:2218|2228))/.test(tag),
)

const phi: fc.Arbitrary<DataElement> = fc.oneof(
  fc.constantFrom(...identifying).map(({ tag, vr }) => ({ tag, vr, value: planted[vr]! })),
  // a known attribute under another VR, an unknown one, a private one
  fc.constantFrom(...identifying).map(({ tag }) => ({ tag, vr: "UN", value: planted["UN"]! })),
  fc.constantFrom(...identifying).map(({ tag }) => ({ tag, vr: "LT", value: canary })),
  fc.constantFrom("00080998", "00100999", "00220998").map((tag) => ({ tag, vr: "LO", value: canary })),
  fc
    .tuple(fc.constantFrom("0009", "0011", "0029", "7FE1"), fc.constantFrom("LO", "OB", "UN", "PN", "UI"))
    .map(([group, vr]) => ({ tag: `${group}1001`, vr, value: planted[vr]! })),
)

const distinct = (elements: readonly DataElement[]) => [
  ...new Map([...elements, ...core.filter(({ tag }) => tag !== "7FE00010")].map((one) => [one.tag, one])).values(),
]

/** Wraps elements into sequences, one in the other. */
const nested = (elements: readonly DataElement[], tags: readonly string[]): DataElement =>
  tags.reduceRight<DataElement>((inner, tag) => ({ tag, vr: "SQ", items: [[inner], []] }), {
    tag: "00081250",
    vr: "SQ",
    items: [[...new Map(elements.map((one) => [one.tag, one])).values()]],
  })

const file = (elements: readonly DataElement[], transferSyntax: string, undefinedLengths = false) =>
  buildPart10([...distinct(elements), core[core.length - 1]!], { transferSyntax, undefinedLengths })

function release(bytes: Uint8Array, options: Parameters<typeof deidentifier>[0]["options"] = []) {
  const verdict = deidentifier({ options, faces: "refuse" })({ header: bytes, size: bytes.length }, { person })
  if (verdict.kind !== "released") throw new Error(JSON.stringify(verdict))
  const out = Buffer.concat([verdict.prefix, bytes.subarray(verdict.copy.from, verdict.copy.to), verdict.suffix])
  const parsed = parseWhole(out)
  return { out, parsed, text: Buffer.from(parsed.source.header).toString("latin1") }
}

/** Reads a file the way a source does: a first piece, and more of it when asked. */
function piecewise<T extends { readonly kind: string }>(
  bytes: Uint8Array,
  first: number,
  read: (input: Input) => T | NeedMore,
) {
  let input: Input = { header: bytes.subarray(0, first), size: bytes.length }
  for (let turn = 0; turn < 200; turn++) {
    const result = read(input)
    if (result.kind !== "more") return result as T
    const { part, from, to } = result as NeedMore
    input = part === "header" ? { ...input, header: bytes.subarray(0, to) } : { ...input, tail: bytes.subarray(from) }
  }
  throw new Error("no end of asking")
}

describe("DICOM, for all files", () => {
  it("planted identifiers are gone: in every attribute of the table, every VR, private or unknown, at every depth", () => {
    fc.assert(
      fc.property(
        fc.array(phi, { minLength: 1, maxLength: 12 }),
        fc.array(fc.constantFrom(...sequences.map(({ tag }) => tag)), { maxLength: 6 }),
        fc.constantFrom(...syntaxes),
        fc.boolean(),
        fc.subarray([
          "retain-safe-private",
          "clean-descriptors",
          "clean-structured-content",
          "clean-graphics",
        ] as const),
        fc.subarray(["retain-longitudinal-modified-dates", "retain-longitudinal-full-dates"] as const, {
          maxLength: 1,
        }),
        (elements, depth, syntax, open, options, dates) => {
          const { text } = release(file([...elements, nested(elements, depth)], syntax, open), [...options, ...dates])
          expect(text).not.toContain(canary)
        },
      ),
      { numRuns: 600 },
    )
  })

  it("what no rule names comes out byte for byte, at every depth and in every encoding", () => {
    const value = (vr: string) => (vr === "UI" || vr === "UN" ? planted[vr]! : (planted[vr] ?? ""))
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.constantFrom(...neutral), { minLength: 1, maxLength: 15, selector: ({ tag }) => tag }),
        fc.constantFrom(...syntaxes),
        (kept, syntax) => {
          const elements = kept.map(({ tag, vr }) => ({ tag, vr, value: value(vr) }))
          const before = parseWhole(file([...elements, nested(elements, [])], syntax))
          const after = release(file([...elements, nested(elements, [])], syntax)).parsed
          const bytes = (parsed: typeof before, tag: number) => {
            const element = parsed.dataSet.elements.find((one) => one.tag === tag)
            return element && Buffer.from(parsed.source.bytes(element.start, element.end)).toString("hex")
          }
          for (const { tag } of kept) {
            const number = parseInt(tag, 16)
            expect(bytes(after, number), `${tag} ${lookup(number)?.keyword}`).toBe(bytes(before, number))
          }
          expect(bytes(after, 0x00081250)).toBe(bytes(before, 0x00081250))
        },
      ),
      { numRuns: 200 },
    )
  })

  it("read in pieces they are the same as read whole", () => {
    fc.assert(
      fc.property(
        fc.array(phi, { maxLength: 10 }),
        fc.constantFrom(...syntaxes),
        fc.nat(2000),
        fc.boolean(),
        (elements, syntax, first, open) => {
          const bytes = file([...elements, nested(elements, ["00081115"])], syntax, open)
          const whole = parseWhole(bytes)
          const parts = piecewise(bytes, first, (input) => parse(input))
          expect(parts.kind === "parsed" ? parts.dataSet : undefined).toEqual(whole.dataSet)
          const summary = piecewise(bytes, first, summarize)
          expect(summary).toEqual(summarize({ header: bytes, size: bytes.length }))
        },
      ),
      { numRuns: 100 },
    )
  })

  it("damaged files give a verdict or a DicomFormatError, never anything else, and never late", () => {
    const damage = fc.record({
      at: fc.nat(),
      kind: fc.constantFrom("flip", "cut", "length", "insert"),
      byte: fc.nat(255),
    })
    fc.assert(
      fc.property(
        fc.array(phi, { maxLength: 6 }),
        fc.constantFrom(...syntaxes),
        fc.array(damage, { minLength: 1, maxLength: 6 }),
        (elements, syntax, damages) => {
          let bytes = Buffer.from(file([...elements, nested(elements, ["00081115"])], syntax))
          for (const { at, kind, byte } of damages) {
            const i = at % bytes.length
            if (kind === "flip") bytes[i] = byte
            else if (kind === "cut") bytes = bytes.subarray(0, i)
            else if (kind === "length") bytes.fill(0xff, i, Math.min(i + 4, bytes.length))
            else bytes = Buffer.concat([bytes.subarray(0, i), Buffer.from([byte]), bytes.subarray(i)])
            if (bytes.length === 0) return
          }
          const run = deidentifier({ options: [], faces: "allow" })
          expect(["released", "refused"]).toContain(run({ header: bytes, size: bytes.length }, { person }).kind)
          try {
            parseWhole(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(DicomFormatError)
          }
        },
      ),
      { numRuns: 400 },
    )
  })
})

describe("DICOM, hostile files", () => {
  const deep = (levels: number) => {
    let inner: DataElement = { tag: "00100010", vr: "PN", value: canary }
    for (let level = 0; level < levels; level++) inner = { tag: "00081250", vr: "SQ", items: [[inner]] }
    return inner
  }

  it("200 levels of nesting go through, without the name at the bottom", () => {
    expect(release(file([deep(200)], syntaxes[1])).text).not.toContain(canary)
  })

  it("100,000 levels are an error, not a stack overflow", () => {
    const open = Buffer.from("0800501253510000fffffffffeff00e0ffffffff", "hex")
    const head = buildPart10(core.slice(0, 3), { transferSyntax: syntaxes[1] })
    const bytes = Buffer.concat([head, ...Array.from({ length: 100_000 }, () => open)])
    expect(() => parseWhole(bytes)).toThrow(expect.objectContaining({ code: "too-deep" }))
  })

  it("a million elements are read in a moment", () => {
    const head = buildPart10(core.slice(0, 3), { transferSyntax: syntaxes[1] })
    const many = Buffer.alloc(8 * 1_000_000)
    for (let i = 0; i < 1_000_000; i++) {
      many.writeUInt16LE(0x0011 + 2 * Math.floor(i / 0xf000), i * 8)
      many.writeUInt16LE(0x0100 + (i % 0xf000), i * 8 + 2)
      many.write("LO", i * 8 + 4)
    }
    const started = performance.now()
    expect(parseWhole(Buffer.concat([head, many])).dataSet.elements.length).toBe(1_000_003)
    expect(performance.now() - started).toBeLessThan(5000)
  })

  it("a length of 4 GB in a small file is an error that names the element", () => {
    const head = buildPart10(core.slice(0, 3), { transferSyntax: syntaxes[1] })
    const huge = Buffer.from("09000110554e0000feffffff", "hex")
    expect(() => parseWhole(Buffer.concat([head, huge]))).toThrow(
      expect.objectContaining({ code: "truncated", path: "(0009,1001)" }),
    )
  })

  it("a deflate bomb is an error, not memory", () => {
    const zeros: DataElement = { tag: "00091001", vr: "OB", value: new Uint8Array(64 * 1024 * 1024) }
    const bytes = file([zeros], syntaxes[3])
    expect(bytes.length).toBeLessThan(1024 * 1024)
    expect(() => parseWhole(bytes, { maxInflated: 1024 * 1024 })).toThrow(
      expect.objectContaining({ code: "too-large" }),
    )
  })

  it.each(["00100010", "00080018"])(
    "an element twice (%s) is an error: readers differ in which one they take",
    (tag) => {
      const one = buildPart10([{ tag, vr: "LO", value: "A" }], { transferSyntax: syntaxes[1] })
      const element = parseWhole(one).dataSet.elements[0]!
      const again = one.subarray(element.start, element.end)
      expect(() => parseWhole(Buffer.concat([one, again]))).toThrow(
        expect.objectContaining({ code: "duplicate-element" }),
      )
    },
  )

  it.each(["", "\0", "hello, this is text and not DICOM", "DICM", `${"\0".repeat(128)}DICM`])(
    "%j is not DICOM",
    (text) => {
      expect(() => parseWhole(Buffer.from(text))).toThrow(DicomFormatError)
    },
  )
})
