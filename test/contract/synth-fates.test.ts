import { readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { pseudonymizer, statedVersion } from "../../core/index.ts"
import { deidentifier, parse, seriesRisk, summaryOf } from "../../formats/dicom/index.ts"
import type { ProfileOption, Pseudonyms, Summary, Verdict } from "../../formats/dicom/index.ts"
import { interval } from "../../formats/fhir/time.ts"
import type { Arrival } from "../../synth/index.ts"
import { resolvePatient } from "../../transforms/identity/index.ts"
import { memoryState, record, runStateful, testContext } from "../kit/index.ts"
import { dicomText, makeHospital, resourceArrivals } from "./synth-hospital.ts"
import type { Made } from "./synth-hospital.ts"

let made: Made
beforeAll(async () => {
  made = await makeHospital(20, 23)
})
afterAll(() => rm(join(made.out, ".."), { recursive: true, force: true }))

const key = new Uint8Array(32).fill(9)
const base = pseudonymizer(key)
const pseudonymsOf = (person: string): Pseudonyms => ({
  patientId: () => base.person(person),
  patientName: () => base.person(person),
  uid: base.uid,
  accession: (value, issuer) => base.accession(issuer, value),
  identifier: base.identifier,
  shiftDays: base.shiftDays(person),
})

interface Image {
  readonly arrival: Arrival
  readonly bytes: Uint8Array
  readonly summary: Summary
}

const bytesOf = (verdict: Extract<Verdict, { kind: "released" }>, bytes: Uint8Array): Uint8Array =>
  Buffer.concat([verdict.prefix, bytes.subarray(verdict.copy.from, verdict.copy.to), verdict.suffix])

async function images(): Promise<readonly Image[]> {
  const found: Image[] = []
  for (const arrival of made.truth.arrivals) {
    if (arrival.type !== "dicom" || arrival.file.includes("/import/") || arrival.fate === "dropped") continue
    const bytes = await readFile(join(made.out, arrival.file))
    const parsed = parse({ header: bytes, size: bytes.length })
    if (parsed.kind === "more") throw new Error(`${arrival.file} is cut`)
    found.push({ arrival, bytes, summary: summaryOf(parsed) })
  }
  return found
}

describe.each([
  ["the basic profile", [] as const],
  [
    "longitudinal dates and patient characteristics",
    ["retain-longitudinal-modified-dates", "retain-patient-characteristics"] as const,
  ],
])("images de-identified by %s", (_, options: readonly ProfileOption[]) => {
  test("are released or refused as the truth says, and hold nothing that was planted", async () => {
    const all = await images()
    const deidentify = deidentifier({ options, faces: "refuse" })
    const wrong: string[] = []
    for (const series of Map.groupBy(all, ({ summary }) => summary.seriesInstanceUid).values()) {
      const risk = seriesRisk(series.map(({ summary }) => summary))
      for (const { arrival, bytes } of series) {
        const person = arrival.person!
        const context = { person: pseudonymsOf(person), series: { risk } }
        const verdict = deidentify({ header: bytes, size: bytes.length }, context)
        const said = verdict.kind === "refused" ? `refused.${verdict.reason}` : verdict.kind
        if (said !== ("reason" in arrival ? arrival.reason : arrival.fate)) wrong.push(`${arrival.file}: ${said}`)
        if (verdict.kind !== "released") continue
        const text = dicomText(bytesOf(verdict, bytes))
        for (const { value, kind, person: whose } of made.planted)
          if ((whose === person || whose === "hospital") && text.includes(value)) wrong.push(`${arrival.file}: ${kind}`)
      }
    }
    expect(wrong).toEqual([])
  })
})

describe("lines resolved to persons", () => {
  test("are dropped, or wait, as the truth says", async () => {
    const namespaces = [{ namespace: "mrn", dicomIssuers: ["HOSP", ""], fhirSystems: ["http://hospital.example/mrn"] }]
    const transform = await resolvePatient.create({}, testContext({ identity: { namespaces, key: () => key } }))
    const state = memoryState()
    const wrong: string[] = []
    const all = (await resourceArrivals(made)).filter(([{ fate }]) => fate !== "dead-letter")
    for (const wave of ["wave1", "wave2"]) {
      const arrivals = all.filter(([arrival]) => arrival.wave === wave)
      const records = arrivals.map(([, text]) => lineRecord(text))
      const { emitted, dropped } = await runStateful(transform, state, records)
      const stems = new Set<unknown>(emitted.map(({ from }) => from))
      const reasons = new Map<unknown, string>(dropped.map(({ from, reason }) => [from, `dropped.${reason}`]))
      for (const [at, [arrival]] of arrivals.entries()) {
        const said = reasons.get(records[at]) ?? (stems.has(records[at]) ? "released" : "waiting")
        const expected = "reason" in arrival ? `dropped.${arrival.reason}` : arrival.fate
        if (said !== expected) wrong.push(`${arrival.file}:${arrival.line}: ${said}, not ${expected}`)
      }
    }
    expect(wrong).toEqual([])
  })
})

function lineRecord(text: string) {
  const resource = JSON.parse(text)
  const { resourceType, id, meta, subject } = resource
  const key = resourceType === "Patient" ? `Patient/${id}` : (subject?.reference ?? "")
  const value = {
    source: "ehr",
    resourceType,
    resourceId: id,
    versionId: meta.versionId,
    lastUpdated: meta.lastUpdated,
    body: text,
    file: "f",
    line: 1,
  }
  const version = statedVersion(interval(meta.lastUpdated)!.from, meta.versionId)
  return record({ key, id: `${resourceType}/${id}`, version, value }, "fhir")
}
