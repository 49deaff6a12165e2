import { mkdir, readFile } from "node:fs/promises"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, expect, it } from "vitest"
import { builtIns } from "../../main.ts"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { World } from "./world.ts"

const head = `
name: canaries
canaries: { file: canaries.json }
secrets: { project-key: { env: PROJECT_KEY }, identity-key: { env: IDENTITY_KEY } }
identity:
  - { namespace: mrn, dicom-issuer: [HOSP], fhir-system: ["http://hospital.example/mrn"], hl7v2-authority: [HOSP] }
`
const files = `${head}
topics:
  curated.studies: { zone: limited, schema: curated-study }
  curated.instances: { zone: limited, schema: curated-instance }
  curated.resources: { zone: limited, schema: curated-resource }
sources:
  inbox: { use: dicom-folder, with: { path: incoming }, to: dicom.arrivals }
  ehr: { use: fhir-ndjson, with: { path: ehr }, to: fhir.arrivals }
stages:
  identify:
    { from: { dicom: dicom.arrivals, fhir: fhir.arrivals }, through: [{ use: resolve-patient }], to: people.events }
  assemble:
    from: people.events
    through: [{ use: assemble-study }]
    to: { studies: imaging.studies, instances: imaging.instances }
  images:
    from: { studies: imaging.studies, instances: imaging.instances }
    through: [{ use: deidentify-dicom, with: { key: project-key } }]
    to: { studies: curated.studies, instances: curated.instances }
  resources: { from: people.events, through: [{ use: deidentify-fhir, with: { key: project-key } }], to: curated.resources }
sinks:
  warehouse: { use: postgres, from: [curated.studies, curated.instances, curated.resources] }
`
const messages = (port: number) => `${head}
topics: { curated.messages: { zone: limited, schema: curated-message } }
sources: { adt: { use: hl7v2-mllp, with: { port: ${port} }, to: hl7.arrivals } }
stages:
  identify: { from: { hl7v2: hl7.arrivals }, through: [{ use: resolve-patient }], to: people.events }
  border: { from: people.events, through: [{ use: deidentify-hl7v2, with: { key: project-key } }], to: curated.messages }
sinks: { warehouse: { use: postgres, from: [curated.messages] } }
`

let server: Awaited<ReturnType<typeof temporaryPostgres>>
let world: World
beforeAll(async () => {
  server = await temporaryPostgres()
})
afterAll(() => server?.close())
afterEach(() => world.close())

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((done) => probe.listen(0, "127.0.0.1", done))
  const { port } = probe.address() as AddressInfo
  await new Promise((done) => probe.close(done))
  return port
}

async function opened(yaml: string): Promise<void> {
  world = await World.open(yaml, server)
  world.builtIns = builtIns
  Object.assign(world.environment, { PROJECT_KEY: "p".repeat(40), IDENTITY_KEY: "i".repeat(40) })
  for (const folder of ["incoming", "ehr"]) await mkdir(join(world.folder, folder))
  expect((await make("sent")).code).toBe(0)
}
const make = (seed: string) =>
  world.weir("canary", "new", "--out", join(world.folder, "canaries.json"), "--seed", seed, "--count", "2")
const two = (count: number) => ({ "canary-1": count, "canary-2": count })

it("the file of the canaries is never replaced", async () => {
  await opened(files)
  const made = await readFile(join(world.folder, "canaries.json"), "utf8")
  expect((await make("other")).code).toBe(64)
  expect(await readFile(join(world.folder, "canaries.json"), "utf8")).toBe(made)
})

it("canaries that are sent come through the borders of images and resources clean, counted, and into no table", async () => {
  await opened(files)
  expect(await world.weir("canary", "send", world.file)).toMatchObject({
    code: 0,
    out: "2 canaries sent to inbox, ehr\n",
  })
  const { code, out, err } = await world.weir("run", world.file, "--until-idle", "--json")
  expect([code, err.includes("canary-leak")]).toEqual([0, false])
  const { sources, stages, sinks } = JSON.parse(out)
  expect(sources.inbox.counters["canary-arrived"]).toEqual(two(1))
  expect(sources.ehr.counters["canary-arrived"]).toEqual(two(3))
  expect([stages.images.dead, stages.resources.dead]).toEqual([{}, {}])
  // A study and its instance; a Patient, an observation and a report.
  expect(stages.images.counters["canary-seen"]).toEqual(two(2))
  expect(stages.resources.counters["canary-seen"]).toEqual(two(3))
  expect(sinks.warehouse.counters["canary-seen"]).toEqual(two(5))
  for (const table of ["studies", "instances", "resources"])
    expect(await world.rows(`select * from limited.curated_${table}`)).toEqual([])
})

it("canaries that are sent as messages are acknowledged, and come out clean", async () => {
  await opened(messages(await freePort()))
  expect(await world.weir("canary", "send", world.file)).toMatchObject({
    code: 1,
    err: expect.stringContaining("code: listener-away"),
  })
  const stop = new AbortController()
  const listening = Promise.withResolvers<void>()
  world.onSaid = (text) => void (/listening/.test(text) && listening.resolve())
  const running = world.weirUntil(stop.signal, "run", world.file, "--json")
  await Promise.race([listening.promise, running])
  expect(await world.weir("canary", "send", world.file)).toMatchObject({ code: 0, out: "2 canaries sent to adt\n" })
  const lines = async () => (await world.weir("topic", "read", world.file, "curated.messages", "--json")).out
  await expect
    .poll(async () => (await lines()).match(/"weir-canary":"canary-[12]"/g)?.length, { timeout: 20_000 })
    .toBe(2)
  stop.abort()
  const { code, out } = await running
  expect(code).toBe(0)
  expect(JSON.parse(out).stages.border.counters["canary-seen"]).toEqual(two(1))
})
