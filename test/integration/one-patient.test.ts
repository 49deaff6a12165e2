import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { withLog } from "../../cli/ports.ts"
import { readRecords } from "../../cli/topics/read.ts"
import { personKey, pseudonymizer } from "../../core/index.ts"
import type { CuratedMessage, Rec } from "../../core/index.ts"
import { main } from "../../main.ts"
import { slice } from "../contract/dicom-border.ts"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { freePort, send } from "./mllp.ts"
import { app, below, compiled, weir } from "./weir.ts"

const [projectKey, identityKey] = ["project key 0123456789 0123456789", "identity key 0123456789 012345678"]
const mrn = "http://hospital.example/mrn"

const pipeline = (port: number, database: string) => `
name: one
log: { driver: embedded, dir: log }
store: { driver: postgres, url: "${database}" }
objects: { driver: folder, dir: objects }
secrets: { project-key: { file: project }, identity-key: { file: identity } }
identity:
  - { namespace: mrn, dicom-issuer: [""], fhir-system: ["${mrn}"], hl7v2-authority: [HOSP] }
topics:
  dicom.arrivals: { partitions: 1 }
  fhir.arrivals: { partitions: 1 }
  hl7v2.arrivals: { partitions: 1 }
  curated.instances: { zone: limited, schema: curated-instance }
  curated.studies: { zone: limited, schema: curated-study }
  curated.resources: { zone: limited, schema: curated-resource }
  curated.messages: { zone: limited, schema: curated-message }
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
  images:
    from: { studies: imaging.studies, instances: imaging.instances }
    through:
      - use: deidentify-dicom
        with: { key: project-key, retain-longitudinal-modified-dates: true, clean-descriptors: true }
    to: { studies: curated.studies, instances: curated.instances }
  resources:
    { from: people.facts, through: [{ use: deidentify-fhir, with: { key: project-key } }], to: curated.resources }
  messages:
    { from: people.facts, through: [{ use: deidentify-hl7v2, with: { key: project-key } }], to: curated.messages }
`

const message = [
  "MSH|^~\\&|RIS|HOSP|WEIR||20240229120000||ORU^R01^ORU_R01|77|P|2.5.1",
  "PID|1||MRN-471147^^^HOSP^MR||Testperson^Alva||19500101|F",
  "OBR|1||ACC-778899|71250^CT chest^C4|||20240229101500",
  "OBX|1|TX|18748-4^Report^LN||Ms. Testperson (MRN-471147, ACC-778899) was seen on 02/29/2024 by",
  "OBX|2|TX|18748-4^Report^LN||Dr. Roderick Holloway. Known Hodgkin lymphoma. Compared with 02/19/2024.||||||F",
  "",
].join("\r")
const stranger = message.replace("^^^HOSP", "^^^ELSEWHERE")
const withDocument = message.replace(/OBX\|1\|TX\|[^|]*\|[^|]*\|/, "$&%PDF-").replace("|77|", "|78|")

const resources = [
  {
    resourceType: "Patient",
    id: "p1",
    identifier: [{ system: mrn, value: "MRN-471147" }],
    name: [{ family: "Testperson", given: ["Alva"] }],
    birthDate: "1950-01-01",
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

describe(
  "one patient in images, resources, messages and their reports, through the stages",
  { timeout: 240_000 },
  () => {
    let folder: string
    let server: Awaited<ReturnType<typeof temporaryPostgres>>
    let acks: readonly string[]
    let run: string
    let messages: readonly Rec<CuratedMessage>[]
    let texts: string
    const pseudonyms = pseudonymizer(Buffer.from(projectKey))
    const person = personKey(Buffer.from(identityKey), "mrn", "MRN-471147")
    const moved = new Date(Date.UTC(2024, 1, 29) - pseudonyms.shiftMs(person)).toISOString().slice(0, 10)

    beforeAll(async () => {
      server = await temporaryPostgres()
      folder = await mkdtemp(join(tmpdir(), "weir-one-stream-"))
      const file = join(folder, "one.yaml")
      const write = (name: string, text: string | Uint8Array) => writeFile(join(folder, name), text)
      await mkdir(join(folder, "images"))
      await mkdir(join(folder, "ehr"))
      await write("images/a.dcm", slice("1.2.3.4.5.61", { tag: "00081030", vr: "LO", value: "CT chest of Testperson" }))
      await write("ehr/a.ndjson", resources.map((each) => JSON.stringify(each)).join("\n"))
      await write("project", projectKey)
      await write("identity", identityKey)
      const port = await freePort()
      await write("one.yaml", pipeline(port, server.url))
      const stop = new AbortController()
      const io = { stdout: { write: () => {} }, stderr: { write: () => {} }, environment: {}, now: () => Date.now() }
      const live = main(["run", file], { ...io, signal: stop.signal })
      acks = await send(port, message, stranger, withDocument, message)
      // What was acknowledged is durable: another run finds it.
      stop.abort()
      await live
      const ended = await weir("run", file, "--until-idle")
      run = ended.out + ended.err
      expect(ended.code, run).toBe(0)
      const made = await compiled(file)
      const found: Rec<CuratedMessage>[] = []
      await withLog(made, app, async (log) => {
        const topic = made.topics.get("curated.messages")!
        for await (const record of readRecords(log, topic, undefined as never, { from: 0n, limit: Infinity }))
          found.push(record as Rec<CuratedMessage>)
      })
      messages = found
      texts = (await below(file)).flatMap((each) => [each.place, ...each.texts]).join("\n")
    }, 240_000)
    afterAll(async () => {
      await server?.close()
      await rm(folder, { recursive: true, force: true })
    })

    it("acknowledges each message, and releases one that came twice once", () => {
      expect(acks).toEqual(["AA", "AA", "AA", "AA"])
      expect(messages.map(({ key }) => key)).toEqual([pseudonyms.person(person)])
    })

    it("refuses the message with a document, and the one whose patient no namespace knows, as dead letters", async () => {
      const { out } = await weir("dead-letters", "list", join(folder, "one.yaml"))
      expect(out).toMatch(/refused\.embedded-document/)
      expect(out).toMatch(/no-person/)
      expect(out).not.toMatch(/Testperson|471147/)
    })

    it("has the same pseudonym and the same shift in all of them", async () => {
      const { body, time } = messages[0]!.value!
      expect(time).toBe(Date.parse(`${moved}T00:00:00Z`))
      expect(body).toContain(`|${pseudonyms.person(person)}|`)
      expect(body).toContain(`|${moved.replaceAll("-", "")}101500`)
      expect(body).toContain(`${moved.slice(5, 7)}/${moved.slice(8)}/${moved.slice(0, 4)}`)
      expect(body).toContain(pseudonyms.accession("", "ACC-778899"))
      expect(body).toContain("Known Hodgkin lymphoma.")
      const found = await below(join(folder, "one.yaml"))
      const of = (place: RegExp) =>
        found
          .filter((each) => place.test(each.place))
          .flatMap((each) => [...each.texts])
          .join("\n")
      for (const place of [/^curated\.instances/, /^curated\.resources/, /^curated\.messages/]) {
        expect(of(place), String(place)).toContain(pseudonyms.person(person))
        expect(of(place), String(place)).toMatch(new RegExp(`${moved}|${moved.replaceAll("-", "")}`))
      }
    })

    it("says nowhere below who it is", () => {
      expect(texts).not.toMatch(
        /Testperson|Alva|471147|778899|Holloway|Roderick|2024-02-29|20240229|1950-01-01|19500101/i,
      )
    })
  },
)
