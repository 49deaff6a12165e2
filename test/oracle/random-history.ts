import type { OracleResource, OracleStudy } from "./index.ts"

/** One state of one row; a retract takes the row away. */
export type Event =
  | { readonly kind: "resource"; readonly op: "upsert" | "retract"; readonly resource: OracleResource }
  | { readonly kind: "study"; readonly op: "upsert" | "retract"; readonly study: OracleStudy }

/** Picks numbers below a bound; a property test or a seeded generator gives it. */
export type Pick = (below: number) => number

const day = 86_400_000
const origin = Date.parse("2020-01-31T10:00:00Z")

/** A small numbers generator with a seed (mulberry32), so that a failure can be replayed. */
export function seeded(seed: number): Pick {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below)
  }
}

/** A history of one person in the order of what happened: few names and few times, so that everything meets everything. */
export function randomHistory(person: string, pick: Pick): readonly Event[] {
  const one = <T>(...choices: readonly T[]): T => choices[pick(choices.length)]!
  const time = () => origin + (pick(60) - 30) * day + one(0, 0, 0, 3_600_000)
  const text = (at: number) => {
    const iso = new Date(at).toISOString()
    return one(
      iso,
      iso,
      iso,
      iso.slice(0, 19) + "Z",
      iso.slice(0, 16) + "Z",
      iso.slice(0, 10),
      iso.slice(0, 7),
      iso.slice(0, 4),
      "0000-13-45",
    )
  }
  const coding = (system: string, code: string) => ({ coding: [{ system, code }] })
  const encounter = () =>
    one({}, { encounter: { reference: `Encounter/e${pick(2)}` } }, { encounter: { reference: `urn:uuid:e${pick(2)}` } })
  const accession = (chance: number) =>
    pick(chance) > 0
      ? []
      : [
          {
            type: { coding: [{ code: "ACSN" }] },
            system: one("http://hospital.example/acc", "OTHER"),
            value: `a${pick(2)}`,
          },
        ]
  const uid = () => `1.2.${pick(3)}`
  const status = () =>
    one("final", "final", "final", "amended", "corrected", "preliminary", "entered-in-error", "cancelled")

  const makers: Readonly<Record<string, () => object>> = {
    Observation: () => ({
      status: status(),
      code: coding("http://loinc.org", one("2160-0", "2160-0", "9999-9")),
      ...encounter(),
      ...one(
        { effectiveDateTime: text(time()) },
        { effectiveDateTime: text(time()) },
        { issued: text(time()) },
        { effectivePeriod: { start: text(time()) } },
        {},
      ),
      ...one(
        {
          valueQuantity: {
            value: one(0.5, 1, 1.5, 2),
            ...one(
              { system: "http://unitsofmeasure.org", code: one("mg/dL", "mg/dL", "mg/L", "s") },
              { unit: "mg/dL" },
            ),
          },
        },
        {
          valueQuantity: {
            value: one(40, 100, 200),
            comparator: one("<", ">", "<=", ">="),
            system: "http://unitsofmeasure.org",
            code: "umol/L",
          },
        },
        { valueQuantity: { value: one(0.5, 1, 1.5, 2), system: "http://unitsofmeasure.org", code: "mg/dL" } },
        {
          component: [
            {
              code: coding("http://loinc.org", "2160-0"),
              valueQuantity: { value: 2, system: "http://unitsofmeasure.org", code: "mg/dL" },
            },
          ],
        },
        { valueString: "high" },
      ),
    }),
    Condition: () => ({
      ...one(
        {},
        {
          verificationStatus: {
            coding: [{ code: one("confirmed", "confirmed", "refuted", "provisional", "entered-in-error") }],
          },
        },
        { verificationStatus: { coding: [{ code: "confirmed" }] } },
      ),
      code: one(
        coding("http://hl7.org/fhir/sid/icd-10-cm", one("C34.1", "C34", "C3")),
        coding("http://snomed.info/sct", "363346000"),
      ),
      ...encounter(),
      ...one(
        { onsetDateTime: text(time()) },
        { recordedDate: text(time()) },
        { onsetPeriod: { start: text(time()), end: text(time()) } },
      ),
    }),
    DiagnosticReport: () => ({
      status: status(),
      identifier: accession(3),
      code: coding("http://loinc.org", "60567-5"),
      category: one([], [coding("http://terminology.hl7.org/CodeSystem/v2-0074", one("PAT", "SP", "RAD"))]),
      conclusionCode: one(
        [],
        [coding("http://snomed.info/sct", "363346000")],
        [coding("http://snomed.info/sct", "363346000")],
      ),
      ...encounter(),
      ...one({}, { basedOn: [{ reference: `ServiceRequest/r${pick(2)}` }] }),
      ...one(
        {},
        {},
        {
          imagingStudy: [
            one(
              { reference: `ImagingStudy/i${pick(3)}` },
              { identifier: { system: "urn:dicom:uid", value: `urn:oid:${uid()}` } },
            ),
          ],
        },
      ),
      effectiveDateTime: text(time()),
    }),
    ImagingStudy: () => ({
      status: one("available", "available", "available", "cancelled"),
      identifier: [
        ...one(
          [{ system: "urn:dicom:uid", value: `urn:oid:${uid()}` }],
          [{ system: "urn:dicom:uid", value: `urn:oid:${uid()}` }],
          [],
        ),
        ...accession(2),
      ],
      ...one(
        { started: text(time()) },
        { started: new Date(time()).toISOString() },
        { started: new Date(time()).toISOString() },
      ),
      ...encounter(),
      series: [{ modality: { code: one("CT", "US") }, bodySite: { code: "51185008" } }],
    }),
    Encounter: () => ({
      status: one("finished", "finished", "in-progress", "planned"),
      period: { start: text(time()), ...one({ end: text(time()) }, {}) },
    }),
    ServiceRequest: () => ({
      status: one("active", "completed", "draft"),
      identifier: accession(1),
      ...one({}, { authoredOn: text(time()) }),
    }),
    EpisodeOfCare: () => ({
      status: "active",
      period: one({ start: text(time()) }, { start: text(time()), end: text(time() + 60 * day) }),
    }),
    Immunization: () => ({ status: one("completed", "not-done"), occurrenceDateTime: text(time() + pick(60) * day) }),
  }

  const states = new Map<string, bigint>()
  const next = (slot: string): bigint => {
    const version = (states.get(slot) ?? 0n) + 1n
    states.set(slot, version)
    return version
  }
  const names = { ImagingStudy: ["i", 3], Encounter: ["e", 2], ServiceRequest: ["r", 2] } as const
  const types = Object.keys(makers)
  return Array.from({ length: 6 + pick(18) }, (): Event => {
    const op = pick(10) === 0 ? "retract" : "upsert"
    if (pick(5) === 0) {
      const own = uid()
      const start = time()
      const [first, last] = one<readonly [number | null, number | null]>(
        [start, start],
        [start, start],
        [start, start + day - 1],
        ...(pick(8) === 0 ? [[null, null] as const] : []),
      )
      const [number, issuer] = one(["", ""], [`a${pick(2)}`, "HOSP"], [`a${pick(2)}`, "OTHER"]) as [string, string]
      const study = {
        person,
        uid: own,
        version: next(`study/${own}`),
        accession: number,
        issuer,
        modalities: [one("CT", "MR", "CR")],
        bodyParts: one(["CHEST"], []),
        first,
        last,
      }
      return { kind: "study", op, study }
    }
    const type = one(...types)
    const [letter, count] = names[type as keyof typeof names] ?? ["x", 4]
    const id = `${letter}${pick(count)}`
    const body = JSON.stringify({
      resourceType: type,
      id,
      meta: { lastUpdated: new Date(time()).toISOString() },
      ...makers[type]!(),
    })
    return { kind: "resource", op, resource: { person, type, id, version: next(`${type}/${id}`), body } }
  })
}

/** The issuers of accession numbers in these histories that mean the same one. */
export const issuers = [["HOSP", "http://hospital.example/acc"]] as const

/** What stands after a history: the last state of each row, unless it is a retract. */
export function finalState(history: readonly Event[]): { resources: OracleResource[]; studies: OracleStudy[] } {
  const last = new Map<string, Event>()
  for (const event of history)
    last.set(event.kind === "study" ? `s/${event.study.uid}` : `${event.resource.type}/${event.resource.id}`, event)
  const standing = [...last.values()].filter(({ op }) => op === "upsert")
  return {
    resources: standing.flatMap((event) => (event.kind === "resource" ? [event.resource] : [])),
    studies: standing.flatMap((event) => (event.kind === "study" ? [event.study] : [])),
  }
}
