import { appendFileSync } from "node:fs"
import { chmod, copyFile, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { identityKeyFrom, personKey, pseudonymizer } from "../../core/index.ts"
import { deidentifyEach, deidentifyFolder } from "../../cli/deid/index.ts"
import type { FileResult, FilesGiven, Progress } from "../../cli/deid/index.ts"
import type { RunReport } from "../../cli/deid/report.ts"
import { main } from "../../main.ts"
import { memoryState, runStateful } from "../kit/index.ts"
import { TestBorder, assembler, bodyPart, instancesOf, projectKey, slice } from "./dicom-border.ts"
import { dicomText, filesOf } from "./synth-hospital.ts"

const base = pseudonymizer(projectKey)

describe("de-identifying a folder out of stream", () => {
  let dir: string
  let input: string
  let output: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "weir-deid-"))
    ;[input, output] = [join(dir, "in"), join(dir, "out")]
    await mkdir(join(input, "testperson"), { recursive: true })
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  const put = (name: string, bytes: Uint8Array | string) => writeFile(join(input, name), bytes)
  const run = async (more: Partial<FilesGiven> = {}): Promise<FileResult[]> => {
    const results: FileResult[] = []
    for await (const result of deidentifyEach({ input, output, projectKey, ...more })) results.push(result)
    return results
  }
  const fates = (results: readonly FileResult[]) => results.map(({ input: of, status, reason }) => [of, status, reason])

  it("gives each file one fate, in name order, and names outputs by pseudonym and content", async () => {
    await put("testperson/a.dcm", slice("1.2.3.4.5.61"))
    await put("testperson/b.dcm", slice("1.2.3.4.5.62", { tag: "60000100", vr: "US", value: 16 }))
    await put("empty", "")
    await put("notes.txt", "Testperson Alva brought a CD".repeat(20))
    const cut = slice("1.2.3.4.5.63")
    await put("cut.dcm", cut.subarray(0, cut.length - 3))
    await symlink(join(input, "testperson/a.dcm"), join(input, "link.dcm"))
    const results = await run()
    expect(fates(results)).toEqual([
      ["cut.dcm", "refused", "unparsable"],
      ["empty", "refused", "not-dicom"],
      ["notes.txt", "refused", "no-person"],
      ["testperson/a.dcm", "released", ""],
      ["testperson/b.dcm", "refused", "overlay"],
    ])
    const [name, ...others] = await filesOf(output)
    expect(others).toEqual([])
    expect(results[3]!.output).toBe(name)
    expect(name).toMatch(new RegExp(`^${base.uid("1.2.3.4.100.1").replaceAll(".", "\\.")}/[0-9a-f]{64}\\.dcm$`))
    expect(dicomText(await readFile(join(output, name!)))).not.toMatch(/Alva|471147|778899|20240229/)
    expect((await stat(join(output, name!))).mtimeMs).toBe(0)
  })

  it.each(["mrn", "hospital-a"])(
    "makes the bytes that the stream makes where Patient ID in %s is the key member",
    async (namespace) => {
      const files = [slice("1.2.3.4.5.61", bodyPart()), slice("1.2.3.4.5.62"), slice("1.2.3.4.5.63")]
      for (const [at, bytes] of files.entries()) await put(`${at}.dcm`, bytes)
      const options = { "retain-longitudinal-modified-dates": true, "retain-patient-characteristics": true } as const
      await run({ options, namespace })
      const border = await TestBorder.open()
      try {
        const person = personKey(identityKeyFrom(projectKey), namespace, "MRN-471147")
        const arrivals = await Promise.all(files.map((bytes) => border.arrive(bytes, person)))
        const inputs = border.asInputs(await (await assembler())(arrivals))
        const done = await runStateful(await border.create(options), memoryState(), inputs)
        const keys = instancesOf(done).map(({ value }) => value!.object.key)
        expect((await filesOf(output)).map((file) => `dicom/${file}`)).toEqual(keys.sort())
        for (const key of keys)
          expect(
            Buffer.compare(await border.limited.objects.bytes(key), await readFile(join(output, key.slice(6)))),
          ).toBe(0)
      } finally {
        await border.close()
      }
    },
  )

  it("decides a series by all its files, wherever they lie", async () => {
    await put("a.dcm", slice("1.2.3.4.5.61"))
    await put("testperson/z.dcm", slice("1.2.3.4.5.62", bodyPart("HEAD")))
    expect((await run()).map(({ reason }) => reason)).toEqual(["face-risk", "face-risk"])
    const allowed = await run({ options: { faces: "allow" } })
    expect(allowed.map(({ status }) => status)).toEqual(["released", "released"])
    expect(dicomText(await readFile(join(output, allowed[0]!.output)))).toContain("faces allowed")
  })

  it("takes the person of the study where no Patient ID is stated, and other persons for other keys", async () => {
    const nameless = { tag: "00100020", vr: "LO" }
    await put("a.dcm", slice("1.2.3.4.5.61", nameless))
    const [result] = await run({ identityKey: new Uint8Array(32).fill(3) })
    const person = personKey(new Uint8Array(32).fill(3), "study", "1.2.3.4.100.1")
    expect(dicomText(await readFile(join(output, result!.output)))).toContain(base.person(person))
  })

  it("refuses one Patient ID under two issuers until it is told which namespaces they mean", async () => {
    const issuer = (value: string) => ({ tag: "00100021", vr: "LO", value })
    await put("a.dcm", slice("1.2.3.4.5.61", issuer("NORTH")))
    await put("b.dcm", slice("1.2.3.4.5.62", issuer("SOUTH")))
    expect((await run()).map(({ reason }) => reason)).toEqual(["issuer-ambiguous", "issuer-ambiguous"])
    const told = await run({ namespace: (of) => of.toLowerCase() })
    const texts = await Promise.all(told.map(async (one) => dicomText(await readFile(join(output, one.output)))))
    for (const [at, namespace] of ["north", "south"].entries())
      expect(texts[at]).toContain(base.person(personKey(identityKeyFrom(projectKey), namespace, "MRN-471147")))
  })

  it("writes the map for its owner alone, with every field quoted that needs it", async () => {
    await put('odd, "name".dcm', slice("1.2.3.4.5.61"))
    await put("x.txt", "no")
    const map = join(dir, "map.csv")
    await writeFile(map, "old")
    await chmod(map, 0o644)
    const [{ output: name }] = (await run({ map })) as [FileResult]
    expect((await stat(map)).mode & 0o777).toBe(0o600)
    expect(await readFile(map, "utf8")).toBe(
      `input,output,status,reason\n"odd, ""name"".dcm",${name},released,\nx.txt,,refused,no-person\n`,
    )
  })

  it("does nothing in place, and lays no map beside the results", async () => {
    await put("a.dcm", slice("1.2.3.4.5.61"))
    await symlink(input, join(dir, "alias"))
    for (const to of [input, join(input, "out"), dir, join(dir, "alias", "out")])
      await expect(run({ output: to })).rejects.toMatchObject({ code: "in-place" })
    await expect(run({ input: join(input, "a.dcm"), output: input })).rejects.toMatchObject({ code: "in-place" })
    await expect(run({ map: join(output, "map.csv") })).rejects.toMatchObject({ code: "map-in-output" })
    await expect(run({ input: join(dir, "none") })).rejects.toMatchObject({ code: "path-missing" })
    expect(await readdir(dir)).toEqual(["alias", "in"])
    expect(await readdir(input)).toEqual(["a.dcm", "testperson"])
  })

  it("fails a file that is written to between the passes, and no other", async () => {
    await put("a.dcm", slice("1.2.3.4.5.61"))
    await put("b.dcm", slice("1.2.3.4.5.62"))
    const onProgress = ({ phase, done }: Progress) => {
      if (phase === "reading" && done === 2) appendFileSync(join(input, "b.dcm"), new Uint8Array(8))
    }
    expect(fates(await run({ onProgress }))).toEqual([
      ["a.dcm", "released", ""],
      ["b.dcm", "failed", "changed-while-reading"],
    ])
  })

  it("takes its keys from files and counts, for the command", async () => {
    await put("a.dcm", slice("1.2.3.4.5.61"))
    await put("b.txt", "no")
    const keyFile = join(dir, "key")
    await writeFile(keyFile, Buffer.concat([projectKey, Buffer.from("\n")]))
    const given = { input, output, keyFile, options: ["retain-uids"], faces: "refuse" as const }
    expect(await deidentifyFolder(given)).toEqual({
      released: 1,
      refused: new Map([["no-person", 1]]),
      failed: 0,
      leftOut: new Map(),
    })
    const [name] = await filesOf(output)
    expect(name).toContain(base.uid("1.2.3.4.100.1"))
    await expect(deidentifyFolder({ ...given, options: ["retain-all"] })).rejects.toMatchObject({
      code: "unknown-option",
    })
    await expect(deidentifyFolder({ ...given, keyFile: join(dir, "none") })).rejects.toMatchObject({
      code: "missing-secret",
    })
    await copyFile(keyFile, join(dir, "short"))
    await writeFile(join(dir, "short"), "short")
    await expect(deidentifyFolder({ ...given, keyFile: join(dir, "short") })).rejects.toMatchObject({
      code: "key-too-short",
    })
  })
})

describe("de-identifying a folder under safe harbor, by the command", { timeout: 120_000 }, () => {
  let dir: string
  const weir = async (...more: readonly string[]) => {
    const [out, err]: string[][] = [[], []]
    const io = {
      stdout: { write: (text: string) => out!.push(text) },
      stderr: { write: (text: string) => err!.push(text) },
      environment: {},
      signal: new AbortController().signal,
      now: () => 0,
    }
    const code = await main(["deid", join(dir, "in"), ...more, "--key-file", join(dir, "key")], io)
    return { code, said: [...out!, ...err!].join("") }
  }
  const harbor = (output: string, vault = "vault") => [
    join(dir, output),
    "--profile",
    "safe-harbor",
    "--vault",
    join(dir, vault),
    "--vault-key-file",
    join(dir, "vault-key"),
  ]
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "weir-deid-harbor-"))
    await mkdir(join(dir, "in"))
    await writeFile(join(dir, "in", "a.dcm"), slice("1.2.3.4.5.61"))
    await writeFile(join(dir, "key"), projectKey)
    await writeFile(join(dir, "vault-key"), "v".repeat(32))
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  it("makes the same again with the vault beside it, another thing with another, and says in the report what it is", async () => {
    const report = join(dir, "report.json")
    expect(await weir(...harbor("one"), "--report", report)).toMatchObject({ code: 0 })
    expect(JSON.parse(await readFile(report, "utf8"))).toMatchObject({
      statement: expect.stringMatching(/safe harbor .*years only/) as unknown,
      options: ["clean-pixel-data", "clean-structured-content", "retain-longitudinal-modified-dates"],
    })
    expect(await weir(...harbor("two"))).toMatchObject({ code: 0 })
    expect(await weir(...harbor("three", "other"))).toMatchObject({ code: 0 })
    const [one, two, three] = await Promise.all(["one", "two", "three"].map((name) => filesOf(join(dir, name))))
    expect(one).toHaveLength(1)
    expect(two).toEqual(one)
    expect(three!.map((name) => name.split("/")[0])).not.toEqual(one!.map((name) => name.split("/")[0]))
    const text = dicomText(await readFile(join(dir, "one", one![0]!)))
    expect(text).toContain("20240101")
    expect(text).not.toMatch(/Alva|471147|778899|20240229|101500/)
    expect(text).not.toContain(base.person(personKey(identityKeyFrom(projectKey), "mrn", "MRN-471147")))
  })

  it("writes nothing without a vault, with one in the output or the input, or under options that the profile refuses", async () => {
    const output = join(dir, "out")
    const none = await weir(output, "--profile", "safe-harbor")
    expect(none.code).not.toBe(0)
    expect(none.said).toMatch(/needs --vault DIR --vault-key-file FILE/)
    expect((await weir(...harbor("out", "out/vault"))).said).toMatch(/vault is, holds or is inside the output/)
    expect((await weir(...harbor("out", "in/vault"))).said).toMatch(/vault is, holds or is inside the input/)
    expect((await weir(...harbor("out"), "--options", "retain-uids")).said).toMatch(/keeps no UIDs/)
    expect((await weir(...harbor("out"), "--faces", "allow")).said).toMatch(/lets no face pass/)
    expect((await weir(output, "--profile", "harbour")).said).toMatch(
      /--profile takes shifted, safe-harbor, limited-data-set/,
    )
    expect(await readdir(dir)).toEqual(["in", "key", "vault-key"])
  })

  it("counts in the report what it did to messages and reports, and what it replaced in their texts", async () => {
    const message = [
      "MSH|^~\\&|LAB||||20190304||ORU^R01|77|P|2.5",
      "PID|1||MRN-471147^^^^MR||Alva^Jo||19500102|F",
      "OBX|1|TX|4548-4^HbA1c^LN||Seen on 03/01/2019.",
    ]
    await writeFile(join(dir, "in", "m.hl7"), `${message.join("\r")}\r`)
    await writeFile(join(dir, "in", "r.txt"), "Jo Alva came on 03/01/2019.")
    await writeFile(join(dir, "in", "r.person.json"), JSON.stringify({ patientId: "MRN-471147", names: ["Alva^Jo"] }))
    const report = join(dir, "report.json")
    expect(await weir(join(dir, "out"), "--report", report)).toMatchObject({ code: 0 })
    const { files, texts } = JSON.parse(await readFile(report, "utf8")) as RunReport
    expect(files.released).toBe(3)
    expect(texts.actions).toMatchObject({ cleaned: 2, mapped: 3, shifted: 1 })
    expect(texts.findings["date"]).toBe(2)
    expect(texts.findings["name"]).toBeGreaterThan(0)
  })

  it("says who gave the determination that shifted dates need", async () => {
    const report = join(dir, "report.html")
    const given = ["--profile", "shifted", "--determination", "A. Expert, file 7", "--report", report]
    expect(await weir(join(dir, "out"), ...given)).toMatchObject({ code: 0 })
    expect(await readFile(report, "utf8")).toMatch(
      /expert&#39;s|expert's determination is required .*given by A\. Expert, file 7/,
    )
  })
})
