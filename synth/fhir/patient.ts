import { dateTimeOf, moment } from "../calendar.ts"
import type { WaveName } from "../calendar.ts"
import type { Person } from "../person.ts"
import type { PersonPlan } from "../plan.ts"
import { systems } from "../systems.ts"
import { doctorOf } from "./directory.ts"
import { meta, reference, told } from "./resource.ts"
import type { Line, Resource } from "./resource.ts"

const core = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
const race = "urn:oid:2.16.840.1.113883.6.238"

const category = (name: "race" | "ethnicity", code: string, display: string) => ({
  url: `${core}${name}`,
  extension: [
    { url: "ombCategory", valueCoding: { system: race, code, display } },
    { url: "text", valueString: display },
  ],
})

const usCore = ({ usCore: has, sex }: Person) =>
  has
    ? {
        extension: [
          category("race", "2106-3", "White"),
          category("ethnicity", "2186-5", "Not Hispanic or Latino"),
          { url: `${core}birthsex`, valueCode: sex },
        ],
      }
    : {}

const typed = (code: string, system: string, value: string) => ({
  type: { coding: [{ system: systems.identifierType, code }] },
  system,
  value,
})

const identifiers = (person: Person, replaces: Person | undefined) => [
  { use: "usual", ...typed("MR", systems.mrn, person.mrn) },
  typed("MB", systems.insurance, person.insurance),
  typed("SS", systems.ssn, person.ssn),
  ...(replaces === undefined ? [] : [{ use: "old", ...typed("MR", systems.mrn, replaces.mrn) }]),
]

const whole = ({ given, family }: Person) => `${given} ${family}`

const demographics = (person: Person): object => ({
  text: {
    status: "generated",
    div: `<div xmlns="http://www.w3.org/1999/xhtml">${whole(person).replace("'", "&#39;")}, MRN ${person.mrn}</div>`,
  },
  ...usCore(person),
  name: [{ use: "official", text: whole(person), family: person.family, given: [person.given] }],
  telecom: [
    { system: "phone", value: person.phone, use: "home" },
    { system: "email", value: person.email },
  ],
  gender: person.sex === "F" ? "female" : "male",
  birthDate: person.birthDate,
  address: [
    {
      use: "home",
      text: `${person.street}, ${person.city} ${person.state} ${person.postalCode}`,
      line: [person.street],
      city: person.city,
      state: person.state,
      postalCode: person.postalCode,
      country: "US",
    },
  ],
  contact: [{ relationship: [{ text: "mother" }], name: { family: person.mother, given: [person.given] } }],
})

type Change = Readonly<Record<string, unknown>>

function patient(plan: PersonPlan, version: number, day: number, change: Change, replaces?: Person): Resource {
  const { person } = plan
  return {
    resourceType: "Patient",
    id: person.patientId,
    ...meta(version, moment(day, 9) + (plan.index % 60), person.random),
    ...demographics(person),
    identifier: identifiers(person, replaces),
    active: true,
    generalPractitioner: [doctorOf(plan)],
    ...change,
  }
}

const link = (type: "replaced-by" | "replaces", other: Person) => ({
  link: [{ other: reference("Patient", other.patientId), type }],
})

function second(plan: PersonPlan): readonly Line[] {
  const { partner } = plan
  const wave: WaveName = "wave2"
  if (plan.has("died")) {
    const change = { deceasedDateTime: dateTimeOf(moment(320, 4)) }
    return [told(wave, patient(plan, 2, 321, change))]
  }
  if (partner === undefined) return []
  if (plan.has("merged-into")) return [told(wave, patient(plan, 2, 325, link("replaces", partner), partner))]
  return [told(wave, patient(plan, 2, 325, { active: false, ...link("replaced-by", partner) }))]
}

/** The versions of a Patient: registered early, or late; died, or merged, in wave 2. */
export const patientLines = (plan: PersonPlan): readonly Line[] => [
  plan.has("late-patient") ? told("wave2", patient(plan, 1, 311, {})) : told("wave1", patient(plan, 1, 2, {})),
  ...second(plan),
]
