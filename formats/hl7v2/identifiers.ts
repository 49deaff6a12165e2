import { unescape } from "./escape.ts"
import type { Message, Segment } from "./message.ts"
import { dayOf } from "./time.ts"

/** An identifier of a patient (CX): its value and who gave it. */
export interface PatientId {
  readonly value: string
  /** Namespace id of the assigning authority, else its universal id; empty when none is stated. */
  readonly authority: string
  /** Identifier type code (HL7 table 0203), as MR or SS; empty when none is stated. */
  readonly type: string
}

/** What a message says of who it is about, as the search of its texts needs it. */
export interface Identifiers {
  readonly names: readonly { readonly family: readonly string[]; readonly given: readonly string[] }[]
  /** Patient ids, and all other numbers of the patient. */
  readonly ids: readonly string[]
  /** Accession, placer and filler numbers, with their issuers. */
  readonly orders: readonly { readonly value: string; readonly issuer: string }[]
  readonly birthDates: readonly string[]
  readonly places: readonly string[]
}

/** Fields of names (XPN, XCN with its id before the name), numbers, addresses and orders. */
const nameFields = ["PID-5", "PID-6", "PID-9", "NK1-2", "GT1-3", "MRG-7", "IN1-16"]
const staffFields = [
  "PV1-7",
  "PV1-8",
  "PV1-9",
  "PV1-17",
  "OBR-10",
  "OBR-16",
  "OBR-28",
  "OBX-16",
  "ORC-10",
  "ORC-11",
  "ORC-12",
  "ORC-19",
  "TXA-5",
  "TXA-9",
  "TXA-10",
  "TXA-11",
]
const nestedStaff = ["OBR-32", "OBR-33", "OBR-34", "OBR-35"]
const idFields = [
  "PID-2",
  "PID-3",
  "PID-4",
  "PID-18",
  "PID-19",
  "PID-20",
  "PV1-19",
  "PV1-50",
  "MRG-1",
  "MRG-3",
  "MRG-4",
  "IN1-36",
  "GT1-2",
  "GT1-12",
]
const phoneFields = ["PID-13", "PID-14", "NK1-5", "NK1-6", "GT1-6", "GT1-7"]
const addressFields = ["PID-11", "NK1-4", "GT1-5"]
const orderFields = ["OBR-2", "OBR-3", "OBR-18", "ORC-2", "ORC-3", "IPC-1"]

/** The parts of the values of a field: repetitions, then components. */
export function partsOf(segment: Segment, field: number, { delimiters }: Message): readonly (readonly string[])[] {
  const raw = segment.fields[field] ?? ""
  if (raw === "" || raw === '""') return []
  const repetitions = delimiters.repetition === "" ? [raw] : raw.split(delimiters.repetition)
  return repetitions.map((each) => each.split(delimiters.component).map((part) => unescape(part, delimiters).text))
}

function all(message: Message, path: string): readonly (readonly string[])[] {
  const [name, field] = path.split("-") as [string, string]
  return message.segments.flatMap((segment) => (segment.name === name ? partsOf(segment, Number(field), message) : []))
}

const told = (...texts: readonly (string | undefined)[]): readonly string[] =>
  texts.flatMap((text) => (text === undefined || text.trim() === "" ? [] : [text.trim()]))

/** The namespace of a hierarchic designator (HD): its name, else its universal id. */
export const issuerOf = (designator: string | undefined, subcomponent: string): string => {
  const [name = "", universal = ""] = (designator ?? "").split(subcomponent || "&")
  return (name || universal).trim()
}

/** The ids of PID-3 of all PID segments, as they stand. */
export const patientIds = (message: Message): readonly PatientId[] =>
  all(message, "PID-3").flatMap((parts) => {
    const value = (parts[0] ?? "").trim()
    return value === ""
      ? []
      : [{ value, authority: issuerOf(parts[3], message.delimiters.subcomponent), type: (parts[4] ?? "").trim() }]
  })

/** Fields of staff hold other things by mistake: a text with figures or of many words is no name. */
const isName = ({
  family,
  given,
}: {
  readonly family: readonly string[]
  readonly given: readonly string[]
}): boolean => [...family, ...given].every((part) => !/\d/.test(part) && part.split(/\s+/).length <= 3)

/** Everything in a message that names its patient, their relatives and those who treat them. */
export function identifiersOf(message: Message): Identifiers {
  const { subcomponent } = message.delimiters
  const family = (part: string | undefined) => told((part ?? "").split(subcomponent || "&")[0])
  const names = nameFields
    .flatMap((path) => all(message, path))
    .map((parts) => ({ family: family(parts[0]), given: told(parts[1], parts[2]) }))
  const staff = staffFields
    .flatMap((path) => all(message, path))
    .map((parts) => ({ family: family(parts[1]), given: told(parts[2], parts[3]) }))
  const nested = nestedStaff
    .flatMap((path) => all(message, path))
    .map(([first = ""]) => {
      const parts = first.split(subcomponent || "&")
      return { family: told(parts[1]), given: told(parts[2], parts[3]) }
    })
  const addresses = addressFields.flatMap((path) => all(message, path))
  return {
    names: [...names, ...[...staff, ...nested].filter(isName)].filter(
      ({ family: last, given }) => last.length + given.length > 0,
    ),
    ids: [
      ...idFields.flatMap((path) => all(message, path)).flatMap((parts) => told(parts[0])),
      ...phoneFields.flatMap((path) => all(message, path)).flatMap((parts) => told(parts[0], parts[11])),
    ],
    orders: orderFields
      .flatMap((path) => all(message, path))
      .flatMap((parts) => told(parts[0]).map((value) => ({ value, issuer: issuerOf(parts[1], subcomponent) }))),
    birthDates: all(message, "PID-7").flatMap(([time]) => told(dayOf(time ?? ""))),
    places: addresses.flatMap((parts) =>
      told((parts[0] ?? "").split(subcomponent || "&")[0], parts[1], parts[2], parts[4]),
    ),
  }
}

/** The clinical day of a message: of its result, its visit, its event, its making; yyyy-mm-dd. */
export function dayOfMessage(message: Message): string | undefined {
  for (const path of ["OBR-7", "OBR-22", "PV1-44", "AIS-4", "EVN-6", "EVN-2", "MSH-7"])
    for (const [time] of all(message, path)) {
      const day = dayOf(time ?? "")
      if (day !== undefined) return day
    }
  return undefined
}
