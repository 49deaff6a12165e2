import { mkdir, mkdtemp, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { main } from "../../main.ts"
import { slice } from "../contract/dicom-border.ts"
import { freePort, send } from "./mllp.ts"
import { weir } from "./weir.ts"

const mrn = "http://hospital.example/mrn"
export const identityKey = "identity key 0123456789 012345678"
/** The patient's number, in the namespace `mrn`. */
export const patientNumber = "MRN-471147"

/** A message of the patient, with the segments of its report. */
export const messageOf = (...report: readonly string[]): string =>
  [
    "MSH|^~\\&|RIS|HOSP|WEIR||20240229120000||ORU^R01^ORU_R01|77|P|2.5.1",
    `PID|1||${patientNumber}^^^HOSP^MR||Testperson^Alva||19500102|F`,
    "OBR|1||ACC-778899|71250^CT chest^C4|||20240229101500",
    ...report,
    "",
  ].join("\r")

const resources = [
  {
    resourceType: "Patient",
    id: "p1",
    identifier: [{ system: mrn, value: patientNumber }],
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

/** What a pipeline file says of the hospital; its own topics and stages follow under the headings that end the parts. */
export interface Pipeline {
  readonly name: string
  /** Lines `name: { file: ... }` beside the identity key's. */
  readonly secrets: string
  /** Topics below. */
  readonly topics: string
  /** Stages behind `people.facts`, `imaging.studies` and `imaging.instances`. */
  readonly stages: string
}

const fileOf = ({ name, secrets, topics, stages }: Pipeline, port: number, database: string) => `
name: ${name}
log: { driver: embedded, dir: log }
store: { driver: postgres, url: "${database}" }
objects: { driver: folder, dir: objects }
secrets:
  identity-key: { file: identity }
${secrets}
identity:
  - { namespace: mrn, dicom-issuer: [""], fhir-system: ["${mrn}"], hl7v2-authority: [HOSP] }
topics:
  dicom.arrivals: { partitions: 1 }
  fhir.arrivals: { partitions: 1 }
  hl7v2.arrivals: { partitions: 1 }
${topics}
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
${stages}
`

/** What came of a run. */
export interface Delivered {
  readonly folder: string
  readonly file: string
  readonly acks: readonly string[]
  readonly ended: Awaited<ReturnType<typeof weir>>
}

/** Sends the patient's image, resources and the messages given through a pipeline, in a folder of its own. A live run takes the
 * messages and is stopped when all are acknowledged; a second run finds what is durable, and works until it is idle.
 * @param keys secrets by the name of their file */
export async function deliver(
  pipeline: Pipeline,
  database: string,
  keys: Readonly<Record<string, string>>,
  messages: readonly string[],
): Promise<Delivered> {
  const folder = await mkdtemp(join(tmpdir(), `weir-${pipeline.name}-`))
  const file = join(folder, "one.yaml")
  const write = (name: string, text: string | Uint8Array) => writeFile(join(folder, name), text)
  await mkdir(join(folder, "images"))
  await mkdir(join(folder, "ehr"))
  await write("images/a.dcm", slice("1.2.3.4.5.61", { tag: "00081030", vr: "LO", value: "CT chest of Testperson" }))
  await write("ehr/a.ndjson", resources.map((each) => JSON.stringify(each)).join("\n"))
  await write("identity", identityKey)
  for (const [name, key] of Object.entries(keys)) await write(name, key)
  const port = await freePort()
  await write("one.yaml", fileOf(pipeline, port, database))
  const stop = new AbortController()
  const io = { stdout: { write: () => {} }, stderr: { write: () => {} }, environment: {}, now: () => Date.now() }
  const live = main(["run", file], { ...io, signal: stop.signal })
  const acks = await send(port, ...messages)
  stop.abort()
  await live
  return { folder, file, acks, ended: await weir("run", file, "--until-idle") }
}
