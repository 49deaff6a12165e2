import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { deidentifyFolder } from "../../cli/deid/index.ts"
import type { ProfileOption } from "../../formats/dicom/index.ts"
import { importsOfTree } from "../architecture/imports.ts"
import { dciodvfyErrors, withoutValues } from "./dciodvfy.ts"
import type { Finding } from "./finding.ts"
import { grade } from "./grade.ts"
import type { Grade, Given } from "./grade.ts"
import { deidentified, fileOf, original, put } from "./hand-made.ts"
import type { Written, WrittenFile } from "./hand-made.ts"
import { lines } from "./run.ts"
import { readStandard } from "./standard.ts"

const data = resolve(process.env["WEIR_TEST_DATA"] ?? "../shared/data")
const tables = join(data, "standard")
const absent = !existsSync(tables)
if (absent) console.warn(`SKIPPED: the grader, as ${tables} is not there`)
const standard = absent ? undefined! : readStandard(tables)
const dated: readonly ProfileOption[] = ["retain-longitudinal-modified-dates"]
const cleaning: readonly ProfileOption[] = [
  ...dated,
  "clean-pixel-data",
  "clean-recognizable-visual-features",
  "clean-structured-content",
]
const verifies = (await dciodvfyErrors("/dev/null").catch(() => undefined)) !== undefined
if (!verifies) console.warn("SKIPPED: new errors of dciodvfy, as it is not installed")

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "weir-grade-"))
  await mkdir(join(dir, "in"))
  await mkdir(join(dir, "out"))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const graded = (more: Partial<Given> = {}): Promise<Grade> =>
  grade({ input: join(dir, "in"), output: join(dir, "out"), options: dated, standard, conformance: false, ...more })

async function pair(before: WrittenFile, after: WrittenFile, name = "a.dcm"): Promise<void> {
  await writeFile(join(dir, "in", name), fileOf(before))
  await writeFile(join(dir, "out", name), fileOf(after))
}

const counted = ({ findings }: Grade) => findings.filter(({ class: kind }) => kind !== "ambiguous")
const told = (findings: readonly Finding[]) => findings.map(({ class: kind, path, what }) => `${kind} ${path} ${what}`)

/** The file with elements put in place of those with the same tags, or added; without those to be removed. */
const changed = (file: WrittenFile, elements: readonly Written[], without: readonly number[] = []): WrittenFile => ({
  ...file,
  data: [
    ...file.data.filter(({ tag }) => !without.includes(tag) && !elements.some((element) => element.tag === tag)),
    ...elements,
  ],
})
const withMeta = (element: Written): WrittenFile => {
  const file = deidentified()
  return { ...file, meta: [...file.meta.filter(({ tag }) => tag !== element.tag), element] }
}
const with_ = (...elements: Written[]): WrittenFile => changed(deidentified(), elements)
const without = (...tags: number[]): WrittenFile => changed(deidentified(), [], tags)
const trailing = (text: string): WrittenFile => ({ ...deidentified(), trailing: Buffer.from(text) })
const wide = (text: string): Buffer => Buffer.concat([Buffer.from([1, 1]), Buffer.from(text, "utf16le")])

/** What was put back, where, and a finding that has to be among those told. */
const mutations: readonly (readonly [string, WrittenFile, RegExp])[] = [
  ["the name in its own element", with_(put(0x00100010, "PN", "Quillfeather^Osric")), /^identity 00100010 name/],
  ["a component of a name in a kept text", with_(put(0x00080070, "LO", "Acme OSRIC")), /^identity 00080070 name/],
  [
    "a name inside an item",
    with_(put(0x00081032, "SQ", [[put(0x00080100, "SH", "6310"), put(0x00080104, "LO", "for Quillfeather")]])),
    /^identity 00081032\[0\]\.00080104 name/,
  ],
  [
    "a name beyond ASCII, as written",
    with_(put(0x00282000, "OB", Buffer.from("..J\u00f6rgensen..", "latin1"))),
    /^identity 00282000/,
  ],
  [
    "a name beyond ASCII, in UTF-8",
    with_(put(0x00282000, "OB", Buffer.from("..J\u00f6rgensen..."))),
    /^identity 00282000/,
  ],
  ["a name in UTF-16", with_(put(0x00282000, "OB", wide("Quillfeather"))), /^identity 00282000 name/],
  ["the patient's id in a text", with_(put(0x00080070, "LO", "Acme MRN4711822")), /^identity 00080070 id/],
  ["the accession number", with_(put(0x00080050, "SH", "ACC-99812")), /^actions 00080050 Z-unchanged/],
  ["a word of the institution", with_(put(0x00180015, "CS", "BRANNIGAN")), /^identity 00180015 place/],
  ["a private element", with_(put(0x00090010, "LO", "ACME PRIVATE"), put(0x00091010, "LO", "x1")), /^private 00091010/],
  ["a name in file meta", withMeta(put(0x00020016, "AE", "QUILLFEATHER")), /^identity 00020016/],
  ["file meta of the original", withMeta(put(0x00020016, "AE", "SCANNER77")), /^file 00020016 meta-not-renewed/],
  ["the implementation of the original", withMeta(put(0x00020012, "UI", "1.2.826.0.9.1")), /^file 00020012/],
  ["the preamble, by name", { ...deidentified(), preamble: original().preamble }, /^identity preamble name/],
  ["the preamble, by its bytes", { ...deidentified(), preamble: Buffer.alloc(128, 5) }, /^file preamble not-zero/],
  ["bytes at the end, by name", trailing("xxxxxx Quillfeather xx"), /^identity .* name/],
  ["bytes at the end", trailing("\0\0"), /^file end trailing-bytes/],
  ["the instance's UID in a reference", with_(put(0x00200052, "UI", "1.2.826.0.1.11.301")), /^uids 00200052/],
  ["a UID inside a text", with_(put(0x00080070, "LO", "Acme 1.2.826.0.1.11.400")), /^uids 00080070/],
  [
    "a reference that no longer resolves",
    with_(put(0x0020000e, "UI", "2.25.201")),
    /^uid-mapping .* uid-mapped-to-two/,
  ],
  ["two UIDs made one", with_(put(0x00200052, "UI", "2.25.100")), /^uid-mapping .* two-uids-mapped-to-one/],
  ["another instance in file meta", withMeta(put(0x00020003, "UI", "2.25.302")), /^uid-mapping 00020003/],
  ["an original date", with_(put(0x00080020, "DA", "20240115")), /^dates 00080020 original-date/],
  ["a date that is not shifted", with_(put(0x00080020, "DA", "20240115")), /^date-shift 00080020 not-shifted/],
  ["a birth date inside a text", with_(put(0x00080070, "LO", "Acme 03.02.1961")), /^dates 00080070/],
  ["an interval", with_(put(0x00080023, "DA", "20210423")), /^date-shift 00080023 other-shift/],
  ["a date that an option keeps, removed", without(0x00080023), /^actions 00080023 C-absent/],
  ["an attribute that has to stay empty, removed", without(0x00100040), /^actions 00100040 Z-absent/],
  ["one to be removed, emptied", with_(put(0x00181030, "LO", "")), /^actions 00181030 X-empty/],
  ["a UID that has to be replaced, removed", without(0x00200052), /^actions 00200052 U-absent/],
  ["a byte of pixel data", with_(put(0x7fe00010, "OW", Buffer.alloc(64, 8))), /^pixels 7FE00010 changed/],
  ["a standard attribute, changed", with_(put(0x00180015, "CS", "NECK")), /^unchanged 00180015 changed/],
  ["a standard attribute, removed", without(0x00200013), /^unchanged 00200013 absent/],
  ["an attribute that nobody asked for", with_(put(0x00080064, "CS", "WSD")), /^unchanged 00080064 added/],
  ["Patient Identity Removed", without(0x00120062), /^markers 00120062/],
  ["the method's codes", without(0x00120064), /^markers 00120064 missing-113107/],
  ["what happened to dates", with_(put(0x00280303, "CS", "REMOVED")), /^markers 00280303/],
  ["a claim that faces are gone", with_(put(0x00280302, "CS", "NO")), /^markers 00280302/],
]

describe.skipIf(absent)("a file de-identified by hand", () => {
  it.each([false, true])("has no finding (encapsulated: %s)", async (encapsulated) => {
    await pair(original({ encapsulated }), deidentified({ encapsulated }))
    expect((await graded()).findings).toEqual([])
  })

  it.each(mutations)("is found when it has %s wrong", async (_, after, finding) => {
    await pair(original(), after)
    const result = await graded()
    expect(told(counted(result))).toContainEqual(expect.stringMatching(finding))
    const said = `${JSON.stringify(result)} ${lines(result).join("\n")}`
    expect(said).not.toMatch(/quillfeather|osric|rgensen|brannigan|4711822|99812|1\.2\.826|2024011|SCANNER77/i)
  })

  it("is searched in the comment segments of its frames", async () => {
    const given = { encapsulated: true, text: "for OSRIC" }
    await pair(original(given), deidentified(given))
    expect(told(counted(await graded()))).toEqual(["identity 7FE00010 fragment 1 name-token"])
  })

  it("is searched in its name", async () => {
    await pair(original(), deidentified(), "osric-scan.dcm")
    expect(told(counted(await graded()))).toEqual(["identity name name-token"])
  })

  it("shares its UIDs and its shift with the other files of the person", async () => {
    await pair(original(), deidentified(), "a.dcm")
    const other = [
      put(0x0020000d, "UI", "2.25.777"),
      put(0x00080020, "DA", "20210421"),
      put(0x00080023, "DA", "20210423"),
    ]
    await pair(original(), with_(...other), "b.dcm")
    expect(told(counted(await graded()))).toEqual([
      "uid-mapping 0020000D uid-mapped-to-two",
      "date-shift 00080020 other-shift-of-the-person",
      "date-shift 00080023 other-shift-of-the-person",
    ])
  })

  it("pairs through a map, and tells outputs that are missing or of no input", async () => {
    await pair(original(), deidentified())
    await writeFile(join(dir, "out", "stray"), "x")
    const rows = [
      "input,output,status,reason",
      "a.dcm,a.dcm,released,",
      '"b, c.dcm",gone.dcm,released,',
      "d.dcm,,refused,overlay",
    ]
    await writeFile(join(dir, "map.csv"), `${rows.join("\n")}\n`)
    const result = await graded({ map: join(dir, "map.csv") })
    expect(told(result.findings)).toEqual(["files  no-input", "files  of-no-input"])
    expect(result.refused).toEqual(new Map([["overlay", 1]]))
    expect(lines(result).at(-1)).toBe("1 files, 2 findings")
  })

  it("may keep what options keep, and nothing else", async () => {
    const kept = [
      put(0x00100040, "CS", "M"),
      put(0x00120064, "SQ", [
        [put(0x00080100, "SH", "113100")],
        [put(0x00080100, "SH", "113108")],
        [put(0x00080100, "SH", "113107")],
      ]),
    ]
    await pair(original(), with_(...kept))
    const options = [...dated, "retain-patient-characteristics"]
    expect((await graded({ options })).findings).toEqual([])
    expect(told(counted(await graded()))).toEqual(["actions 00100040 Z-unchanged", "markers 00120064 unasked-113108"])
  })

  it("may have text items and private codes of structured content cleaned, and no others", async () => {
    const content = (scheme: string, meaning: string, text: string) =>
      put(0x0040a730, "SQ", [
        [
          put(0x0040a160, "UT", text),
          put(0x0040a168, "SQ", [[put(0x00080102, "SH", scheme), put(0x00080104, "LO", meaning)]]),
        ],
      ])
    const options = [...dated, "clean-structured-content"]
    const method = put(0x00120064, "SQ", [
      [put(0x00080100, "SH", "113100")],
      [put(0x00080100, "SH", "113104")],
      [put(0x00080100, "SH", "113107")],
    ])
    const of = async (scheme: string) => {
      await pair(
        changed(original(), [content(scheme, "Room of wonders", "seen in the morning")]),
        with_(content(scheme, "Room of", "seen"), method),
      )
      return told(counted(await graded({ options })))
    }
    expect(await of("99SITE")).toEqual([])
    expect(await of("SCT")).toEqual(["unchanged 0040A730[0].0040A168[0].00080104 changed"])
    const procedure = (meaning: string) =>
      put(0x00081032, "SQ", [[put(0x00080102, "SH", "99SITE"), put(0x00080104, "LO", meaning)]])
    await pair(changed(original(), [procedure("Room of wonders")]), with_(procedure("Room of"), method))
    expect(told(counted(await graded({ options })))).toEqual(["unchanged 00081032[0].00080104 changed"])
  })

  it("may describe pixels anew where they were cleaned, by what the transfer syntax allows", async () => {
    const method = put(0x00120064, "SQ", [
      [put(0x00080100, "SH", "113100")],
      [put(0x00080100, "SH", "113101")],
      [put(0x00080100, "SH", "113107")],
    ])
    const before = changed(original(), [
      put(0x00280004, "CS", "YBR_FULL_422"),
      put(0x00082111, "ST", "for the archive"),
    ])
    const of = async (interpretation: string, described: string, pixels: number) => {
      const now = [put(0x00280004, "CS", interpretation), put(0x00082111, "ST", described)]
      await pair(before, with_(...now, method, put(0x7fe00010, "OW", Buffer.alloc(64, pixels))))
      return told(counted(await graded({ options: [...dated, "clean-pixel-data"] })))
    }
    const same = original().data.find(({ tag }) => tag === 0x7fe00010)!.value as Buffer
    expect(await of("RGB", "Text was made black", 8)).toEqual([])
    expect(await of("RGB", "for the archive, and made black", 8)).toEqual(["actions 00082111 X-changed"])
    expect(await of("YBR_ICT", "Text was made black", 8)).toEqual(["unchanged 00280004 changed"])
    expect(await of("RGB", "Text was made black", same[0]!)).toEqual([
      "actions 00082111 X-changed",
      "unchanged 00280004 changed",
    ])
  })

  it.skipIf(!verifies)("may not have new errors of dciodvfy", async () => {
    await pair(original(), without(0x00080060))
    expect(told(counted(await graded({ conformance: true })))).toContainEqual(
      expect.stringMatching(/^conformance .*Modality/),
    )
  })

  it("is told of without values of dciodvfy's", () => {
    const line = "Error - Value invalid for this VR - (0x0008,0x0050) SH Accession Number  SH [1] = <Osric> - Character"
    expect(withoutValues(line)).not.toMatch(/Osric/)
    expect(withoutValues('Error - Illegal root for UID - "1.2.3" in (0x0008,0x0018)')).not.toMatch(/1\.2\.3/)
    expect(withoutValues("Error - Missing attribute Element=<Modality> Module=<X>")).toMatch(/Modality/)
  })
})

const real = join(data, "dicom")
describe.skipIf(!existsSync(real))("the real files of ../shared/data/dicom", () => {
  const run = async (options: readonly ProfileOption[] = dated, faces: "allow" | "refuse" = "allow") => {
    const [keyFile, map, output] = [join(dir, "key"), join(dir, "map.csv"), join(dir, "out")]
    await writeFile(keyFile, Buffer.alloc(32, "grade"))
    await deidentifyFolder({ input: real, output, keyFile, map, options, faces })
    return { input: real, output, map, options }
  }
  /** The second reads every picture with the OCR engine, which takes about a minute. */
  const sets: readonly (readonly [
    name: string,
    options: readonly ProfileOption[],
    faces: "allow" | "refuse",
    least: number,
  ])[] = [
    ["modified dates", dated, "allow", 20],
    ["pixels, faces and content cleaned", cleaning, "refuse", 50],
  ]

  it.each(sets)(
    "come out of weir deid without a finding: %s",
    async (_, options, faces, least) => {
      const result = await graded({ ...(await run(options, faces)), conformance: true })
      expect(result.files).toBeGreaterThan(least)
      const all = counted(result).map(({ class: kind, input, path, what }) => `${kind} ${input} ${path} ${what}`)
      expect(all.sort()).toEqual([])
      // Ambiguous is a judgement, not a way out.
      expect(result.findings.length - all.length).toBeLessThan(result.files)
    },
    600_000,
  )

  it("are found when anything stands behind the data set", async () => {
    const given = await run()
    const names = (await readdir(given.output, { recursive: true })).filter((name) => name.endsWith(".dcm"))
    for (const name of names) {
      const bytes = await readFile(join(given.output, name))
      await writeFile(join(given.output, name), Buffer.concat([bytes, Buffer.from("JOHN^DOE")]))
    }
    const found = (await graded(given)).findings.filter(({ class: kind }) => kind === "file")
    expect(new Set(found.map(({ output }) => output)).size).toBe(names.length)
  }, 120_000)
})

describe("the grader", () => {
  it("shares neither code nor tables with what it grades", () => {
    const own = importsOfTree().filter(({ file }) => /^test\/grade\/(?!grade\.test)/.test(file))
    expect(own.length).toBeGreaterThan(20)
    expect(own.filter(({ target }) => !target.startsWith("test/grade/") && !target.startsWith("node:"))).toEqual([])
  })
})
