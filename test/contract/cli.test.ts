import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { jsonLogger, lineLogger } from "../../cli/logger.ts"
import { reportError } from "../../cli/report-error.ts"
import { fatal, identityKeyFrom, personKey, pseudonymizer } from "../../core/index.ts"
import { builtIns, main } from "../../main.ts"
import { projectKey, slice } from "./dicom-border.ts"
import { Drawing } from "./drawn-text.ts"
import { fileOf, syntaxes } from "./pixels.ts"
import { dicomText, filesOf } from "./synth-hospital.ts"

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-cli-"))
})
afterEach(() => rm(folder, { recursive: true }))

async function weir(...argv: string[]) {
  let [out, err] = ["", ""]
  const code = await main(argv, {
    stdout: { write: (text) => void (out += text) },
    stderr: { write: (text) => void (err += text) },
    environment: {},
    signal: new AbortController().signal,
    now: () => 0,
  })
  return { code, out, err }
}

async function file(text: string): Promise<string> {
  const path = join(folder, "pipeline.yaml")
  await writeFile(path, text)
  return path
}

const right = `name: right
sources:
  inbox: { use: dicom-folder, with: { path: in }, to: dicom.arrivals }
sinks:
  files: { use: object-store, from: dicom.arrivals }
`

describe("the command line", () => {
  it("prints help and the version, and ends 0", async () => {
    for (const argv of [["--help"], ["help"], ["-h"]]) {
      const { code, out } = await weir(...argv)
      expect(code).toBe(0)
      for (const command of ["run FILE", "check FILE", "topic read FILE TOPIC", "dead-letters list", "demo [DIR]"])
        expect(out).toContain(command)
    }
    expect(await weir("--version")).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })

  it("tells of one command by help or --help, and of a group", async () => {
    const { code, out } = await weir("help", "run")
    expect(code).toBe(0)
    expect(out).toContain(
      "usage: weir run FILE [--until-idle] [--as-of DATE] [--listen PORT] [--log FORM] [--drain SECONDS] [--json]",
    )
    expect((await weir("run", "--help")).out).toBe(out)
    const group = (await weir("help", "topic")).out
    expect(group).toContain("weir topic ls")
    expect(group).toContain("weir topic read")
  })

  it.each([
    [[], "usage: weir"],
    [["chekc"], 'unknown command "chekc"; did you mean check?'],
    [["topic", "raed"], 'unknown command "topic raed"; did you mean "topic read"?'],
    [["topic"], "topic needs one of: ls, read"],
    [["help", "rnu"], "did you mean run?"],
    [["run", "f", "--until-ilde"], "unknown option --until-ilde; did you mean --until-idle?"],
    [["run"], "missing FILE"],
    [["check", "a", "b"], 'unexpected argument "b"'],
    [["run", "f", "--json=yes"], "--json takes no value"],
    [["run", "f", "--as-of"], "--as-of needs a value: DATE"],
    [["run", "f", "--as-of", "yesterday"], "--as-of expects a date"],
    [["run", "f", "--log", "xml"], "--log expects text or json"],
    [["run", "f", "--drain", "0"], "--drain expects a whole number of at least 1"],
    [["synth", "--out", "x", "--patients", "some"], "--patients expects a whole number"],
    [["synth"], "missing --out"],
    [["deid", "a", "b"], "missing --key-file"],
    [["describe", "phenotpye"], 'unknown plugin "phenotpye"; did you mean "phenotype"?'],
  ])("ends 64 for %j, and says what is meant", async (argv, message) => {
    const { code, out, err } = await weir(...argv)
    expect(code).toBe(64)
    expect(err).toContain(message)
    expect(out).toBe("")
  })

  it("names every fault of a command line at once", async () => {
    const { err } = await weir("run", "--jsno", "--as-off", "x")
    expect(err).toContain("did you mean --json?")
    expect(err).toContain("did you mean --as-of?")
  })
})

describe("deid", () => {
  it("takes the person from the namespace that it is told, as the pipeline's identity: list names it", async () => {
    await mkdir(join(folder, "in"))
    await writeFile(join(folder, "in", "a.dcm"), slice("1.2.3.4.5.61"))
    await writeFile(join(folder, "key"), projectKey)
    const personOf = async (out: string, ...more: string[]) => {
      const said = await weir("deid", join(folder, "in"), join(folder, out), "--key-file", join(folder, "key"), ...more)
      expect(said).toMatchObject({ code: 0, out: expect.stringContaining("1 released") })
      const [name] = await filesOf(join(folder, out))
      return dicomText(await readFile(join(folder, out, name!)))
    }
    const inNamespace = (name: string) =>
      pseudonymizer(projectKey).person(personKey(identityKeyFrom(projectKey), name, "MRN-471147"))
    expect(await personOf("one")).toContain(inNamespace("mrn"))
    expect(await personOf("other", "--namespace", "hospital-a")).toContain(inNamespace("hospital-a"))
  })
})

describe("deid of a screen capture", () => {
  it("reads the picture where the text reader is installed, and holds it where that is asked for", async () => {
    await mkdir(join(folder, "in"))
    const capture = await fileOf({
      transferSyntax: syntaxes["explicit little endian"],
      rows: 160,
      columns: 320,
      samples: 1,
      bits: 8,
      photometric: "MONOCHROME2",
      frames: [new Drawing(320, 160, 20, 150).text("FALKENBERG JANE", 20, 12, 255).cells],
      more: [
        { tag: "00080064", vr: "CS", value: "WSD" },
        { tag: "00180015", vr: "CS", value: "CHEST" },
      ],
    })
    await writeFile(join(folder, "in", "a.dcm"), capture)
    await writeFile(join(folder, "key"), projectKey)
    const deid = (out: string, ...more: string[]) =>
      weir("deid", join(folder, "in"), join(folder, out), "--key-file", join(folder, "key"), ...more)
    expect((await deid("read")).out).toContain("1 released")
    expect((await deid("held", "--hold", "pixels")).out).toContain("burned-in-text-risk 1")
    expect(await deid("no", "--hold", "faces")).toMatchObject({
      code: 64,
      err: expect.stringContaining("--hold takes"),
    })
  })
})

describe("check", () => {
  it("ends 0 for a pipeline that is right, without making anything", async () => {
    const path = await file(right)
    expect(await weir("check", path)).toMatchObject({ code: 0, out: expect.stringContaining("right is right") })
  })

  it("lists every fault with file, line and column, and ends 78", async () => {
    const path = await file(right.replace("dicom-folder", "dicom-foldr").replace("from: dicom.arrivals", "form: dicom"))
    const { code, err } = await weir("check", path)
    expect(code).toBe(78)
    expect(err).toContain(`${path}:3:17: sources.inbox.use: unknown plugin "dicom-foldr"; did you mean "dicom-folder"?`)
    expect(err).toContain(`${path}:5:31: sinks.files.form: unknown key "form"; did you mean "from"?`)
    expect(err).toMatch(/^\d+ faults$/m)
  })

  it("ends 78 for a file that is not there", async () => {
    const path = join(folder, "none.yaml")
    expect(await weir("check", path)).toMatchObject({ code: 78, err: `${path}:1:1: no such file\n1 fault\n` })
  })

  it("asks for what a driver cannot do without", async () => {
    const path = await file(`${right}log: { driver: kafka }\nstore: { driver: postgres }\n`)
    const { code, err } = await weir("check", path)
    expect(code).toBe(78)
    expect(err).toContain(`${path}:6:6: log: driver kafka needs brokers`)
    expect(err).toContain(`${path}:7:8: store: driver postgres needs url`)
  })

  it("passes the demo's pipeline, but not without its privacy transforms", async () => {
    expect((await weir("check", "examples/demo.yaml")).code).toBe(0)
    const { readFile } = await import("node:fs/promises")
    const text = await readFile("examples/demo.yaml", "utf8")
    const path = await file(text.replace(/\[\{ use: deidentify-record.*\]/, "[{ use: select }]"))
    expect(await weir("check", path)).toMatchObject({ code: 78 })
  })
})

describe("packages under plugins:", () => {
  const plugin = `const port = { key: "any", zone: "any", type: "any" }
export default [{ kind: "transform", name: "shout", summary: "Shouts", options: OPTIONS, inputs: {}, outputs: {}, create: async () => ({}) }]
`
  async function installed(text: string): Promise<void> {
    const home = join(folder, "node_modules", "weir-plugin-shout")
    await mkdir(home, { recursive: true })
    const manifest = { name: "weir-plugin-shout", version: "1.2.3", type: "module", exports: { import: "./plugin.js" } }
    await writeFile(join(home, "package.json"), JSON.stringify(manifest))
    await writeFile(join(home, "plugin.js"), text.replace("OPTIONS", "{}"))
  }

  it("are found from the pipeline's folder, and listed with their version", async () => {
    await installed(plugin)
    const path = await file(`plugins: [weir-plugin-shout]\n${right}`)
    expect((await weir("check", path)).code).toBe(0)
    expect((await weir("list", path)).out).toMatch(/shout +transform +Shouts \(weir-plugin-shout@1\.2\.3\)/)
  })

  it("are faults where they are missing, export no plugins, or take a name that is there", async () => {
    const path = await file(`plugins: [weir-plugin-none, weir-plugin-shout]\n${right}`)
    await installed("export const nothing = 1\n")
    const { code, err } = await weir("check", path)
    expect(code).toBe(78)
    expect(err).toContain(`${path}:1:11: plugins[0]: package weir-plugin-none is not installed`)
    expect(err).toContain(`${path}:1:29: plugins[1]: package weir-plugin-shout@1.2.3 does not default-export a list`)
  })

  it("may not take the name of a built-in plugin", async () => {
    await installed(plugin.replace('"shout"', '"select"'))
    const { code, err } = await weir("check", await file(`plugins: [weir-plugin-shout]\n${right}`))
    expect(code).toBe(78)
    expect(err).toContain("plugin select is also in weir itself")
  })
})

describe("list, describe and schema", () => {
  it("lists every built-in plugin with its kind and summary", async () => {
    const { out } = await weir("list")
    for (const { name, summary } of builtIns) expect(out).toMatch(new RegExp(`^${name} .*${summary.slice(0, 20)}`, "m"))
    expect(JSON.parse((await weir("list", "--json")).out)).toHaveLength(builtIns.length)
  })

  it("describes options, inputs and outputs of each", async () => {
    for (const { name } of builtIns) expect((await weir("describe", name)).code).toBe(0)
    const { out } = await weir("describe", "deidentify-fhir")
    expect(out).toMatch(/key +string +required +name of the secret/)
    expect(out).toMatch(/in +person-event +key: person +zone: phi/)
  })

  it("prints a JSON Schema that knows each plugin's options by its use", async () => {
    const schema = JSON.parse((await weir("schema")).out)
    expect(schema.$schema).toBe("https://json-schema.org/draft/2020-12/schema")
    const source = schema.properties.sources.additionalProperties
    expect(source.properties.use.enum).toEqual(["dicom-folder", "fhir-ndjson", "hl7v2-mllp"])
    const folder = source.allOf.find((one: { if: unknown }) => JSON.stringify(one.if).includes("dicom-folder"))
    expect(folder.then.properties.with.required).toEqual(["path"])
  })

  it("has in the JSON Schema just the keys that a pipeline file may have", async () => {
    const { properties } = JSON.parse((await weir("schema")).out)
    const item = (of: string) => properties[of].additionalProperties.properties
    const driver = (of: string, name: string) =>
      properties[of].oneOf.find(
        (each: { properties: { driver: { const: string } } }) => each.properties.driver.const === name,
      ).properties
    const places: readonly (readonly [text: string, keys: object])[] = [
      ["zzzzzzzz: 1", properties],
      ["log: { driver: embedded, zzzzzzzz: 1 }", driver("log", "embedded")],
      ["log: { driver: kafka, zzzzzzzz: 1 }", driver("log", "kafka")],
      ["store: { driver: embedded, zzzzzzzz: 1 }", driver("store", "embedded")],
      ["store: { driver: postgres, zzzzzzzz: 1 }", driver("store", "postgres")],
      ["objects: { driver: folder, zzzzzzzz: 1 }", driver("objects", "folder")],
      ["objects: { driver: s3, zzzzzzzz: 1 }", driver("objects", "s3")],
      ["identity: [{ zzzzzzzz: 1 }]", properties.identity.items.properties],
      ["topics: { a: { zzzzzzzz: 1 } }", item("topics")],
      ["sources: { a: { zzzzzzzz: 1 } }", item("sources")],
      ["stages: { a: { zzzzzzzz: 1 } }", item("stages")],
      ["stages: { a: { through: [{ zzzzzzzz: 1 }] } }", item("stages").through.items.properties],
      ["sinks: { a: { zzzzzzzz: 1 } }", item("sinks")],
      ["listen: { zzzzzzzz: 1 }", properties.listen.properties],
      ["listen: { tls: { zzzzzzzz: 1 } }", properties.listen.properties.tls.properties],
      ["canaries: { zzzzzzzz: 1 }", properties.canaries.properties],
      ["self-check: { zzzzzzzz: 1 }", properties["self-check"].properties],
    ]
    for (const [text, keys] of places) {
      const { err } = await weir("check", await file(`${text}\n`))
      const known = /unknown key "zzzzzzzz"; known: (.*)/.exec(err)?.[1]?.split(", ")
      expect(known, `${text}\n${err}`).toEqual(Object.keys(keys).sort())
    }
  })
})

describe("errors and the log", () => {
  function reported(error: unknown, environment = {}) {
    let text = ""
    const code = reportError(error, { stderr: { write: (more) => void (text += more) }, environment })
    return { code, text }
  }

  it("say message, code and hint", () => {
    const { code, text } = reported(
      fatal("zone-mismatch", "topic x was phi", { path: "topics.x", hint: "name a new one" }),
    )
    expect(code).toBe(1)
    expect(text).toBe("weir: topic x was phi\n  code: zone-mismatch\n  path: topics.x\n  hint: name a new one\n")
  })

  it("end 78 for a missing secret, also where it is only the cause", () => {
    const cause = fatal("missing-secret", "secret a is missing")
    expect(reported(cause).code).toBe(78)
    expect(reported(fatal("plugin-failed", "stage b cannot start", { cause })).code).toBe(78)
  })

  it("never quote what somebody else threw, not even with WEIR_DEBUG", () => {
    const thrown = new Error("value Doe^Jane is too long", { cause: new TypeError("1964-07-23") })
    for (const environment of [{}, { WEIR_DEBUG: "1" }]) {
      const { code, text } = reported(thrown, environment)
      expect(code).toBe(1)
      expect(text).not.toMatch(/Doe|1964/)
    }
    expect(reported(thrown).text).not.toMatch(/^\s+at /m)
    expect(reported(thrown, { WEIR_DEBUG: "1" }).text).toMatch(/^\s+at .*cli\.test\.ts/m)
  })

  it("let only known fields through, and cut long texts", () => {
    let text = ""
    const log = lineLogger(
      (line) => void (text += line),
      () => 0,
    )
    log.warn("paused", { stage: "map", partition: 3, patientName: "Doe^Jane", message: "x".repeat(500) })
    expect(text).toMatch(/^1970-01-01T00:00:00\.000Z warn paused stage=map partition=3 message=/)
    expect(text).not.toContain("Doe")
    expect(text).toContain("(1 fields not shown)")
    expect(text.length).toBeLessThan(300)
  })
})

describe("the log as JSON", () => {
  it("is an object a line, of known fields only, texts cut", () => {
    const lines: string[] = []
    const log = jsonLogger(
      (line) => void lines.push(line),
      () => 0,
    )
    log.info("listening", { host: "127.0.0.1", port: 1 })
    log.warn("paused", { stage: "map", partition: 3, patientName: "Doe^Jane", message: `\n"${"x".repeat(500)}` })
    expect(lines.every((line) => line.indexOf("\n") === line.length - 1)).toBe(true)
    const [first, second] = lines.map((line) => JSON.parse(line))
    const time = "1970-01-01T00:00:00.000Z"
    expect(first).toEqual({ time, level: "info", event: "listening", fields: { host: "127.0.0.1", port: 1 } })
    expect(second).toMatchObject({ level: "warn", event: "paused", fields: { stage: "map", partition: 3 }, hidden: 1 })
    expect(Object.keys(second.fields)).toEqual(["stage", "partition", "message"])
    expect(second.fields.message.length).toBeLessThan(210)
    expect(lines.join("")).not.toContain("Doe")
  })
})

describe("needles", () => {
  it("are found in texts and in bytes, as tokens", async () => {
    const { Needles } = await import("../../cli/demo/needles.ts")
    const needles = new Needles([
      { value: "87820001", kind: "identifier" },
      { value: "Jörg", kind: "name" },
      { value: "山田橋", kind: "name" },
      { value: "20240905", kind: "date" },
      { value: "2024-09-05", kind: "date" },
    ])
    const found = (text: string) => [...needles.in(text)].map(({ value }) => value)
    expect(found("MRN 87820001.")).toEqual(["87820001"])
    expect(found("a87820001b")).toEqual(["87820001"])
    for (const uid of ["2.25.187820001", "2.25.878200019"]) expect(found(uid)).toEqual([])
    expect(found("^Jörg^")).toEqual(["Jörg"])
    expect(found(Buffer.from("Dr. Jörg 山田橋").toString("latin1"))).toEqual(["Jörg", "山田橋"])
    expect(found("Jörgen")).toEqual([])
    expect(found("20240905123000.5")).toEqual(["20240905"])
    expect(found("2024-09-05T12:00")).toEqual(["2024-09-05"])
    expect(found("202409051")).toEqual([])
  })
})
