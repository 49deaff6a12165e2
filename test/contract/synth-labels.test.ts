import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { rm } from "node:fs/promises"
import { statedVersion } from "../../core/index.ts"
import { parse, summaryOf } from "../../formats/dicom/index.ts"
import type { Summary } from "../../formats/dicom/index.ts"
import { studyStarted } from "../../formats/dicom/study-time.ts"
import { interval, zoneOffset } from "../../formats/fhir/time.ts"
import { personEventOf, streamLabels, studyRecordOf } from "../oracle/stream.ts"
import { makeHospital, resourceArrivals } from "./synth-hospital.ts"
import type { Made } from "./synth-hospital.ts"

type Input = ReturnType<typeof personEventOf>
type Wave = "wave1" | "wave2"

let made: Made
beforeAll(async () => {
  made = await makeHospital(40, 11)
})
afterAll(() => rm(join(made.out, ".."), { recursive: true, force: true }))

const seenIn = (arrival: { readonly wave: string }, wave: Wave) => arrival.wave === "wave1" || wave === "wave2"

/** What the code tables say, read plainly. */
async function codeTables(): Promise<
  ReadonlyMap<string, readonly { system: string; code: string; relationship: string }[]>
> {
  const table = new Map<string, { system: string; code: string; relationship: string }[]>()
  const add = (from: string, to: { system: string; code: string; relationship: string }) =>
    table.set(from, [...(table.get(from) ?? []), to])
  const csv = await readFile(join(made.out, "codes/laboratory.csv"), "utf8")
  for (const line of csv.trim().split("\n").slice(1)) {
    const [fromSystem, fromCode, system, code, , relationship] = line.split(",") as string[]
    add(`${fromSystem}|${fromCode}`, { system: system!, code: code!, relationship: relationship! })
  }
  const map = JSON.parse(await readFile(join(made.out, "codes/diagnoses.json"), "utf8"))
  for (const { source, target: system, element } of map.group)
    for (const { code: from, target } of element)
      for (const { code, equivalence } of target) add(`${source}|${from}`, { system, code, relationship: equivalence })
  return table
}

/** Who is who at the end of a wave, by the truth: merged patients are one. */
function personOf(wave: Wave): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const { person, patientId, identifiers, mergedWith } of made.truth.persons) {
    const name = wave === "wave2" && mergedWith !== undefined ? [person, mergedWith].sort()[0]! : person
    names.set(patientId, name)
    names.set(identifiers.find(({ namespace }) => namespace === "mrn")!.value, name)
  }
  return names
}

async function resourceRecords(wave: Wave): Promise<readonly Input[]> {
  const names = personOf(wave)
  const table = await codeTables()
  return (await resourceArrivals(made)).flatMap(([arrival, text]) => {
    if (!seenIn(arrival, wave) || arrival.fate === "dead-letter" || arrival.type === "Patient") return []
    if (arrival.fate === "waiting" && wave === "wave1") return []
    const body = JSON.parse(text)
    const subject = body.subject?.reference?.replace("Patient/", "")
    if (subject === undefined) return []
    const version = statedVersion(interval(body.meta.lastUpdated)!.from, body.meta.versionId)
    const event = personEventOf({ person: names.get(subject)!, type: arrival.type, id: body.id, version, body: text })
    const codes = (body.code?.coding ?? []).flatMap((from: { system: string; code: string }) =>
      (table.get(`${from.system}|${from.code}`) ?? []).map((to) => ({
        ...to,
        display: null,
        fromSystem: from.system,
        fromCode: from.code,
        table: "t",
      })),
    )
    return [{ ...event, value: { ...(event.value as object), codes } } as Input]
  })
}

async function summaries(wave: Wave): Promise<readonly Summary[]> {
  const found: Summary[] = []
  for (const arrival of made.truth.arrivals) {
    const broken = arrival.fate === "dropped" || ("reason" in arrival && arrival.reason === "truncated")
    if (arrival.type !== "dicom" || !seenIn(arrival, wave) || broken) continue
    const bytes = await readFile(join(made.out, arrival.file))
    const parsed = parse({ header: bytes, size: bytes.length }, { stopAtPixelData: true, skipPrivate: true })
    if (parsed.kind === "more") throw new Error(`${arrival.file} is cut`)
    found.push(summaryOf(parsed))
  }
  return found
}

async function studyRecords(wave: Wave): Promise<readonly Input[]> {
  const names = personOf(wave)
  const zone = zoneOffset("America/New_York")!
  const byStudy = Map.groupBy(await summaries(wave), ({ studyInstanceUid }) => studyInstanceUid)
  return [...byStudy].map(([uid, instances]) => {
    const one = instances[0]!
    const declared = one.issuerOfPatientId === "" || one.issuerOfPatientId === "HOSP"
    const started = studyStarted(one.studyDate, one.studyTime, one.timezoneOffset || null, zone)!.from
    return studyRecordOf({
      person: (declared ? names.get(one.patientId) : undefined) ?? `study:${uid}`,
      uid,
      version: 1n,
      accession: one.accessionNumber,
      issuer: one.accessionIssuer,
      modalities: [one.modality],
      bodyParts: [one.bodyPart],
      first: started,
      last: started,
    })
  })
}

async function streamed(wave: Wave): Promise<Record<string, Record<string, string>>> {
  const { asOf, completeThrough } = made.truth.waves.find(({ name }) => name === wave)!
  const standing = await streamLabels({
    options: {
      definitions: join(made.out, "phenotypes"),
      "time-zone": "America/New_York",
      "accession-issuers": made.truth.accessionIssuers,
    },
    records: [...(await studyRecords(wave)), ...(await resourceRecords(wave))],
    batch: 50,
    now: Date.parse(asOf),
    complete: new Map([["ehr/*", Date.parse(completeThrough)]]),
  })
  const labels: Record<string, Record<string, string>> = {}
  for (const { person, label } of standing.rows.values()) {
    // Of a patient whom images do not name, records make a study of their own; the truth speaks of the images.
    const truth = made.truth.persons.find(({ studies }) => studies.some(({ uid }) => uid === label.studyInstanceUid))!
    if (!truth.imagesLinked && !person.startsWith("study:")) continue
    ;(labels[label.studyInstanceUid] ??= {})[label.phenotype] = label.value
  }
  return labels
}

describe("the labels that the truth expects", () => {
  test.each(["wave1", "wave2"] as const)("are what the phenotype transform says at the end of %s", async (wave) => {
    const expected: Record<string, Record<string, string>> = {}
    for (const { studies } of made.truth.persons)
      for (const { uid, labels } of studies)
        if (Object.keys(labels[wave]).length > 0) expected[uid] = { ...labels[wave] }
    expect(await streamed(wave)).toEqual(expected)
  })
})
