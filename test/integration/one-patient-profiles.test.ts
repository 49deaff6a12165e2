import { rm } from "node:fs/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { personKey, pseudonymizer } from "../../core/index.ts"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { deliver, identityKey, messageOf, patientNumber } from "./one-patient-feeds.ts"
import type { Delivered } from "./one-patient-feeds.ts"
import { below } from "./weir.ts"

const profiles = ["shifted", "safe-harbor", "limited-data-set"] as const
type Profile = (typeof profiles)[number]
const keyOf = (profile: Profile) => `project key of ${profile} 0123456789 0123456789`

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

const pipeline = {
  name: "profiles",
  secrets: ["vault-key: { file: vault }", ...profiles.map((profile) => `${profile}: { file: ${profile} }`)]
    .map((line) => `  ${line}`)
    .join("\n"),
  topics: profiles.map(topicsOf).join("\n"),
  stages: profiles.map(stagesOf).join("\n"),
}

const message = messageOf(
  "OBX|1|TX|18748-4^Report^LN||Ms. Testperson (MRN-471147, ACC-778899) was seen on 02/29/2024. Hodgkin lymphoma.||||||F",
)

describe("one patient in three projects, one under each profile, through the stages", { timeout: 240_000 }, () => {
  let server: Awaited<ReturnType<typeof temporaryPostgres>>
  let delivered: Delivered
  let found: Awaited<ReturnType<typeof below>>
  const person = personKey(Buffer.from(identityKey), "mrn", patientNumber)

  beforeAll(async () => {
    server = await temporaryPostgres()
    const keys = Object.fromEntries(profiles.map((profile) => [profile, keyOf(profile)]))
    delivered = await deliver(pipeline, server.url, { ...keys, vault: "v".repeat(32) }, [message])
    const { file, ended } = delivered
    expect(ended.code, ended.out + ended.err).toBe(0)
    found = await below(file)
  }, 240_000)
  afterAll(async () => {
    await server?.close()
    if (delivered) await rm(delivered.folder, { recursive: true, force: true })
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
    expect(all).not.toMatch(/Testperson|\bAlva\b|(?<!\d)(?:471147|778899)(?!\d)/i)
  })
})
