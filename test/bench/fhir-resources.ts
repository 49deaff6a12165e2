import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"

/** The system of the medical record numbers of the Patients. */
export const mrnSystem = "http://hospital.example/mrn"

type Json = Readonly<Record<string, unknown>>

/** Numbers from a seed, 0 <= n < most (Numerical Recipes' LCG): the same files in every run. */
function numbers(seed: number): (most: number) => number {
  let state = seed >>> 0
  return (most) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * most)
  }
}

const hex = (number: number, digits: number) => number.toString(16).padStart(digits, "0")
const uuid = (kind: number, number: number) => `${hex(kind, 8)}-4f2a-4b6e-8d31-${hex(number * 7919 + 11, 12)}`
const terms = (system: string, code: string, display: string) => ({
  coding: [{ system, code, display }],
  text: display,
})
const moment = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}-05:00`
const meta = (ms: number, profile: string) => ({
  versionId: "1",
  lastUpdated: new Date(ms).toISOString(),
  source: "urn:hospital:ehr#interface-07",
  profile: [`http://hl7.org/fhir/us/core/StructureDefinition/${profile}`],
})

const families = ["Testperson", "Sample", "Probe", "Specimen", "Example", "Muster"]
const given = ["Alva", "Bruno", "Carla", "Dario", "Elsa", "Fritz", "Greta"]
const nameOf = (person: number) => ({
  family: `${families[person % 6]}-${hex(person, 3)}`,
  given: [given[person % 7]!, "M."],
})
const labs = [
  ["2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL"],
  ["718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL"],
  ["2339-0", "Glucose [Mass/volume] in Blood", "mg/dL"],
  ["2951-2", "Sodium [Moles/volume] in Serum or Plasma", "mmol/L"],
  ["6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*3/uL"],
] as const
const problems = [
  ["44054006", "Diabetes mellitus type 2 (disorder)", "E11.9"],
  ["38341003", "Hypertensive disorder, systemic arterial (disorder)", "I10"],
  ["254637007", "Non-small cell lung cancer (disorder)", "C34.90"],
] as const

/** Who, where and when a resource is of. */
interface Occasion {
  readonly person: number
  readonly encounter: number
  readonly at: number
  readonly number: number
}

const subject = ({ person }: Occasion) => ({
  reference: `Patient/${uuid(1, person)}`,
  display: `${nameOf(person).given[0]} ${nameOf(person).family}`,
})
const doctor = (number: number) => ({
  reference: `Practitioner/${uuid(9, number % 40)}`,
  display: `Dr. Whitcombe ${number % 40}`,
})
const lineOf = (number: number) =>
  `Entered by interface 07, message ${100_000 + number}; verified on the ward, see chart.`

function patient(person: number, start: number): Json {
  const { family, given: first } = nameOf(person)
  return {
    resourceType: "Patient",
    id: uuid(1, person),
    meta: meta(start, "us-core-patient"),
    text: { status: "generated", div: `<div xmlns="http://www.w3.org/1999/xhtml">${first[0]} ${family}</div>` },
    identifier: [
      {
        use: "usual",
        type: terms("http://terminology.hl7.org/CodeSystem/v2-0203", "MR", "Medical record number"),
        system: mrnSystem,
        value: `MRN-${700_000 + person}`,
      },
      {
        type: terms("http://terminology.hl7.org/CodeSystem/v2-0203", "SS", "Social Security number"),
        system: "http://hl7.org/fhir/sid/us-ssn",
        value: `999-${10 + (person % 89)}-${1000 + person}`,
      },
    ],
    active: true,
    name: [{ use: "official", text: `${first[0]} ${family}`, family, given: first }],
    telecom: [{ system: "phone", value: `+1-555-01${hex(person, 2)}-${1000 + person}`, use: "home" }],
    gender: person % 2 === 0 ? "female" : "male",
    birthDate: `${1930 + (person % 60)}-0${1 + (person % 9)}-1${person % 10}`,
    address: [
      {
        use: "home",
        line: [`${12 + person} Larkspur Terrace`],
        city: "Halloway",
        state: "MA",
        postalCode: `02${100 + person}`,
        country: "US",
      },
    ],
    generalPractitioner: [doctor(person)],
  }
}

const encounter = (of: Occasion): Json => ({
  resourceType: "Encounter",
  id: uuid(2, of.encounter),
  meta: meta(of.at + 7_200_000, "us-core-encounter"),
  identifier: [{ use: "official", system: "http://hospital.example/visit", value: `V-${3_000_000 + of.encounter}` }],
  status: "finished",
  class: { system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "AMB", display: "ambulatory" },
  type: [terms("http://snomed.info/sct", "185349003", "Encounter for check up (procedure)")],
  serviceType: terms("http://terminology.hl7.org/CodeSystem/service-type", "57", "Immunization"),
  subject: subject(of),
  participant: [
    {
      type: [terms("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "PPRF", "primary performer")],
      period: { start: moment(of.at), end: moment(of.at + 3_600_000) },
      individual: doctor(of.number),
    },
  ],
  period: { start: moment(of.at), end: moment(of.at + 3_600_000) },
  reasonCode: [terms("http://snomed.info/sct", "390906007", "Follow-up encounter (procedure)")],
  location: [
    { location: { reference: `Location/${uuid(8, of.number % 12)}`, display: "Outpatient clinic, second floor" } },
  ],
  serviceProvider: { reference: `Organization/${uuid(7, 1)}`, display: "General Hospital, Halloway" },
})

function condition(of: Occasion, pick: (most: number) => number): Json {
  const [code, display, icd] = problems[pick(problems.length)]!
  const concept = terms("http://snomed.info/sct", code, display)
  return {
    resourceType: "Condition",
    id: uuid(3, of.number),
    meta: meta(of.at + 3_600_000, "us-core-condition-encounter-diagnosis"),
    clinicalStatus: terms("http://terminology.hl7.org/CodeSystem/condition-clinical", "active", "Active"),
    verificationStatus: terms("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed", "Confirmed"),
    category: [
      terms("http://terminology.hl7.org/CodeSystem/condition-category", "encounter-diagnosis", "Encounter Diagnosis"),
    ],
    code: {
      ...concept,
      coding: [...concept.coding, { system: "http://hl7.org/fhir/sid/icd-10-cm", code: icd, display }],
    },
    subject: subject(of),
    encounter: { reference: `Encounter/${uuid(2, of.encounter)}` },
    onsetDateTime: moment(of.at - 86_400_000 * pick(400)),
    recordedDate: moment(of.at),
    recorder: doctor(of.number),
    note: [{ text: lineOf(of.number) }],
  }
}

function observation(of: Occasion, pick: (most: number) => number): Json {
  const [code, display, unit] = labs[pick(labs.length)]!
  const quantity = (value: number) => ({ value, unit, system: "http://unitsofmeasure.org", code: unit })
  return {
    resourceType: "Observation",
    id: uuid(4, of.number),
    meta: meta(of.at + 5_400_000, "us-core-observation-lab"),
    identifier: [{ system: "http://hospital.example/result", value: `R-${5_000_000 + of.number}` }],
    status: "final",
    category: [terms("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory", "Laboratory")],
    code: terms("http://loinc.org", code, display),
    subject: subject(of),
    encounter: { reference: `Encounter/${uuid(2, of.encounter)}` },
    effectiveDateTime: moment(of.at + 1_800_000),
    issued: moment(of.at + 5_400_000),
    performer: [doctor(of.number)],
    valueQuantity: quantity(10 + pick(900) / 10),
    interpretation: [terms("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "N", "Normal")],
    note: [{ text: lineOf(of.number) }],
    specimen: { reference: `Specimen/${uuid(6, of.number)}`, display: "Venous blood" },
    referenceRange: [{ low: quantity(12.5), high: quantity(77.5), text: `12.5 to 77.5 ${unit}` }],
  }
}

/** What was written. */
export interface Written {
  readonly resources: number
  readonly bytes: number
}

/** Writes an export of patients with 5 conditions, 19 encounters and 75 observations each, a file a type as servers export them:
 * in the order of their names Patient is last, so that everything waits for its Patient. */
export async function writeExport(folder: string, patients: number): Promise<Written> {
  const pick = numbers(7)
  const start = Date.UTC(2015, 0, 1)
  const files: Record<"Condition" | "Encounter" | "Observation" | "Patient", Json[]> = {
    Condition: [],
    Encounter: [],
    Observation: [],
    Patient: Array.from({ length: patients }, (_, person) => patient(person, start)),
  }
  const [visits, results, diagnoses] = [19, 75, 5]
  const at = Array.from({ length: patients * visits }, () => start + pick(3000) * 86_400_000 + pick(86_400) * 1000)
  const occasions = (count: number) =>
    Array.from({ length: patients * count }, (_, number): Occasion => {
      const person = Math.floor(number / count)
      const visit = person * visits + (number % visits)
      return { person, encounter: visit, at: at[visit]!, number }
    })
  for (const of of occasions(visits)) files.Encounter.push(encounter(of))
  for (const of of occasions(diagnoses)) files.Condition.push(condition(of, pick))
  for (const of of occasions(results)) files.Observation.push(observation(of, pick))
  await mkdir(folder, { recursive: true })
  let bytes = 0
  for (const [type, list] of Object.entries(files)) {
    const text = list.map((resource) => `${JSON.stringify(resource)}\n`).join("")
    bytes += Buffer.byteLength(text)
    await writeFile(join(folder, `${type}.ndjson`), text)
  }
  return { resources: Object.values(files).reduce((sum, list) => sum + list.length, 0), bytes }
}
