import { unescape } from "./escape.ts"
import type { Message } from "./message.ts"
import { dayOf, startOf } from "./time.ts"

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
  "TXA-22",
  "PV1-52",
  "PD1-4",
  "EVN-5",
  "DG1-16",
  "PR1-8",
  "PR1-11",
  "PR1-12",
  "AIP-3",
  "SCH-12",
  "SCH-16",
  "SCH-20",
  "ROL-4",
  "PRT-5",
]
const nestedStaff = ["OBR-32", "OBR-33", "OBR-34", "OBR-35"]
const idFields = [
  "PID-2",
  "PID-3",
  "PID-4",
  "PID-18",
  "PID-19",
  "PID-20",
  "PID-21",
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
const addressFields = ["PID-11", "PID-23", "NK1-4", "GT1-5"]
const orderFields = ["OBR-2", "OBR-3", "OBR-18", "ORC-2", "ORC-3", "IPC-1"]

/** A component of a field as it is written. */
interface Part {
  /** Without escapes. */
  readonly text: string
  /** The same of each subcomponent. */
  readonly subs: readonly string[]
}

const noPart: Part = { text: "", subs: [] }

/** The components of each repetition of a field, of all segments of a name. */
function all(message: Message, path: string): readonly (readonly Part[])[] {
  const [name, field] = path.split("-") as [string, string]
  return message.segments.flatMap((segment) => {
    const raw = segment.name === name ? (segment.fields[Number(field)] ?? "") : ""
    return raw === "" || raw === '""' ? [] : partsOf(raw, message)
  })
}

/** The components of each repetition of a field. */
function partsOf(raw: string, message: Message): readonly (readonly Part[])[] {
  const { repetition, component, subcomponent } = message.delimiters
  const read = (text: string) => unescape(text, message).text
  const split = (text: string, by: string) => (by === "" ? [text] : text.split(by))
  return split(raw, repetition).map((each) =>
    each.split(component).map((part) => ({ text: read(part), subs: split(part, subcomponent).map(read) })),
  )
}

const told = (...texts: readonly (string | undefined)[]): readonly string[] =>
  texts.flatMap((text) => (text === undefined || text.trim() === "" ? [] : [text.trim()]))

/** The namespace of a hierarchic designator (HD): its name, else its universal id. */
export const issuerOf = (designator: string | undefined, subcomponent: string): string => {
  const [name = "", universal = ""] = (designator ?? "").split(subcomponent || "&")
  return (name || universal).trim()
}

const hierarchic = ({ subs }: Part): string => ((subs[0] ?? "") || (subs[1] ?? "")).trim()

function patientId(parts: readonly Part[]): readonly PatientId[] {
  const value = (parts[0] ?? noPart).text.trim()
  if (value === "") return []
  return [{ value, authority: hierarchic(parts[3] ?? noPart), type: (parts[4] ?? noPart).text.trim() }]
}

/** The ids of PID-3 of all PID segments, as they stand. */
export const patientIds = (message: Message): readonly PatientId[] => all(message, "PID-3").flatMap(patientId)

/** The ids in a field of a message (CX). */
export const idsIn = (raw: string, message: Message): readonly PatientId[] => partsOf(raw, message).flatMap(patientId)

/** Numbers and addresses of a contact (XTN): as one text, in parts, mail. */
const phonesOf = (parts: readonly Part[]): readonly string[] =>
  told(parts[0]?.text, parts[3]?.text, `${parts[5]?.text ?? ""}${parts[6]?.text ?? ""}`, parts[11]?.text)

/** Fields of staff hold other things by mistake: a text with figures or of many words is no name. */
const isName = ({
  family,
  given,
}: {
  readonly family: readonly string[]
  readonly given: readonly string[]
}): boolean => [...family, ...given].every((part) => !/\d/.test(part) && part.split(/\s+/).length <= 3)

/** A name of a family name (FN: the surname, its parts, those of a partner), a given one and further ones. */
const nameFrom = (family: Part | undefined, ...given: readonly (Part | undefined)[]) => ({
  family: told(...(family ?? noPart).subs),
  given: told(...given.map((part) => part?.text)),
})

/** A street without the number of the house, of two words or more: a single one may be any. */
const streetOf = (line = ""): string | undefined =>
  /^(?:\d+\p{L}?[\s,]+)(\S+\s+\S.*)$/u.exec(line.trim())?.[1] ??
  /^(\S+\s+\S.*?)[\s,]+\d+\p{L}?$/u.exec(line.trim())?.[1]

/** Everything in a message that names its patient, their relatives and those who treat them. */
export function identifiersOf(message: Message): Identifiers {
  const of = (paths: readonly string[]) => paths.flatMap((path) => all(message, path))
  const names = of(nameFields).map((parts) => nameFrom(parts[0], parts[1], parts[2]))
  const staff = of(staffFields).map((parts) => nameFrom(parts[1], parts[2], parts[3]))
  const nested = of(nestedStaff).map(([first]) => {
    const [, family, given, more] = (first ?? noPart).subs
    return { family: told(family), given: told(given, more) }
  })
  return {
    names: [...names, ...[...staff, ...nested].filter(isName)].filter(
      ({ family, given }) => family.length + given.length > 0,
    ),
    ids: [...of(idFields).flatMap((parts) => told(parts[0]?.text)), ...of(phoneFields).flatMap(phonesOf)],
    orders: of(orderFields).flatMap((parts) =>
      told(parts[0]?.text).map((value) => ({ value, issuer: hierarchic(parts[1] ?? noPart) })),
    ),
    birthDates: all(message, "PID-7").flatMap(([time]) => told(dayOf(time?.text ?? ""))),
    places: of(addressFields).flatMap((parts) =>
      told(parts[0]?.subs[0], streetOf(parts[0]?.subs[0]), parts[1]?.text, parts[2]?.text, parts[4]?.text),
    ),
  }
}

/** Birth dates that a message states, as exactly as it does: yyyy-mm-dd or the start of one. */
export const birthStarts = (message: Message): readonly string[] =>
  all(message, "PID-7").flatMap(([time]) => told(startOf(time?.text ?? "")))

/** The clinical day of a message: of its result, its visit, its event, its making; yyyy-mm-dd. */
export function dayOfMessage(message: Message): string | undefined {
  for (const path of ["OBR-7", "OBR-22", "PV1-44", "AIS-4", "EVN-6", "EVN-2", "MSH-7"])
    for (const [time] of all(message, path)) {
      const day = dayOf(time?.text ?? "")
      if (day !== undefined) return day
    }
  return undefined
}
