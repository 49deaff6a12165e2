import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { personKey, pseudonymizer } from "../../core/index.ts"
import { main } from "../../main.ts"
import { slice } from "../contract/dicom-border.ts"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { freePort, send } from "./mllp.ts"
import { below, weir } from "./weir.ts"

const profiles = ["shifted", "safe-harbor", "limited-data-set"] as const
type Profile = (typeof profiles)[number]
const identityKey = "identity key 0123456789 012345678"
const keyOf = (profile: Profile) => `project key of ${profile} 0123456789 0123456789`
const mrn = "http://hospital.example/mrn"

/** The topics and stages of one project. */
const topicsOf = (profile: Profile) =>
  ["studies", "instances", "resources", "messages"]
    .map(
      (name) =>
        `  ${profile}.${name}: { zone: limited, schema: curated-${name.replace(/ies$/, "y").replace(/s$/, "")} }`,
    )
    .join("\n")
const stagesOf = (profile: Profile) => {
  const given = `key: ${profile}, profile: ${profile}, vault: vault-key`
  return `
  images-${profile}:
    from: { studies: imaging.studies, instances: imaging.instances }
    through: [{ use: deidentify-dicom, with: { ${given}, clean-descriptors: true } }]
    to: { studies: ${profile}.studies, instances: ${profile}.instances }
  resources-${profile}:
    from: people.facts
    through: [{ use: deidentify-fhir, with: { ${given} } }]
    to: ${profile}.resources
  messages-${profile}:
    from: people.facts
    through: [{ use: deidentify-hl7v2, with: { ${given} } }]
    to: ${profile}.messages`
}

const pipeline = (port: number, database: string) => `
name: profiles
log: { driver: embedded, dir: log }
store: { driver: postgres, url: "${database}" }
objects: { driver: folder, dir: objects }
secrets:
  identity-key: { file: identity }
  vault-key: { file: vault }
${profiles.map((profile) => `  ${profile}: { file: ${profile} }`).join("\n")}
identity:
  - { namespace: mrn, dicom-issuer: [""], fhir-system: ["${mrn}"], hl7v2-authority: [HOSP] }
topics:
  dicom.arrivals: { partitions: 1 }
  fhir.arrivals: { partitions: 1 }
  hl7v2.arrivals: { partitions: 1 }
${profiles.map(topicsOf).join("\n")}
sources:
  inbox: { use: dicom-folder, with: { path: images }, to: dicom.arrivals }
  ehr: { use: fhir-ndjson, with: { path: ehr }, to: fhir.arrivals }
  feed: { use: hl7v2-mllp, with: { port: ${port} }, to: hl7v2.arrivals }
stages:
  identify:
    from: { dicom: dicom.arrivals, fhir: fhir.arrivals, hl7v2: hl7v2.arrivals }
    through: [{ use: resolve-patient }]
    to: people.facts
  assemble:
    from: people.facts
    through: [{ use: assemble-study, with: { quiet: 1s } }]
    to: { studies: imaging.studies, instances: imaging.instances }
${profiles.map(stagesOf).join("\n")}
`

const message = [
  "MSH|^~\\&|RIS|HOSP|WEIR||20240229120000||ORU^R01^ORU_R01|77|P|2.5.1",
  "PID|1||MRN-471147^^^HOSP^MR||Testperson^Alva||19500102|F",
  "OBR|1||ACC-778899|71250^CT chest^C4|||20240229101500",
  "OBX|1|TX|18748-4^Report^LN||Ms. Testperson (MRN-471147, ACC-778899) was seen on 02/29/2024. Hodgkin lymphoma.||||||F",
  "",
].join("\r")

const resources = [
  {
    resourceType: "Patient",
    id: "p1",
    identifier: [{ system: mrn, value: "MRN-471147" }],
    name: [{ family: "Testperson", given: ["Alva"] }],
    birthDate: "1950-01-02",
  },
  {
    resourceType: "Observation",
    id: "o1",
    status: "final",
    subject: { reference: "Patient/p1" },
    code: { coding: [{ system: "http://loinc.org", code: "2160-0" }] },
    effectiveDateTime: "2024-02-29T10:15:00Z",
  },
]

describe("one patient in three projects, one under each profile, through the stages", { timeout: 240_000 }, () => {
  let folder: string
  let server: Awaited<ReturnType<typeof temporaryPostgres>>
  let found: Awaited<ReturnType<typeof below>>
  const person = personKey(Buffer.from(identityKey), "mrn", "MRN-471147")

  beforeAll(async () => {
    server = await temporaryPostgres()
    folder = await mkdtemp(join(tmpdir(), "weir-one-profiles-"))
    const file = join(folder, "one.yaml")
    const write = (name: string, text: string | Uint8Array) => writeFile(join(folder, name), text)
    await mkdir(join(folder, "images"))
    await mkdir(join(folder, "ehr"))
    await write("images/a.dcm", slice("1.2.3.4.5.61", { tag: "00081030", vr: "LO", value: "CT chest of Testperson" }))
    await write("ehr/a.ndjson", resources.map((each) => JSON.stringify(each)).join("\n"))
    await write("identity", identityKey)
    await write("vault", "v".repeat(32))
    for (const profile of profiles) await write(profile, keyOf(profile))
    const port = await freePort()
    await write("one.yaml", pipeline(port, server.url))
    const stop = new AbortController()
    const io = { stdout: { write: () => {} }, stderr: { write: () => {} }, environment: {}, now: () => Date.now() }
    const live = main(["run", file], { ...io, signal: stop.signal })
    await send(port, message)
    stop.abort()
    await live
    const ended = await weir("run", file, "--until-idle")
    expect(ended.code, ended.out + ended.err).toBe(0)
    found = await below(file)
  }, 240_000)
  afterAll(async () => {
    await server?.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** All that stands in the topics of a project, by format. */
  const of = (profile: Profile, name: string) =>
    found
      .filter(({ place }) => place.startsWith(`${profile}.${name}`))
      .flatMap(({ texts }) => [...texts])
      .join("\n")
  const formats = ["instances", "studies", "resources", "messages"]
  const pseudonymOf = (profile: Profile) => /PID\|1\|\|([a-z2-7]{26})/.exec(of(profile, "messages"))?.[1] ?? "none"

  it.each(profiles)("has one pseudonym in all formats: %s", (profile) => {
    const pseudonym = pseudonymOf(profile)
    const keyed = pseudonymizer(Buffer.from(keyOf(profile))).person(person)
    expect(pseudonym === keyed).toBe(profile !== "safe-harbor")
    for (const format of formats) expect(of(profile, format), format).toContain(pseudonym)
  })

  it("shares no code between projects", () => {
    expect(new Set(profiles.map(pseudonymOf)).size).toBe(3)
    const uids = profiles.map((profile) => new Set(of(profile, "instances").match(/2\.25\.\d{20,}/g)))
    expect([...uids[0]!, ...uids[2]!].filter((uid) => uids[1]!.has(uid))).toEqual([])
  })

  it("tells dates by each project's profile, in all formats alike", () => {
    const moved = new Date(Date.UTC(2024, 1, 29) - pseudonymizer(Buffer.from(keyOf("shifted"))).shiftMs(person))
    const [day] = moved.toISOString().split("T") as [string]
    expect(of("shifted", "messages")).toContain(`|${day.replaceAll("-", "")}101500`)
    expect(of("shifted", "resources")).toContain(day)
    expect(of("safe-harbor", "messages")).toMatch(/\|71250\^CT chest\^C4\|\|\|2024\r/)
    expect(of("safe-harbor", "messages")).toContain("was seen on 2024.")
    expect(of("safe-harbor", "resources")).toContain('"effectiveDateTime":"2024"')
    expect(of("limited-data-set", "messages")).toContain("|20240229101500")
    expect(of("limited-data-set", "resources")).toContain("2024-02-29T10:15:00Z")
    for (const profile of ["shifted", "safe-harbor"] as const)
      for (const format of formats)
        expect(of(profile, format), `${profile} ${format}`).not.toMatch(/2024-?02-?29|02\/29\/2024|1950-?01-?02/)
  })

  it("says nowhere below who it is", () => {
    const all = found.flatMap(({ place, texts }) => [place, ...texts]).join("\n")
    expect(all).not.toMatch(/Testperson|Alva|471147|778899/i)
  })
})
