import { interval } from "../time.ts"
import { greatestAge, shiftDate, yearOf } from "./date.ts"
import { isStandardSystem } from "./allow-list.ts"
import { broadAddress, townAddress } from "./geography.ts"
import { isObject, objects, text } from "./json.ts"
import type { Json } from "./json.ts"
import type { Mapping } from "./mapping.ts"

const systemPattern =
  /^(?:https?:\/\/[A-Za-z0-9.-]{1,100}(?::\d{1,5})?(?:\/[A-Za-z0-9._~%/#-]{0,150})?|urn:[a-z0-9-]{2,20}:[A-Za-z0-9._:-]{1,150})$/
const codePattern = /^[A-Za-z0-9[{(%<>"'*/+-][A-Za-z0-9._:|/+*^()[\]{}%'"<>=,#-]{0,63}$/
const datePattern = /\d{4}-\d\d-\d\d/
const uidPattern = /^(?=.{3,64}$)\d+(?:\.\d+)+$/
const dicomRoot = /^(?:urn:oid:)?1\.2\.840\.10008\.[0-9.]{1,50}$/
const uris = "urn:ietf:rfc:3986"
const dicomUid = "urn:dicom:uid"
const identifierTypes = "http://terminology.hl7.org/CodeSystem/v2-0203"

/** True for what can be a code: no white space, no date, no mail address, 64 characters at most. */
export function isCode(system: string, code: string): boolean {
  if (system === "" || code === "" || system.length > longestSystem || code.length > longestCode) return false
  let known = codes.get(system)
  if (known === undefined) {
    if (codes.size >= mostSystems) codes.clear()
    codes.set(system, (known = new Map()))
  }
  let answer = known.get(code)
  if (answer === undefined) {
    if (known.size >= mostCodes) known.clear()
    known.set(code, (answer = systemPattern.test(system) && codePattern.test(code) && !datePattern.test(code)))
  }
  return answer
}

// What the patterns let through at most. Few codes make most of what comes, so answers are remembered.
const [longestSystem, longestCode] = [300, 64]
const [mostSystems, mostCodes] = [100, 2000]
const codes = new Map<string, Map<string, boolean>>()

// In a system that nobody published: numbers of nine figures and more, of social security, of telephones, and days.
const numbered =
  /\d{9}|(?<!\d)\d{3}[-.]\d{2}[-.]\d{4}(?!\d)|(?<!\d)\d{3}[-.]\d{3}[-.]\d{4}(?!\d)|(?<!\d)(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)/

/** Why a code may name somebody, although it has the form of one; undefined for what may be told. */
function named(system: string, code: string, { isOwn }: Mapping): string | undefined {
  if (isStandardSystem(system)) return undefined
  if (isOwn?.(code, false) === true || isOwn?.(system, true) === true) return "own-identifier"
  return numbered.test(code) ? "code-like-a-number" : undefined
}

/** A Coding: system and code; a display is free text in practice and goes. */
export function coding(value: unknown, mapping: Mapping): Json | undefined {
  if (!isObject(value)) return undefined
  const [system, code] = [text(value["system"]), text(value["code"])]
  const why = !isCode(system, code) || (system === uris && !dicomRoot.test(code)) ? "coding-not-a-code" : undefined
  const reason = why ?? named(system, code, mapping)
  if (reason === undefined) return { system, code }
  mapping.left(reason)
  return undefined
}

/** A class of DICOM instances, as a Coding; private ones go, their UID has a maker's root. */
export function sopClass(value: unknown, mapping: Mapping): Json | undefined {
  const found = coding(value, mapping)
  return found !== undefined && dicomRoot.test(text(found["code"])) ? found : undefined
}

const comparators = new Set(["<", "<=", ">=", ">"])

/** A Quantity; its unit stays only when it is the code or valid UCUM. */
export function quantity(value: unknown, mapping: Mapping): Json | undefined {
  if (!isObject(value) || typeof value["value"] !== "number") return undefined
  const { isUnit, left } = mapping
  const [system, code, unit] = [text(value["system"]), text(value["code"]), text(value["unit"])]
  const coded = isCode(system, code) && named(system, code, mapping) === undefined
  const readable = unit !== "" && ((coded && unit === code) || isUnit(unit))
  if (unit !== "" && !readable && !coded) left("unit-not-a-unit")
  return {
    value: value["value"],
    ...(comparators.has(text(value["comparator"])) ? { comparator: value["comparator"] } : {}),
    ...(readable ? { unit } : {}),
    ...(coded ? { system, code } : {}),
  }
}

// UCUM codes of time, in years; what an age is stated in.
const years: Readonly<Record<string, number>> = {
  a: 1,
  mo: 1 / 12,
  wk: 7 / 365.25,
  d: 1 / 365.25,
  h: 1 / 8766,
  min: 1 / 525_960,
}

/** An age: 90 years and more become `>= 90 a`; an age without a readable unit is taken for years.
 * @param value a Quantity that `quantity` made */
export function cappedAge(value: Json): Json {
  const unit = text(value["code"]) || text(value["unit"]) || "a"
  const inYears = Number(value["value"]) * (years[unit] ?? 1) + 1e-9
  const open = text(value["comparator"]).startsWith(">")
  if (inYears < (open ? greatestAge : greatestAge + 1)) return value
  return { value: greatestAge + 1, comparator: ">=", unit: "a", system: "http://unitsofmeasure.org", code: "a" }
}

/** A range of ages, whose ends have no comparator: one from 90 on begins there, and one that goes on to 90 has no end. */
export function ageRange(value: unknown, mapping: Mapping): Json | undefined {
  if (!isObject(value)) return undefined
  const [low, high] = [value["low"], value["high"]].map((end) => {
    const read = quantity(end, mapping)
    return read === undefined ? undefined : cappedAge(read)
  })
  const { comparator: _, ...from } = low ?? {}
  const told = {
    ...(low === undefined ? {} : { low: from }),
    ...(high === undefined || high["comparator"] !== undefined ? {} : { high }),
  }
  return Object.keys(told).length === 0 ? undefined : told
}

const sample = /^(?:[+-]?\d{1,8}(?:\.\d{1,8})?(?:[eE][+-]?\d{1,2})?|[EUL])$/

/** The data of a SampledData: numbers and the letters E, U and L between blanks. */
export const samples = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" && value.split(" ").every((one) => sample.test(one)) ? value : undefined

export const currency = (value: unknown): string | undefined =>
  /^[A-Z]{3}$/.test(text(value)) ? text(value) : undefined

/** What an answer answers to: numbers between dots as they are, anything else by its code, the same for every answer. */
export function linkId(value: unknown, { identifier }: Mapping): string | undefined {
  const id = text(value)
  if (id === "") return undefined
  return /^\d{1,3}(?:[.-]\d{1,3}){0,8}$/.test(id) ? id : identifier("linkId", id)
}

/** A mapping as one resource is mapped with it. */
export interface OwnMapping extends Mapping {
  /** Of the person, FHIR date; null when it is not known. */
  readonly birthDate: string | null
  /** Whether the person may be 90 or more when the resource is of. */
  readonly isOld: boolean
}

/** A date that somebody gave: the birth date goes, whatever was asked for. */
export function answerDate(value: unknown, mapping: OwnMapping): string | undefined {
  const { birthDate: born, profile } = mapping
  if (profile === "limited-data-set" || born === null || !text(value).startsWith(born)) return date(value, mapping)
  mapping.left("birth-date")
  return undefined
}

const greatestNumber = 130

/** A number that somebody gave: of a person who may be 90 or more, one that may be their age goes, whatever was asked for. */
export function answerNumber(value: unknown, { isOld, profile, left }: OwnMapping): number | undefined {
  if (typeof value !== "number") return undefined
  const isAge = isOld && profile !== "limited-data-set" && value > greatestAge && value < greatestNumber
  if (isAge) left("number-like-an-age")
  return isAge ? undefined : value
}

/** A date, dateTime or instant, as the profile tells it. */
export function date(value: unknown, mapping: OwnMapping): string | undefined {
  if (typeof value !== "string") return undefined
  const told = toldDate(value, mapping)
  if (told === undefined) mapping.left(interval(value) === undefined ? "date-unreadable" : "date-not-told")
  return told
}

function toldDate(value: string, { profile, shiftDays, local, birthDate }: OwnMapping): string | undefined {
  if (profile === "safe-harbor") return yearOf(value, birthDate, local)
  if (profile === "limited-data-set") return interval(value) === undefined ? undefined : value
  return shiftDate(value, shiftDays, local)
}

/** An instant, which has no form that tells a year alone (FHIR R4, 2.24.0.1). */
export function instant(value: unknown, mapping: OwnMapping): string | undefined {
  if (mapping.profile !== "safe-harbor") return date(value, mapping)
  mapping.left("instant")
  return undefined
}

/** An address, as the profile tells it. */
export function address(value: unknown, { profile }: Mapping): Json | undefined {
  if (profile === "safe-harbor") return broadAddress(value)
  return profile === "limited-data-set" ? townAddress(value) : undefined
}

/** A birth date, which only a limited data set tells. */
export const birthDate = (value: unknown, mapping: OwnMapping): string | undefined =>
  mapping.profile === "limited-data-set" ? date(value, mapping) : undefined

/** A UID, bare or as `urn:oid:`. */
export function uid(value: unknown, mapping: Mapping): string | undefined {
  const whole = text(value)
  const prefix = whole.startsWith("urn:oid:") ? "urn:oid:" : ""
  const bare = whole.slice(prefix.length)
  return uidPattern.test(bare) ? prefix + mapping.uid(bare) : undefined
}

/** An identifier that names a DICOM object by UID. */
export function uidIdentifier(identifier: Json, mapping: Mapping): Json | undefined {
  const [system, value] = [text(identifier["system"]), text(identifier["value"])]
  if (system !== dicomUid && !(system === uris && value.startsWith("urn:oid:"))) return undefined
  const mapped = uid(value, mapping)
  return mapped === undefined ? undefined : { system, value: mapped }
}

/** An accession number, as its pseudonym; the system goes into the pseudonym as its issuer. */
export function accession(identifier: unknown, mapping: Mapping): Json | undefined {
  if (!isObject(identifier) || text(identifier["value"]).trim() === "") return undefined
  const value = mapping.accession(text(identifier["system"]).trim(), text(identifier["value"]).trim())
  return { type: { coding: [{ system: identifierTypes, code: "ACSN" }] }, value }
}

const isAccession = (identifier: Json): boolean =>
  isObject(identifier["type"]) && objects(identifier["type"]["coding"]).some(({ code }) => code === "ACSN")

/** An identifier that is a UID or an accession number; all others go. */
export const identifier = (value: unknown, mapping: Mapping): Json | undefined => {
  if (!isObject(value)) return undefined
  return isAccession(value) ? accession(value, mapping) : uidIdentifier(value, mapping)
}
