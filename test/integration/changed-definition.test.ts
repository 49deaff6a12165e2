import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { builtIns } from "../../main.ts"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { World } from "./world.ts"

const pipeline = `
name: labels
secrets: { identity-key: { env: IDENTITY } }
identity: [{ namespace: mrn, dicom-issuer: [HOSP], fhir-system: ["http://hospital.example/mrn"] }]
topics:
  fhir.arrivals: { zone: phi, partitions: 2 }
  dicom.arrivals: { zone: phi, partitions: 2, schema: dicom-instance }
  people.events: { zone: phi, partitions: 2 }
  imaging.studies: { zone: phi, partitions: 2, schema: study }
  labels: { zone: phi, partitions: 2 }
sources:
  ehr: { use: fhir-ndjson, with: { path: ehr, complete-through: 2024-06-01 }, to: fhir.arrivals }
stages:
  identify: { from: { dicom: dicom.arrivals, fhir: fhir.arrivals }, through: [{ use: resolve-patient }], to: people.events }
  label:
    from: { facts: people.events, studies: imaging.studies }
    through: [{ use: phenotype, with: { definitions: phenotypes } }]
    to: labels
sinks:
  table: { use: postgres, from: labels }
`

const definition = (code: string, window: string) => `
phenotype: fracture
version: 1
summary: A fracture is diagnosed around the study
values:
  fracture: [{ system: "http://snomed.info/sct", code: "${code}" }]
rule: { condition: fracture, window: { from: ${window}, to: 30d } }
feeds: [Condition]
horizon: 30d
`

const snomed = (code: string) => ({ coding: [{ system: "http://snomed.info/sct", code }] })

/** Twelve persons with a study each; a third has the one fracture, a third the other, and one study lies far before. */
function* resources() {
  for (let at = 0; at < 12; at++) {
    const subject = { reference: `Patient/p${at}` }
    const meta = { lastUpdated: "2024-05-01T00:00:00Z", versionId: "1" }
    const identifier = [{ system: "http://hospital.example/mrn", value: `m${at}` }]
    yield { resourceType: "Patient", id: `p${at}`, meta, identifier }
    yield {
      resourceType: "ImagingStudy",
      id: `s${at}`,
      meta,
      status: "available",
      subject,
      started: "2024-03-01T10:00:00Z",
      identifier: [{ system: "urn:dicom:uid", value: `urn:oid:1.2.${at + 1}` }],
      modality: [{ system: "http://dicom.nema.org/resources/ontology/DCM", code: "CT" }],
    }
    if (at % 3 === 2) continue
    yield {
      resourceType: "Condition",
      id: `c${at}`,
      meta,
      subject,
      clinicalStatus: { coding: [{ code: "active" }] },
      verificationStatus: { coding: [{ code: "confirmed" }] },
      code: snomed(at % 3 === 0 ? "111" : "222"),
      onsetDateTime: at === 4 ? "2023-03-01T10:00:00Z" : "2024-03-10T10:00:00Z",
      recordedDate: "2024-03-10T10:00:00Z",
    }
  }
}

describe("a changed phenotype", { timeout: 60_000 }, () => {
  let server: Awaited<ReturnType<typeof temporaryPostgres>>
  const worlds: World[] = []
  beforeAll(async () => {
    server = await temporaryPostgres()
  })
  afterAll(() => server?.close())
  afterEach(() => Promise.all(worlds.splice(0).map((world) => world.close())))

  async function open(text: string): Promise<World> {
    const world = await World.open(pipeline, server)
    worlds.push(world)
    world.builtIns = builtIns
    world.environment["IDENTITY"] = "0123456789abcdef0123456789abcdef"
    await mkdir(join(world.folder, "ehr"))
    await mkdir(join(world.folder, "phenotypes"))
    const lines = [...resources()].map((resource) => JSON.stringify(resource))
    await writeFile(join(world.folder, "ehr", "all.ndjson"), `${lines.join("\n")}\n`)
    await define(world, text)
    return world
  }
  const define = (world: World, text: string) => writeFile(join(world.folder, "phenotypes", "fracture.yaml"), text)
  const labels = (world: World) =>
    world.rows(
      "select _key, study_instance_uid, phenotype, value, reason, rule_version from phi.labels order by 1, 2, 3",
    )
  const values = async (world: World) =>
    Object.groupBy(await labels(world), ({ value, reason }) => `${String(value)} ${String(reason)}`)

  it("is derived again from what is kept, at the next start, as if it had been so from the beginning", async () => {
    const before = definition("111", "-30d")
    const after = definition("222", "-3y")
    const changed = await open(before)
    await changed.run()
    const first = await values(changed)
    expect(first["positive met"]).toHaveLength(4)
    await define(changed, after)
    // Nothing new comes: the change alone is what there is to do.
    await changed.run()
    const undisturbed = await open(after)
    await undisturbed.run()
    expect((await values(changed))["positive met"]).toHaveLength(4)
    expect(await labels(changed)).toEqual(await labels(undisturbed))
    expect(await labels(changed)).not.toEqual(Object.values(first).flat())
  })
})
