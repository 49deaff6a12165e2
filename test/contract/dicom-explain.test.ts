import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { deidentifyFolder } from "../../cli/deid/index.ts"
import { deidExplain } from "../../cli/commands/deid-explain.ts"
import { parseArguments } from "../../cli/arguments.ts"
import type { App, Io } from "../../cli/app.ts"
import type { Explanation } from "../../formats/dicom/index.ts"
import { explain } from "../../formats/dicom/index.ts"
import { build, slice } from "./dicom-slice.ts"

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "weir-explain-"))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const file = build(
  slice(
    { tag: "00080020", vr: "DA", value: "20240229" },
    { tag: "00081030", vr: "LO", value: "Chest of Doe" },
    { tag: "00081115", vr: "SQ", items: [[{ tag: "0020000E", vr: "UI", value: "1.2.3.4.9" }]] },
    { tag: "00091001", vr: "LO", value: "Jane" },
    { tag: "00180015", vr: "CS", value: "CHEST" },
  ),
)
const options = ["clean-descriptors", "retain-longitudinal-modified-dates"] as const

describe("weir deid explain", () => {
  it("reads no pictures: with clean-pixel-data they count as read, and the elements are told", () => {
    const given = { options: ["clean-pixel-data"], faces: "refuse" } as const
    const told = explain({ header: file, size: file.length }, given) as Explanation
    expect(told).toMatchObject({ codes: ["113100", "113101"], verdict: "released" })
    expect(told.elements.length).toBeGreaterThan(0)
  })

  it("tells of each element the row, the option, the action and why", () => {
    const told = explain({ header: file, size: file.length }, { options, faces: "refuse" }) as Explanation
    const of = (path: string) => told.elements.find((one) => one.path === path)
    expect(told).toMatchObject({ edition: "2024b", codes: ["113100", "113105", "113107"], verdict: "released" })
    expect(of("(0008,0020)")).toEqual({
      path: "(0008,0020)",
      keyword: "StudyDate",
      row: "Z",
      action: "Z",
      options: [{ option: "retain-longitudinal-modified-dates", code: "C" }],
      fate: "replaced",
      why: "option",
    })
    expect(of("(0008,1030)")).toMatchObject({ row: "X", fate: "replaced", why: "option" })
    expect(of("(0008,1115)[0].(0020,000E)")).toMatchObject({ row: "U", options: [], fate: "replaced", why: "basic" })
    expect(of("(0009,1001)")).toMatchObject({ row: "", fate: "removed", why: "private" })
    expect(of("(0010,0010)")).toMatchObject({ why: "identity" })
    expect(of("(0018,0015)")).toMatchObject({ row: "", fate: "kept", why: "off-table" })
    expect(of("(0012,0062)")).toMatchObject({ why: "statement" })
    expect(of("(7FE0,0010)")).toMatchObject({ fate: "kept", why: "pixel-data" })
  })

  const run = async (path: string, ...flags: readonly string[]) => {
    let said = ""
    const io = { stdout: { write: (text: string) => (said += text) } } as unknown as Io
    await deidExplain.run(parseArguments(deidExplain, [path, "--options", options.join(","), ...flags]), {} as App, io)
    return said
  }

  it("says so for people and as JSON, and never a value", async () => {
    const path = join(dir, "a.dcm")
    await writeFile(path, file)
    const text = await run(path)
    expect(text).toMatch(/\(0008,0020\) +StudyDate +Z +C retain-longitudinal-modified-dates +replaced/)
    expect(JSON.parse(await run(path, "--json"))).toMatchObject({
      verdict: "released",
      tool: expect.stringMatching(/^weir /),
    })
    for (const said of [text, await run(path, "--json")])
      expect(said).not.toMatch(/doe|jane|4711|20240229|1\.2\.3\.4\./i)
  })

  it("names the reason of a refusal", async () => {
    const path = join(dir, "burned.dcm")
    await writeFile(path, build(slice({ tag: "00280301", vr: "CS", value: "YES" })))
    expect(await run(path)).toContain("refused: burned-in-text-risk burned-in-annotation")
  })
})

describe("the report of weir deid", () => {
  it("has what was applied, counts and refusals, and nobody's name or file", async () => {
    const input = await mkdtemp(join(dir, "in-"))
    await writeFile(join(input, "DOE-JANE.dcm"), file)
    await writeFile(
      join(input, "x.dcm"),
      build(slice({ tag: "00280301", vr: "CS", value: "YES" }, { tag: "0020000E", vr: "UI", value: "1.2.3.4.8" })),
    )
    const keyFile = join(dir, "key")
    await writeFile(keyFile, Buffer.alloc(32, "key"))
    const reports = [join(dir, "r.html"), join(dir, "r.json")]
    await deidentifyFolder({ input, output: join(dir, "out"), keyFile, options, faces: "refuse", reports })
    const [page, text] = await Promise.all(reports.map((path) => readFile(path, "utf8")))
    expect(JSON.parse(text!)).toMatchObject({
      profile: { standard: "PS3.15 Annex E", edition: "2024b" },
      codes: [{ code: "113100" }, { code: "113105" }, { code: "113107" }],
      options: [...options],
      keyId: expect.stringMatching(/^[0-9a-f]{16}$/),
      files: { released: 1, refused: 1, failed: 0 },
      actions: { datesShifted: 1, textsCleaned: 1, removedPrivate: 1 },
      refusals: { "burned-in-text-risk": 1 },
    })
    for (const word of ["2024b", "113107", "burned-in-text-risk", "removedPrivate"]) expect(page).toContain(word)
    for (const said of [page!, text!]) expect(said).not.toMatch(/doe|jane|4711|x\.dcm/i)
  })
})
