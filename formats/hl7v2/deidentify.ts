import table from "./data/segments.json" with { type: "json" }
import { Hl7Error } from "./errors.ts"
import { escape, spliced, unescape } from "./escape.ts"
import type { Replaced } from "./escape.ts"
import { dayOfMessage, identifiersOf, issuerOf, patientIds } from "./identifiers.ts"
import type { Message, Segment } from "./message.ts"
import { shiftTime, yearsBetween } from "./time.ts"
import type { LocalTime } from "./time.ts"

/** The functions that take identity out of a message; the same for every format of a project. */
export interface Hl7Mapping {
  /** Pseudonym of the person that the message is about. */
  readonly person: string
  /** Days by which the person's dates go back. */
  readonly shiftDays: number
  /** The clock whose time of day is told of times that state an offset; that of each text unless given. */
  readonly local?: LocalTime
  identifier(namespace: string, value: string): string
  accession(issuer: string, value: string): string
  uid(uid: string): string
  /** The replacements that a text needs, in order. */
  clean(text: string): readonly Replaced[]
  /** Whether a text says an identifier of the person: no code does. */
  isOwn(text: string): boolean
  /** Something was left out: where, and why (a code). */
  left(path: string, reason: string): void
}

/** How messages are de-identified. */
export interface Hl7Options {
  /** Dates move by whole days. Other profiles are named in errors only, until they are there. */
  readonly profile?: "shifted"
  /** Segments beyond the table, such as Z-segments, with the rules of their fields; `ZDS` alone takes the rules of IHE. */
  readonly allow?: Readonly<Record<string, Readonly<Record<string, string>>>> | readonly string[]
}

/** A message without identity. */
export interface CleanMessage {
  readonly message: Message
  /** Of the patient on the day of the message, whole years; 90 stands for 90 and more. */
  readonly age: number | undefined
}

/** The greatest age that is told as it is (45 CFR 164.514(b)(2)(i)(C)). */
const greatestAge = 89
const token = /^[A-Za-z0-9._+/-]{1,20}$/
const code = /^[A-Za-z0-9[{(%<>*/+-][A-Za-z0-9._:|/+*^()[\]{}%'<>=,#-]{0,63}$/
const number = /^[<>=]{0,2}[+-]?\d{1,12}(?:\.\d{1,12})?$/
const uidPattern = /^(?=.{3,64}$)\d+(?:\.\d+)+$/
const registered = /^1\.2\.840\.10008\.[0-9.]{1,50}$/
/** A date where a code is expected. */
const dated = /(?:18|19|20)\d\d-\d\d-\d\d|^(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$/

type Rules = Readonly<Record<string, string>>
const segments: Readonly<Record<string, Rules>> = table.segments
const optional: Readonly<Record<string, Rules>> = table.optional
const ageCodes: ReadonlySet<string> = new Set(table.ageCodes)
const birthDateCodes: ReadonlySet<string> = new Set(table.birthDateCodes)

function allowedOf({ allow = {} }: Hl7Options): ReadonlyMap<string, Rules> {
  const more = Array.isArray(allow)
    ? Object.fromEntries(allow.map((name: string) => [name, optional[name] ?? {}]))
    : allow
  return new Map([...Object.entries(segments), ...Object.entries(more as Readonly<Record<string, Rules>>)])
}

/** One message on its way. */
class Passage {
  readonly #message: Message
  readonly #its: Hl7Mapping
  readonly #rules: ReadonlyMap<string, Rules>

  constructor(message: Message, mapping: Hl7Mapping, options: Hl7Options) {
    this.#message = message
    this.#its = mapping
    this.#rules = allowedOf(options)
  }

  segment(segment: Segment): readonly Segment[] {
    const { name, fields } = segment
    const rules = this.#rules.get(name)
    if (rules === undefined) {
      this.#its.left(name, name.startsWith("Z") ? "z-segment" : "segment-not-listed")
      return []
    }
    const head = ["MSH", "FHS", "BHS"].includes(name)
    const kept = fields.map((raw, at) => {
      if (at === 0 || (head && at <= 2)) return raw
      return raw === "" || raw === '""' ? raw : this.#field(raw, rules[at], segment, at)
    })
    return [{ ...segment, fields: kept }]
  }

  #field(raw: string, rule: string | undefined, segment: Segment, at: number): string {
    const path = `${segment.name}[${segment.number}]-${at}`
    if (rule === undefined) {
      this.#its.left(path, "field-not-listed")
      return ""
    }
    if (rule === "value") return this.#value(raw, segment, path)
    if (rule === "charset") return raw
    return this.#repeated(raw, rule, path)
  }

  #repeated(raw: string, rule: string, path: string): string {
    const { repetition } = this.#message.delimiters
    if (rule === "person" || rule === "name") return escape(this.#its.person, this.#message.delimiters)
    if (rule === "text") return this.#text(raw)
    const each = repetition === "" ? [raw] : raw.split(repetition)
    return each.map((one) => this.#one(one, rule, path)).join(repetition)
  }

  #text(raw: string): string {
    const unescaped = unescape(raw, this.#message.delimiters)
    const found = this.#its.clean(unescaped.text)
    return found.length === 0 ? raw : spliced(raw, unescaped, found, this.#message.delimiters)
  }

  #one(raw: string, rule: string, path: string): string {
    const { component, subcomponent } = this.#message.delimiters
    const parts = raw.split(component)
    const first = unescape(parts[0]!, this.#message.delimiters).text.trim()
    switch (rule) {
      case "keep":
        return this.#if(
          token.test(first) &&
            !dated.test(first) &&
            !this.#its.isOwn(first) &&
            parts.slice(1).every((part) => part === ""),
          raw,
          path,
        )
      case "type":
        return this.#if(
          parts.every((part) => part === "" || token.test(part)),
          raw,
          path,
        )
      case "number":
        return this.#if(
          parts.every((part) => part === "" || number.test(part) || /^[<>=:/+-]{1,2}$/.test(part)),
          raw,
          path,
        )
      case "code":
        return this.#code(parts, path)
      case "date":
        return this.#date(first, path)
      case "dates":
        return parts
          .slice(0, 2)
          .map((part) => (part === "" ? "" : this.#date(part, path)))
          .join(component)
      case "time":
        return this.#if(/^\d{2,6}(?:\.\d+)?$/.test(first), first, path)
      case "order":
        return first === "" ? "" : this.#its.accession(issuerOf(parts[1], subcomponent), first)
      case "visit":
        return first === "" ? "" : this.#its.identifier("Encounter", first)
      case "message":
        return first === "" ? "" : this.#its.identifier("hl7-message", first).slice(0, 20)
      case "uid":
        return uidPattern.test(first) ? this.#uid(first) : this.#if(false, "", path)
      default:
        // "birth-date", and rules that nobody knows: nothing passes.
        this.#its.left(path, rule === "birth-date" ? "birth-date" : "rule-unknown")
        return ""
    }
  }

  #uid = (uid: string): string => (registered.test(uid) ? uid : this.#its.uid(uid))

  #if(holds: boolean, raw: string, path: string): string {
    if (!holds) this.#its.left(path, "not-of-its-kind")
    return holds ? raw : ""
  }

  /** Identifiers and systems by their form, texts cleaned (CE, CWE: code, text, system, and the same of an alternate). */
  #code(parts: readonly string[], path: string): string {
    const { component } = this.#message.delimiters
    const told = parts.slice(0, 9).map((part, at) => {
      if (part === "") return ""
      if (at === 1 || at === 4 || at === 8) return this.#text(part)
      const bare = unescape(part, this.#message.delimiters).text
      if (code.test(bare) && !dated.test(bare) && !this.#its.isOwn(bare)) return part
      // What stands for a code and is a text is read as one.
      return at === 0 ? this.#text(part) : this.#if(false, "", path)
    })
    return told.join(component)
  }

  #date(text: string, path: string): string {
    const shifted = shiftTime(text, this.#its.shiftDays, this.#its.local)
    if (shifted === undefined) this.#its.left(path, "date-unreadable")
    return shifted ?? ""
  }

  /** OBX-5 by the type that OBX-2 states. */
  #value(raw: string, { fields }: Segment, path: string): string {
    const type = (fields[2] ?? "").trim()
    const what = (fields[3] ?? "").split(this.#message.delimiters.component)
    if (type === "ED" || type === "RP")
      throw new Hl7Error(
        "embedded-document",
        path,
        "an embedded or referenced document cannot be read and so does not pass",
      )
    if (birthDateCodes.has(what[0]!) || birthDateCodes.has(what[3] ?? "")) return this.#if(false, "", path)
    const isAge = ageCodes.has(what[0]!) || ageCodes.has(what[3] ?? "")
    switch (type) {
      case "TX":
      case "FT":
      case "ST":
      case "":
        return isAge
          ? this.#age(raw, path)
          : uidPattern.test(raw) && raw.split(".").length > 4
            ? this.#uid(raw)
            : this.#text(raw)
      case "NM":
      case "SN":
        return isAge ? this.#age(raw, path) : this.#repeated(raw, "number", path)
      case "CE":
      case "CWE":
      case "CNE":
      case "CF":
      case "IS":
      case "ID":
        return this.#repeated(raw, "code", path)
      case "DT":
      case "TS":
      case "DTM":
        return this.#repeated(raw, "date", path)
      case "DR":
        return this.#repeated(raw, "dates", path)
      case "TM":
        return this.#repeated(raw, "time", path)
      default:
        return this.#if(false, "", path)
    }
  }

  #age(raw: string, path: string): string {
    const years = Number(/\d+(?:\.\d+)?/.exec(raw)?.[0])
    if (!Number.isFinite(years)) return this.#if(false, "", path)
    return years > greatestAge ? String(greatestAge + 1) : this.#if(number.test(raw), raw, path)
  }
}

/** The age as an observation, after the last one; messages without observations have none. */
function withAge(told: readonly Segment[], age: number | undefined, { delimiters }: Message): readonly Segment[] {
  const at = told.findLastIndex(({ name }) => name === "OBX")
  if (age === undefined || at < 0) return told
  const { component } = delimiters
  const last = told[at]!
  const written = age > greatestAge ? ["SN", `>=${component}${greatestAge + 1}`] : ["NM", String(age)]
  const fields = [
    "OBX",
    String(Number(last.fields[1] ?? "0") + 1),
    written[0]!,
    ["30525-0", "Age", "LN"].join(component),
    "",
    written[1]!,
    ["a", "a", "UCUM"].join(component),
    "",
    "",
    "",
    "",
    "F",
  ]
  const segment: Segment = { name: "OBX", number: last.number + 1, fields, end: last.end === "" ? "\r" : last.end }
  const before = last.end === "" ? { ...last, end: "\r" } : last
  return [...told.slice(0, at), before, segment, ...told.slice(at + 1)]
}

/** Throws Hl7Error `no-patient`, `several-patients`. */
function checkPatient(message: Message): void {
  const patients = message.segments.filter(({ name }) => name === "PID")
  if (patients.length === 0 || patientIds(message).length === 0)
    throw new Hl7Error("no-patient", "PID[1]-3", "the message names no patient")
  if (new Set(patients.map(({ fields }) => fields[3])).size > 1)
    throw new Hl7Error("several-patients", "PID[2]-3", "the message is about several patients")
}

/** De-identifies a message of one patient: listed fields only, ids mapped, dates shifted, texts cleaned; the birth date goes, and the
 * age on the day of the message is told as an observation where it has any.
 * @throws Hl7Error `no-patient`, `several-patients`, `embedded-document`, `profile-unknown` */
export function deidentifyMessage(message: Message, mapping: Hl7Mapping, options: Hl7Options = {}): CleanMessage {
  if ((options.profile ?? "shifted") !== "shifted")
    throw new Hl7Error("profile-unknown", "", "there is the profile shifted alone")
  checkPatient(message)
  const passage = new Passage(message, mapping, options)
  const told = message.segments.flatMap((segment) => passage.segment(segment))
  const [born] = identifiersOf(message).birthDates
  const day = dayOfMessage(message)
  const years = born === undefined || day === undefined ? -1 : yearsBetween(born, day)
  const age = years < 0 ? undefined : Math.min(years, greatestAge + 1)
  return { message: { ...message, segments: withAge(told, age, message) }, age }
}

/** What may be told of the head or end of a batch: its delimiters and counts. */
export function deidentifyEnvelope(envelope: Message): Message {
  const nobody: Hl7Mapping = {
    person: "",
    shiftDays: 0,
    identifier: () => "",
    accession: () => "",
    uid: () => "",
    clean: () => [],
    isOwn: () => false,
    left: () => {},
  }
  const passage = new Passage(envelope, nobody, {})
  return { ...envelope, segments: envelope.segments.flatMap((segment) => passage.segment(segment)) }
}
