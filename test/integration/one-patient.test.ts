import { rm } from "node:fs/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { withLog } from "../../cli/ports.ts"
import { readRecords } from "../../cli/topics/read.ts"
import { personKey, pseudonymizer } from "../../core/index.ts"
import type { CuratedMessage, Rec } from "../../core/index.ts"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { deliver, identityKey, messageOf, patientNumber } from "./one-patient-feeds.ts"
import type { Delivered } from "./one-patient-feeds.ts"
import { app, below, compiled, weir } from "./weir.ts"

const projectKey = "project key 0123456789 0123456789"

const pipeline = {
  name: "one",
  secrets: "  project-key: { file: project }",
  topics: `
  curated.instances: { zone: limited, schema: curated-instance }
  curated.studies: { zone: limited, schema: curated-study }
  curated.resources: { zone: limited, schema: curated-resource }
  curated.messages: { zone: limited, schema: curated-message }`,
  stages: `
  images:
    from: { studies: imaging.studies, instances: imaging.instances }
    through:
      - use: deidentify-dicom
        with: { key: project-key, retain-longitudinal-modified-dates: true, clean-descriptors: true }
    to: { studies: curated.studies, instances: curated.instances }
  resources:
    { from: people.facts, through: [{ use: deidentify-fhir, with: { key: project-key } }], to: curated.resources }
  messages:
    { from: people.facts, through: [{ use: deidentify-hl7v2, with: { key: project-key } }], to: curated.messages }`,
}

const message = messageOf(
  "OBX|1|TX|18748-4^Report^LN||Ms. Testperson (MRN-471147, ACC-778899) was seen on 02/29/2024 by",
  "OBX|2|TX|18748-4^Report^LN||Dr. Roderick Holloway. Known Hodgkin lymphoma. Compared with 02/19/2024.||||||F",
)
const stranger = message.replace("^^^HOSP", "^^^ELSEWHERE")
const withDocument = message.replace(/OBX\|1\|TX\|[^|]*\|[^|]*\|/, "$&%PDF-").replace("|77|", "|78|")

describe(
  "one patient in images, resources, messages and their reports, through the stages",
  { timeout: 240_000 },
  () => {
    let server: Awaited<ReturnType<typeof temporaryPostgres>>
    let delivered: Delivered
    let messages: readonly Rec<CuratedMessage>[]
    let texts: string
    const pseudonyms = pseudonymizer(Buffer.from(projectKey))
    const person = personKey(Buffer.from(identityKey), "mrn", patientNumber)
    const moved = new Date(Date.UTC(2024, 1, 29) - pseudonyms.shiftMs(person)).toISOString().slice(0, 10)

    beforeAll(async () => {
      server = await temporaryPostgres()
      const sent = [message, stranger, withDocument, message]
      delivered = await deliver(pipeline, server.url, { project: projectKey }, sent)
      const { file, ended } = delivered
      expect(ended.code, ended.out + ended.err).toBe(0)
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
      if (delivered) await rm(delivered.folder, { recursive: true, force: true })
    })

    it("acknowledges each message, and releases one that came twice once", () => {
      expect(delivered.acks).toEqual(["AA", "AA", "AA", "AA"])
      expect(messages.map(({ key }) => key)).toEqual([pseudonyms.person(person)])
    })

    it("refuses the message with a document, and the one whose patient no namespace knows, as dead letters", async () => {
      const { out } = await weir("dead-letters", "list", delivered.file)
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
      const found = await below(delivered.file)
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
        /Testperson|Alva|471147|778899|Holloway|Roderick|2024-02-29|20240229|1950-01-02|19500102/i,
      )
    })
  },
)
