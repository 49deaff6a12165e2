import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { deidentifyEach } from "../../cli/deid/index.ts"
import type { FilesGiven } from "../../cli/deid/index.ts"
import { identityKeyFrom, personKey, pseudonymizer, rowId } from "../../core/index.ts"
import type { CuratedMessage, CuratedResource, CuratedStudy, Draft, PersonEvent, Zone } from "../../core/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"
import { implementationClassUid } from "../../formats/dicom/implementation.ts"
import { deidentifyDicom } from "../../transforms/deidentify/dicom.ts"
import { deidentifyFhir } from "../../transforms/deidentify/fhir.ts"
import { deidentifyHl7v2 } from "../../transforms/deidentify/hl7v2.ts"
import { MemoryVault, memoryState, record, runStateful, runTransform, testContext } from "../kit/index.ts"
import { TestBorder, assembler, instancesOf, projectKey, slice, studiesOf } from "./dicom-border.ts"
import { dicomText, filesOf } from "./synth-hospital.ts"

type Profile = "shifted" | "safe-harbor" | "limited-data-set"
const profiles: readonly Profile[] = ["shifted", "safe-harbor", "limited-data-set"]
const person = personKey(identityKeyFrom(projectKey), "mrn", "MRN-471147")
const base = pseudonymizer(projectKey)

const image = (...more: readonly DataElement[]) => {
  const changed = new Set(more.map(({ tag }) => tag))
  return slice("1.2.3.4.5.61", ...telling.filter(({ tag }) => !changed.has(tag)), ...more)
}
const telling: readonly DataElement[] = [
  { tag: "00080022", vr: "DA", value: "20240101" },
  { tag: "0008002A", vr: "DT", value: "20240229101501.5+0100" },
  { tag: "00081010", vr: "SH", value: "SCANNER7" },
  { tag: "00080080", vr: "LO", value: "Saint Elsewhere" },
  { tag: "00100030", vr: "DA", value: "19500101" },
  { tag: "00101010", vr: "AS", value: "074Y" },
  { tag: "00101040", vr: "LO", value: "12 Elm Rd, Boston, MA 02138" },
  { tag: "00181000", vr: "LO", value: "SN-99887" },
  { tag: "00181042", vr: "TM", value: "101502" },
  { tag: "00189516", vr: "DT", value: "20240229101503" },
  { tag: "00081140", vr: "SQ", items: [[{ tag: "00081155", vr: "UI", value: "1.2.3.4.5.60" }]] },
]

const message = (birth = "19500101") =>
  [
    "MSH|^~\\&|RIS|HOSP|WEIR||20240229120000||ORU^R01^ORU_R01|77|P|2.5.1",
    `PID|1||MRN-471147^^^HOSP^MR||Testperson^Alva||${birth}|F|||12 Elm Rd^^Boston^MA^02138^USA`,
    "OBR|1||ACC-778899|71250^CT chest^C4|||20240229101500",
    "OBX|1|TX|18748-4^Report^LN||Ms. Testperson (MRN-471147, ACC-778899) of Boston, MA 02138 was seen",
    "OBX|2|TX|18748-4^Report^LN||Thursday, 02/29/2024 at 10:15 by Dr. Rodomont Hollowhay. Study 1.2.3.4.100.1. Compared with 02/19/2024.",
    "OBX|3|TM|1^x^L||101500||||||F",
    "",
  ].join("\r")

const report =
  "Ms. Testperson (MRN-471147, ACC-778899), born 01/01/1950, 95 years old, of 12 Elm Rd, Boston, MA 02138.\n" +
  "Seen 2024-02-29T10:15:00 and on 20240229. Call 555-867-5309. Dr. Rodomont Hollowhay."
const beside = JSON.stringify({
  patientId: "MRN-471147",
  names: ["Testperson^Alva"],
  birthDate: "1950-01-01",
  accessions: ["ACC-778899"],
})

const resource = {
  resourceType: "Observation",
  id: "o1",
  status: "final",
  subject: { reference: "Patient/p1" },
  code: { coding: [{ system: "http://loinc.org", code: "2160-0" }] },
  identifier: [{ system: "urn:dicom:uid", value: "urn:oid:1.2.3.4.100.1" }],
  effectiveDateTime: "2024-02-29T10:15:00Z",
}

/** What is made of one patient in all formats, as texts. */
interface Everything {
  readonly image: string
  readonly hl7: string
  readonly text: string
  readonly fhir: string
  readonly study: CuratedStudy
  readonly names: readonly string[]
  /** All of it, and the bytes of the image. */
  readonly all: string
}

describe("one patient under each profile", () => {
  let dir: string
  let border: TestBorder
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "weir-profiles-"))
    border = await TestBorder.open()
    await mkdir(join(dir, "in"))
    await writeFile(join(dir, "in", "a.dcm"), image())
    await writeFile(join(dir, "in", "m.hl7"), message())
    await writeFile(join(dir, "in", "r.txt"), report)
    await writeFile(join(dir, "in", "r.person.json"), beside)
  })
  afterEach(async () => {
    await border.close()
    await rm(dir, { recursive: true, force: true })
  })

  const vaultOf = (profile: Profile) => new MemoryVault(profile === "safe-harbor" ? "random" : "keyed")

  async function folder(more: Partial<FilesGiven>, output = join(dir, "out")) {
    const released: string[] = []
    for await (const { status, reason, input, output: path } of deidentifyEach({
      input: join(dir, "in"),
      output,
      projectKey,
      ...more,
    })) {
      if (!input.endsWith(".json")) expect([input, status, reason]).toEqual([input, "released", ""])
      if (status === "released") released.push(path)
    }
    return released
  }

  async function stream(profile: Profile, vault: MemoryVault, key = person) {
    const arrivals = [await border.arrive(await readFile(join(dir, "in", "a.dcm")), key)]
    const inputs = border.asInputs(await (await assembler())(arrivals))
    const made = await border.create({ profile, vault: "v", "clean-descriptors": true }, { vault: async () => vault })
    const done = await runStateful(made, memoryState(), inputs)
    expect(done.failed).toEqual([])
    const [instance] = instancesOf(done)
    const [study] = studiesOf(done)
    return { instance: instance!, study: study! }
  }

  async function everything(profile: Profile, vault = vaultOf(profile)): Promise<Everything> {
    const output = await mkdtemp(join(dir, "out-"))
    const options = { profile, "clean-descriptors": true } as const
    const names = await folder({ options, vault }, output)
    const read = (end: string) =>
      readFile(
        join(
          output,
          names.find((name) => name.endsWith(end))!,
        ),
      )
    const { instance, study } = await stream(profile, vault)
    // The stream makes the same bytes, under the same name.
    expect(names).toContain(instance.value!.object.key.slice("dicom/".length))
    const context = testContext({
      secret: () => projectKey,
      outputs: { out: { topic: "t", zone: "limited" } },
      vault: async () => vault,
    })
    const event = (id: string, body: string, name: string) =>
      record({
        key: person,
        id,
        version: 1n,
        time: 0,
        value: { body, name, codes: [], identifiers: [], birthDate: "1950-01-01", flags: [] } as unknown as PersonEvent,
      })
    const given = { key: "k", profile, vault: "v" }
    const messages = await runTransform(await deidentifyHl7v2.create(given, context), [
      event(rowId(["message", "hl7v2", "n"]), message(), "n"),
    ] as never)
    const fhirs = await runTransform(await deidentifyFhir.create(given, context), [
      event("resource/Observation/o1", JSON.stringify(resource), "o1"),
    ] as never)
    expect([...messages.failed, ...fhirs.failed]).toEqual([])
    const [hl7, fhir] = [
      messages.emitted[0]!.draft as Draft<CuratedMessage>,
      fhirs.emitted[0]!.draft as Draft<CuratedResource>,
    ]
    const bytes = await read(".dcm")
    const hl7Text = (await read(".hl7")).toString()
    // What the stream makes of a message is what the folder command makes of it.
    expect(hl7.value!.body).toBe(hl7Text)
    expect(new Set([hl7.key, fhir.key, instance.key, study.key]).size).toBe(1)
    const told = {
      image: dicomText(bytes),
      hl7: hl7Text,
      text: (await read(".txt")).toString(),
      fhir: fhir.value!.body,
    }
    const records = JSON.stringify([hl7, fhir, instance, study], (name, value: unknown) =>
      name === "origin" ? undefined : typeof value === "bigint" ? String(value) : value,
    )
    const all = [...Object.values(told), records, ...names, bytes.toString("latin1")].join("\n")
    return { ...told, study: study.value as CuratedStudy, names, all }
  }

  const pseudonymIn = ({ image: text }: Everything) => /\b[a-z2-7]{26}\b/.exec(text)![0]

  it.each(profiles)("has one pseudonym, one study UID and one accession number in all formats: %s", async (profile) => {
    const made = await everything(profile)
    const pseudonym = pseudonymIn(made)
    for (const of of [made.image, made.hl7, made.text, made.fhir]) expect(of).toContain(pseudonym)
    expect(made.names.filter((name) => name.startsWith(`${pseudonym}/`))).toHaveLength(2)
    const { studyInstanceUid, accessionNumber } = made.study
    expect(made.image).toContain(studyInstanceUid)
    expect(made.hl7).toContain(studyInstanceUid)
    for (const of of [made.image, made.hl7, made.text]) expect(of).toContain(accessionNumber)
    expect(made.all).not.toMatch(
      /Testperson|\bAlva\b|(?<!\d)(?:471147|778899)(?!\d)|Hollowhay|Rodomont|Elm Rd|SN-99887|SCANNER7|Elsewhere|867-5309|1\.2\.3\.4\./i,
    )
    expect(pseudonym === base.person(person)).toBe(profile !== "safe-harbor")
    expect(made.all.includes(base.person(person))).toBe(profile !== "safe-harbor")
    expect(studyInstanceUid === base.uid("1.2.3.4.100.1")).toBe(profile !== "safe-harbor")
  })

  it("tells dates alike: moved by the person's days", async () => {
    const { image: text, hl7, text: told, fhir, all } = await everything("shifted")
    const moved = new Date(Date.UTC(2024, 1, 29) - base.shiftMs(person)).toISOString().slice(0, 10)
    const plain = moved.replaceAll("-", "")
    expect(text).toContain(plain)
    expect(hl7).toContain(`|${plain}101500`)
    expect(told).toContain(moved)
    expect(fhir).toContain(moved)
    expect(all).not.toMatch(/2024-?02-?29|02.29.2024|1950-?01-?01/)
    expect(all).not.toMatch(/Boston|02138/)
  })

  it("tells years alone under safe harbor, in any format, and of places the State and three digits", async () => {
    const { image: text, hl7, text: told, fhir, study, all } = await everything("safe-harbor")
    expect(text).toContain("20240101")
    expect(text).toContain("safe-harbor 45 CFR 164.514(b)(2): a date YYYY0101 is year YYYY")
    expect(text).toMatch(/MODIFIED/)
    expect(hl7).toMatch(/^OBR\|1\|\|[A-Z2-7]{16}\|71250\^CT chest\^C4\|\|\|2024\r/m)
    expect(hl7).toMatch(/\|\^\^\^MA\^021\^US\r/)
    expect(hl7).toMatch(/, MA 021 was seen/)
    expect(hl7).toContain("[day], 2024 by Dr. ")
    expect(hl7).toContain("Compared with 2024.")
    expect(told).toContain("born [birth date], 90+ years old")
    expect(told).toContain(", MA 021.\nSeen 2024 and on 2024. ")
    expect(fhir).toContain('"effectiveDateTime":"2024"')
    expect([study.started, study.startedPrecision]).toEqual([null, "none"])
    expect(all).not.toMatch(
      /20240229|2024-02|02[/]29[/]2024|02[/]19[/]2024|(?<![\d.])(?:1950|10150|02138)|10:15|Boston/,
    )
  })

  it("tells true dates, towns, States and ZIP codes in a limited data set", async () => {
    const { image: text, hl7, text: told, fhir, study } = await everything("limited-data-set")
    expect(text).toContain("20240229")
    expect(text).toContain("UNMODIFIED")
    expect(hl7).toContain("|20240229101500")
    expect(hl7).toMatch(/\|19500101\|F\|\|\|\^\^Boston\^MA\^02138\^USA\r/)
    expect(hl7).toContain("Thursday, 02/29/2024 at 10:15")
    expect(told).toContain("Boston, MA 02138.\nSeen 2024-02-29T10:15:00 and on 20240229. ")
    expect(fhir).toContain("2024-02-29T10:15:00Z")
    expect(study.started).toBe(Date.UTC(2024, 1, 29, 10, 15))
  })

  it.each(profiles)(
    "gives the same bytes again under the same key and vault, and shares nothing with another: %s",
    async (profile) => {
      const vault = vaultOf(profile)
      const first = await everything(profile, vault)
      expect(await everything(profile, vault)).toEqual(first)
      if (profile !== "safe-harbor") return
      const other = await everything(profile)
      const codes = (of: Everything) => new Set(of.all.match(/\b(?:[a-z2-7]{26}|2\.25\.\d{20,}|[A-Z2-7]{16})\b/g))
      expect(codes(first).size).toBeGreaterThan(6)
      const shared = [...codes(first)].filter((code) => codes(other).has(code) && code !== implementationClassUid)
      expect(shared).toEqual([])
    },
  )

  it("tells no year at 90 or more, in no format", async () => {
    const old = { tag: "00100030", vr: "DA", value: "19330101" } as const
    await writeFile(join(dir, "in", "a.dcm"), image(old, { tag: "00101010", vr: "AS" }))
    await writeFile(join(dir, "in", "m.hl7"), message("1933"))
    await writeFile(join(dir, "in", "r.txt"), report.replace("1950", "1933"))
    await writeFile(join(dir, "in", "r.person.json"), beside.replace("1950", "1933"))
    const output = join(dir, "out")
    const names = await folder({ options: { profile: "safe-harbor" }, vault: vaultOf("safe-harbor") }, output)
    for (const name of names) {
      const bytes = await readFile(join(output, name))
      expect(name.endsWith(".dcm") ? dicomText(bytes) : bytes.toString()).not.toMatch(/(?<![\d.])2024(?!b)/)
    }
  })

  it("notes in the vault which patient a pseudonym stands for, also out of stream", async () => {
    for (const profile of ["shifted", "safe-harbor"] as const) {
      for (const only of ["a.dcm", "m.hl7"]) {
        await rm(join(dir, "in"), { recursive: true })
        await mkdir(join(dir, "in"))
        await writeFile(join(dir, "in", only), only === "a.dcm" ? image() : message())
        const vault = vaultOf(profile)
        await folder({ options: { profile }, vault })
        expect([...vault.known.keys()]).toContain(JSON.stringify(["member", "mrn", "MRN-471147", person]))
      }
    }
  })

  it("makes no image without a vault under safe harbor", async () => {
    await expect(border.create({ profile: "safe-harbor" })).rejects.toMatchObject({ code: "profile-refused" })
    await expect(folder({ options: { profile: "safe-harbor" } })).rejects.toMatchObject({ code: "profile-refused" })
    expect(await filesOf(dir).then((all) => all.filter((name) => name.startsWith("out")))).toEqual([])
  })
})

describe("what a profile does not go with", () => {
  const faults = (given: Partial<Parameters<NonNullable<typeof deidentifyDicom.faults>>[0]>, zone: Zone = "limited") =>
    deidentifyDicom.faults!({ key: "k", ...given }, [zone]).map(
      ({ path, message: text }) => `${path.join(".")} ${text}`,
    )

  it.each([
    ["retain-uids", /keeps no UIDs/],
    ["retain-device-identity", /serial numbers/],
    ["retain-institution-identity", /smaller than a State/],
    ["retain-safe-private", /private/],
    ["retain-longitudinal-full-dates", /excludes retain-longitudinal-full-dates/],
  ] as const)("safe harbor: %s, said when the file is compiled", (option, why) => {
    const [fault, ...others] = faults({ profile: "safe-harbor", vault: "v", [option]: true })
    expect(fault).toMatch(why)
    expect(fault).toContain(option)
    expect(others).toEqual([])
  })

  it("says what else is refused", () => {
    expect(faults({ profile: "safe-harbor" })).toEqual([expect.stringMatching(/needs a vault/)])
    expect(faults({ profile: "safe-harbor", vault: "v", faces: "allow" })).toEqual([expect.stringMatching(/no face/)])
    expect(faults({ profile: "limited-data-set", faces: "allow" })).toEqual([expect.stringMatching(/no face/)])
    expect(faults({ profile: "limited-data-set", "retain-device-identity": true })).toEqual([
      expect.stringMatching(/serial numbers/),
    ])
    expect(faults({ profile: "shifted", "retain-longitudinal-full-dates": true })).toHaveLength(1)
    expect(faults({ profile: "safe-harbor", vault: "v" })).toEqual([])
  })

  it("puts no limited data set into a clean zone, whatever the format", () => {
    const given = { key: "k", profile: "limited-data-set" } as const
    for (const plugin of [deidentifyDicom, deidentifyHl7v2, deidentifyFhir])
      for (const zone of ["clean", "phi"] as const) expect(plugin.faults!(given, [zone])).toHaveLength(1)
  })

  it("says in manifests that an expert's determination is required, and who gave it", () => {
    for (const { states } of [deidentifyDicom, deidentifyHl7v2, deidentifyFhir]) {
      expect(states!({ key: "k" })).toMatch(/expert's determination is required .*none is stated/)
      expect(states!({ key: "k", determination: "A. Expert, file 7" })).toMatch(/given by A. Expert, file 7/)
      expect(states!({ key: "k", profile: "safe-harbor", vault: "v" })).toMatch(/safe harbor/)
    }
  })
})
