import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir, userInfo } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { withBucket, withStore } from "../../cli/ports.ts"
import type { PrivacyReport } from "../../cli/report/model.ts"
import { parseWhole, textsOf } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"
import { Attributes } from "../../formats/pixels/description.ts"
import { fileOf, framesOf, syntaxes } from "../contract/pixels.ts"
import { app, below, compiled, weir } from "./weir.ts"

const pipeline = `
name: clinic
log: { driver: embedded, dir: data/log }
store: { driver: embedded, dir: data/store }
objects: { driver: folder, dir: data/objects }
secrets: { project-key: { file: keys/project }, identity-key: { file: keys/identity } }
identity: [{ namespace: mrn, dicom-issuer: [""] }]
topics: { curated.studies: { zone: limited }, curated.instances: { zone: limited } }
sources: { inbox: { use: dicom-folder, with: { path: incoming, time-zone: UTC }, to: dicom.arrivals } }
stages:
  identify: { from: { dicom: dicom.arrivals }, through: [{ use: resolve-patient }], to: people.facts }
  assemble:
    from: people.facts
    through: [{ use: assemble-study, with: { quiet: 1s, time-zone: UTC } }]
    to: { studies: imaging.studies, instances: imaging.instances }
  images:
    from: { studies: imaging.studies, instances: imaging.instances }
    through: [{ use: deidentify-dicom, with: { key: project-key, time-zone: UTC } }]
    to: { studies: curated.studies, instances: curated.instances }
`

const [rows, columns] = [40, 60]
/** Two frames whose every pixel says which instance it is of. */
const picture = (value: number, sop: string, more: readonly DataElement[] = [], syntax: string = syntaxes.RLE) =>
  fileOf({
    transferSyntax: syntax,
    rows,
    columns,
    samples: 1,
    bits: 8,
    photometric: "MONOCHROME2",
    frames: [0, 1].map((frame) =>
      Uint16Array.from({ length: rows * columns }, (_, at) => (at === 0 ? 0 : value + frame)),
    ),
    more: [{ tag: "00080018", vr: "UI", value: sop }, { tag: "00280301", vr: "CS", value: "YES" }, ...more],
  })
const values = { accepted: 100, redacted: 120, rejected: 140, waiting: 160 } as const
type Name = keyof typeof values

interface Listed {
  readonly key: string
  readonly stage: string
  readonly reason: string
  readonly state: string
  readonly by?: string
  readonly why?: string
  readonly verdict?: string
}

describe("instances that are held for what their pictures may show", { timeout: 240_000 }, () => {
  let folder: string
  let file: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "weir-review-"))
    file = join(folder, "pipeline.yaml")
    await mkdir(join(folder, "keys"))
    await mkdir(join(folder, "incoming"))
    await writeFile(file, pipeline)
    for (const name of ["project", "identity"]) await writeFile(join(folder, "keys", name), name[0]!.repeat(32))
    for (const [at, [name, value]] of Object.entries(values).entries())
      await writeFile(join(folder, "incoming", `${name}.dcm`), await picture(value, `1.2.3.4.5.${at}`))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const run = async () => {
    const { code, err } = await weir("run", file, "--until-idle")
    expect(code, err).toBe(0)
  }
  const list = async () => {
    const { code, out, err } = await weir("review", "list", file, "--json")
    expect(code, err).toBe(0)
    return JSON.parse(out) as Listed[]
  }
  const act = async (verb: string, key: string, ...more: string[]) => {
    const ended = await weir("review", verb, file, key, "--reason", `a ${verb}`, "--json", ...more)
    return { ...ended, told: ended.code === 0 ? (JSON.parse(ended.out) as Record<string, unknown>) : {} }
  }
  /** Objects below `phi` by the instance that their pixels are of. */
  async function released(): Promise<ReadonlyMap<Name, Uint8Array>> {
    const found = new Map<Name, Uint8Array>()
    await withBucket(await compiled(file), "limited", app, async (bucket) => {
      for await (const { key } of bucket.list("")) {
        const bytes = await bucket.bytes(key)
        const [frame] = await framesOf(bytes)
        const name = Object.entries(values).find(([, value]) => frame!.cells.includes(value))?.[0]
        found.set(name as Name, bytes)
      }
    })
    return found
  }
  const element = (bytes: Uint8Array, tag: number) => {
    const { source, dataSet } = parseWhole(bytes)
    return new Attributes(source, dataSet).text(tag)
  }
  /** Everything below `phi`, to compare what is there before and after. */
  const standing = async () =>
    (await below(file)).flatMap(({ kind, place, texts: [text, content] }) =>
      kind === "object" ? [[place, content]] : text!.startsWith("{") ? [[place, text]] : [],
    )
  /** Instances that stand below. */
  const instancesBelow = async () =>
    (
      await withStore(await compiled(file), app, (store) =>
        store.query(
          "SELECT count(*) FROM weir.state WHERE value LIKE '%\"op\":\"upsert\"%' AND sort LIKE 'i/%'",
          "phi",
        ),
      )
    ).rows[0]![0]
  const keys = {} as Record<Name, string>

  it("wait in the queue, which says why and nothing of what they hold", async () => {
    await run()
    const held = await list()
    expect(held.map(({ stage, reason, state }) => [stage, reason, state])).toEqual(
      Array.from({ length: 4 }, () => ["images", "burned-in-text-risk", "pending"]),
    )
    expect([...(await released()).keys()]).toEqual([])
    for (const { key } of held) {
      const { code, out } = await weir("review", "show", file, key, "--png", join(folder, "look"), "--json")
      expect(code).toBe(0)
      expect(out).not.toMatch(/FALKENBERG|MRN20417|1\.2\.3\.4/)
      const shown = JSON.parse(out) as Record<string, unknown>
      expect(shown).toMatchObject({
        rows,
        columns,
        frames: 2,
        state: "pending",
        sopClassUid: "1.2.840.10008.5.1.4.1.1.6.1",
      })
      // Which instance it is, only who may see phi is told.
      const phi = JSON.parse((await weir("review", "show", file, key, "--phi", "--json")).out) as {
        sopInstanceUid: string
      }
      keys[Object.keys(values)[Number(phi.sopInstanceUid.at(-1))] as Name] = key
    }
    expect((await readdir(join(folder, "look"))).sort()).toEqual(
      held.flatMap(({ key }) => [`${key}-frame-1.png`, `${key}-frame-2.png`]).sort(),
    )
    const png = await readFile(join(folder, "look", `${keys.accepted}-frame-1.png`))
    expect([png.subarray(1, 4).toString(), png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual(["PNG", columns, rows])
    expect((await stat(join(folder, "look", `${keys.accepted}-frame-1.png`))).mode & 0o077).toBe(0)
    const audit = await withStore(await compiled(file), app, async ({ url }) => {
      const { Client } = await import("pg")
      const client = new Client({ connectionString: url })
      await client.connect()
      const { rows: told } = await client.query<{ detail: string }>(
        "SELECT detail FROM weir.audit WHERE action = 'review show' ORDER BY number",
      )
      await client.end()
      return told.map(({ detail }) => detail)
    })
    expect(audit).toHaveLength(8)
    expect(audit[0]).toBe(`clinic: ${held[0]!.key}, pictures`)
  })

  it("refuse a decision without a reason, of another key, or of places that are not in the pictures", async () => {
    const failed = async (...argv: string[]) => {
      const { code, err } = await weir("review", ...argv)
      expect(code).not.toBe(0)
      return err
    }
    expect(await failed("accept", file, keys.accepted)).toContain("needs --reason")
    expect(await failed("accept", file, "0000000000000000", "--reason", "r")).toContain("no review with this key")
    const redact = (...boxes: string[]) =>
      failed("redact", file, keys.redacted, "--reason", "r", ...boxes.flatMap((box) => ["--box", box]))
    expect(await redact()).toContain("name what to make black")
    expect(await redact("1,0,0,61,5")).toContain("box 1 is not inside")
    expect(await redact("*,0,0,5,5", "3,0,0,5,5")).toContain("box 2 is not inside")
    expect(await redact("0,1,1,5,5", "one")).toMatch(/not "0,1,1,5,5"[\s\S]*not "one"/)
    expect((await list()).map(({ state }) => state)).toEqual(Array.from({ length: 4 }, () => "pending"))
  })

  it("pass as they are when accepted, without the redacted places when redacted, and never when rejected", async () => {
    const pending = { before: false, outcome: "pending" }
    expect((await act("accept", keys.accepted)).told).toMatchObject({ state: "accepted", ...pending })
    const boxes = ["--box", "1,2,3,10,5", "--box", "*,30,20,8,4"]
    expect((await act("redact", keys.redacted, ...boxes)).told).toMatchObject({ state: "redacted", ...pending })
    expect((await act("reject", keys.rejected)).told).toMatchObject({ state: "rejected", ...pending })
    await run()
    const now = await released()
    expect([...now.keys()].sort()).toEqual(["accepted", "redacted"])
    const letters = JSON.parse((await weir("dead-letters", "list", file, "--json")).out) as Record<string, string>[]
    const last = letters.filter(({ state }) => state === "open").map(({ code }) => code)
    expect(last.sort()).toEqual(["refused.burned-in-text-risk", "refused.review-rejected"])
    expect(letters.filter(({ state }) => state === "fixed")).toHaveLength(2)
    const accepted = await framesOf(now.get("accepted")!)
    expect(accepted.map(({ cells }) => new Set(cells.subarray(1)))).toEqual([new Set([100]), new Set([101])])
    const isIn = (at: number, x: number, y: number, width: number, height: number) => {
      const [column, row] = [at % columns, Math.floor(at / columns)]
      return column >= x && column < x + width && row >= y && row < y + height
    }
    for (const [frame, { cells }] of (await framesOf(now.get("redacted")!)).entries())
      for (let at = 1; at < cells.length; at++) {
        const black = isIn(at, 30, 20, 8, 4) || (frame === 0 && isIn(at, 2, 3, 10, 5))
        if (cells[at] !== (black ? 0 : values.redacted + frame)) expect.fail(`frame ${frame}, pixel ${at}`)
      }
  })

  it("say of themselves what was done, and nothing of who they were", async () => {
    for (const [name, bytes] of await released()) {
      expect(element(bytes, 0x00280301)).toBe("NO")
      expect(element(bytes, 0x00120063)).toContain("clean-pixel-data\\reviewed by a person")
      expect([...textsOf(bytes)].join("\n")).toContain("113101")
      expect(element(bytes, 0x00080016)).toBe("1.2.840.10008.5.1.4.1.1.6.1")
      expect(element(bytes, 0x00082111)).toBe(name === "redacted" ? "Burned-in text was made black" : "")
      expect(parseWhole(bytes).transferSyntax).toBe(syntaxes.RLE)
      expect(Buffer.from(bytes).toString("latin1")).not.toMatch(/FALKENBERG|MRN20417|ACC4711/)
    }
  })

  it("tell who decided, when and why, and count in the status", async () => {
    const states = new Map((await list()).map(({ key, state, why }) => [key, [state, why]]))
    expect(states).toEqual(
      new Map([
        [keys.accepted, ["accepted", "a accept"]],
        [keys.redacted, ["redacted", "a redact"]],
        [keys.rejected, ["rejected", "a reject"]],
        [keys.waiting, ["pending", undefined]],
      ]),
    )
    const status = JSON.parse((await weir("status", file, "--json")).out) as { reviews: object[] }
    expect(status.reviews).toMatchObject(
      ["accepted", "pending", "redacted", "rejected"].map((state) => ({ stage: "images", state, count: 1 })),
    )
    expect((await weir("status", file)).out).toMatch(/reviews\n +images +accepted +1/)
  })

  it("are in the report: what waits, and who decided what and when; not why", async () => {
    const { code, out, err } = await weir("report", file)
    expect(code, err).toBe(0)
    const { stages } = JSON.parse(out) as PrivacyReport
    const { reviews } = stages.find(({ stage }) => stage === "images")!
    expect(reviews!.states).toEqual({ accepted: 1, pending: 1, redacted: 1, rejected: 1 })
    expect(Date.parse(reviews!.oldest!)).toBeLessThan(Date.now())
    expect(reviews!.decisions.map(({ review, reason, decision, by }) => [review, reason, decision, by])).toEqual(
      (["accepted", "redacted", "rejected"] as const).map((decision) => [
        keys[decision],
        "burned-in-text-risk",
        decision,
        userInfo().username,
      ]),
    )
    expect(out).not.toMatch(/a accept|1\.2\.3\.4/)
    const page = join(folder, "report.html")
    expect(await weir("report", file, "--out", page)).toMatchObject({ code: 0 })
    expect(await readFile(page, "utf8")).toContain(
      `<td>${keys.redacted}</td><td>burned-in-text-risk</td><td>redacted</td>`,
    )
  })

  it("do not change by the same decision again, another one, or another run", async () => {
    const before = await standing()
    expect((await act("accept", keys.accepted)).told).toMatchObject({ before: true, outcome: "fixed" })
    expect((await act("reject", keys.rejected)).told).toMatchObject({ before: true, outcome: "failed-again" })
    const other = await act("accept", keys.rejected)
    expect(other.code).not.toBe(0)
    expect(other.err).toContain("nothing is changed: this review is rejected")
    expect((await act("reject", keys.accepted)).code).not.toBe(0)
    await weir("dead-letters", "replay", file)
    await run()
    expect(await standing()).toEqual(before)
    expect((await list()).filter(({ state }) => state === "pending")).toHaveLength(1)
  })

  it("are taken back below when the decision is, and wait again; a new decision counts", async () => {
    const undone = await act("undo", keys.accepted)
    expect(undone.told).toMatchObject({ state: "pending", before: false, outcome: "pending" })
    // While its stage does not run, nothing is lost by saying so twice.
    expect((await act("undo", keys.accepted)).told).toMatchObject({ before: true, outcome: "pending" })
    await run()
    expect([...(await released()).keys()]).toEqual(expect.arrayContaining(["redacted"]))
    expect(Number(await instancesBelow())).toBe(1)
    expect((await list()).find(({ key }) => key === keys.accepted)).toMatchObject({
      state: "pending",
      verdict: "undone",
      why: "a undo",
    })
    const open = JSON.parse((await weir("dead-letters", "list", file, "--json")).out) as Record<string, string>[]
    expect(open.filter(({ state }) => state === "open").map(({ code }) => code)).toHaveLength(3)
    expect((await act("undo", keys.waiting)).err).toContain("nothing is changed: this review is pending")
    expect((await act("accept", keys.accepted)).told).toMatchObject({ state: "accepted", before: false })
    await run()
    expect(Number(await instancesBelow())).toBe(2)
    expect([...(await released()).keys()].sort()).toEqual(["accepted", "redacted"])
  })

  it("are held for what they were once a rejection is taken back", async () => {
    expect((await act("undo", keys.rejected)).told).toMatchObject({ state: "pending" })
    await run()
    const letters = JSON.parse((await weir("dead-letters", "list", file, "--json")).out) as Record<string, string>[]
    const open = letters.filter(({ state }) => state === "open").map(({ code }) => code)
    expect(open).toEqual(["refused.burned-in-text-risk", "refused.burned-in-text-risk"])
    await act("reject", keys.rejected)
    await run()
  })

  it("wait again when their bytes are others", async () => {
    const more: readonly DataElement[] = [{ tag: "00200013", vr: "IS", value: "9" }]
    await writeFile(join(folder, "incoming", "again.dcm"), await picture(values.accepted, "1.2.3.4.5.0", more))
    await run()
    const states = (await list()).map(({ state }) => state).sort()
    expect(states).toEqual(["accepted", "pending", "pending", "redacted", "rejected"])
    expect([...(await released()).keys()].sort()).toContain("redacted")
  })

  it("of a series are decided on together, once their number is confirmed", async () => {
    const shown = JSON.parse((await weir("review", "show", file, keys.waiting, "--phi", "--json")).out) as {
      seriesInstanceUid: string
      studyInstanceUid: string
    }
    const { seriesInstanceUid: series, studyInstanceUid: study } = shown
    const waiting = async () => (await list()).filter(({ state }) => state === "pending").length
    const number = await waiting()
    expect(number).toBe(2)
    const reject = (...more: readonly string[]) => weir("review", "reject", file, "--reason", "none of them", ...more)
    for (const more of [[], ["--count", "3"]]) {
      const asked = await reject("--series", series, ...more)
      expect(asked.code).toBe(1)
      expect(asked.out).toMatch(/2 found: burned-in-text-risk 2\nnothing is changed: repeat it with --count 2 or --yes/)
    }
    expect(await waiting()).toBe(2)
    expect((await reject("--series", "1.2.3.4.999", "--yes")).err).toContain("nothing of it is pending")
    expect((await reject(keys.waiting, "--series", series)).err).toContain("KEY and --series exclude each other")
    expect((await reject("--yes")).err).toContain("missing KEY, or --series UID or --study UID")
    expect(await reject("--study", study, "--count", "2")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^2 rejected: /),
    })
    await run()
    expect(await waiting()).toBe(0)
    const undo = await weir("review", "undo", file, "--series", series, "--yes", "--reason", "all anew", "--json")
    expect(JSON.parse(undo.out)).toMatchObject({ done: 5 })
    await run()
    // One of them was of bytes that others took the place of.
    expect((await list()).map(({ state }) => state).sort()).toEqual([
      "gone",
      ...Array.from({ length: 4 }, () => "pending"),
    ])
    expect(Number(await instancesBelow())).toBe(0)
  })
})
