import { cappedAge, greatestAge, withAge } from "./age.ts"
import table from "./data/segments.json" with { type: "json" }
import { actionOf, valueType } from "./decision.ts"
import { Hl7Error } from "./errors.ts"
import { escape, holdsUnreadable, spliced, unescape } from "./escape.ts"
import type { Replaced } from "./escape.ts"
import {
  isCodeForm,
  isComparator,
  isDocument,
  isNumber,
  isNumbered,
  isPublished,
  isRegistered,
  isTableCode,
  isTime,
  isToken,
  isUid,
} from "./forms.ts"
import { birthStarts, dayOfMessage, identifiersOf, idsIn, issuerOf, patientIds } from "./identifiers.ts"
import type { Hl7Mapping, Hl7Options } from "./mapping.ts"
import type { Message, Segment } from "./message.ts"
import { cleanLines, textTypes } from "./texts.ts"
import type { CleanLine } from "./texts.ts"
import { dayOf, shiftTime, startOf, yearOf, yearsBetween } from "./time.ts"

/** A message without identity. */
export interface CleanMessage {
  readonly message: Message
  /** Of the patient on the day of the message, whole years; 90 stands for 90 and more. */
  readonly age: number | undefined
}

type Rules = Readonly<Record<string, string>>
const segments: Readonly<Record<string, Rules>> = table.segments
const optional: ReadonlyMap<string, Rules> = new Map(Object.entries<Rules>(table.optional))
const ageCodes: ReadonlySet<string> = new Set(table.ageCodes)
const identityCodes: ReadonlySet<string> = new Set(table.identityCodes)

function allowedOf({ allow = {} }: Hl7Options): ReadonlyMap<string, Rules> {
  const more = Array.isArray(allow)
    ? Object.fromEntries(allow.map((name: string) => [name, optional.get(name) ?? {}]))
    : allow
  return new Map([...Object.entries(segments), ...Object.entries(more as Readonly<Record<string, Rules>>)])
}

/** Whether a field says anything. */
const isTold = (raw: string): boolean => raw !== "" && raw !== '""'

const placeOf = ({ name, number }: Segment, at: number): string => `${name}[${number}]-${at}`

/** One message on its way. */
class Passage {
  readonly #message: Message
  readonly #its: Hl7Mapping
  readonly #rules: ReadonlyMap<string, Rules>
  readonly #birthDates: readonly string[]
  readonly #profile: Hl7Options["profile"]
  readonly #lines: ReadonlyMap<Segment, CleanLine>

  constructor(message: Message, mapping: Hl7Mapping, options: Hl7Options) {
    this.#message = message
    this.#its = mapping
    this.#rules = allowedOf(options)
    this.#profile = options.profile
    this.#checkEscapes()
    this.#birthDates = identifiersOf(message).birthDates
    this.#lines = cleanLines(message, mapping.clean)
  }

  /** Segments that nobody reads may hold what they like. */
  #checkEscapes(): void {
    for (const { name, number, fields } of this.#message.segments)
      for (const [at, raw] of fields.entries())
        if (at > 2 && !name.startsWith("Z") && holdsUnreadable(raw, this.#message.delimiters))
          throw new Hl7Error(
            "escape",
            `${name}[${number}]-${at}`,
            "an escape names another character set or is a site's own, and cannot be read",
          )
  }

  segment(segment: Segment): readonly Segment[] {
    const { name, fields } = segment
    const rules = this.#rules.get(name)
    if (rules === undefined) {
      const reason = name.startsWith("Z") ? "z-segment" : "segment-not-listed"
      this.#its.left(name, reason)
      for (const [at, raw] of fields.entries())
        if (at > 0 && isTold(raw)) this.#its.decided?.(placeOf(segment, at), reason, "removed")
      return []
    }
    const head = ["MSH", "FHS", "BHS"].includes(name)
    const kept = fields.map((raw, at) => {
      if (at === 0 || (head && at <= 2)) return raw
      if (!isTold(raw)) return raw
      const told = this.#field(raw, rules[at], segment, at)
      this.#decided(segment, at, rules[at], told)
      return told
    })
    return [{ ...segment, fields: kept }]
  }

  #decided(segment: Segment, at: number, rule: string | undefined, told: string): void {
    const { decided } = this.#its
    if (decided === undefined) return
    const { fields } = segment
    const by = rule === "value" ? valueType(fields[2] ?? "") : (rule ?? "")
    const action = rule === undefined ? "removed" : actionOf(by, fields[at]!, told, this.#profile)
    const name = rule === "value" ? `value ${by}`.trim() : (rule ?? "field-not-listed")
    decided(placeOf(segment, at), name, action)
  }

  #found(path: string, found: readonly Replaced[]): void {
    for (const { kind, start, end } of found) if (kind !== undefined) this.#its.finding?.(path, kind, start, end)
  }

  #field(raw: string, rule: string | undefined, segment: Segment, at: number): string {
    const path = placeOf(segment, at)
    if (rule === undefined) {
      this.#its.left(path, "field-not-listed")
      return ""
    }
    if (rule === "value") return this.#value(raw, segment, path)
    if (rule === "charset") return raw
    // OBX has a line of a report in its value, and other texts beside it.
    if (rule === "text")
      return (segment.name === "NTE" ? this.#line(segment, path) : undefined) ?? this.#text(raw, path)
    if (rule === "merged") return this.#merged(raw, path)
    if (rule === "person" || rule === "name") return escape(this.#its.person, this.#message.delimiters)
    return this.#repeated(raw, rule, path)
  }

  #repeated(raw: string, rule: string, path: string): string {
    const { repetition } = this.#message.delimiters
    const each = repetition === "" ? [raw] : raw.split(repetition)
    const told = each.map((one) => this.#one(one, rule, path))
    return told.every((one) => one === "") ? "" : told.join(repetition)
  }

  /** A line of the report, which was cleaned with the others. */
  #line(segment: Segment, path: string): string | undefined {
    const line = this.#lines.get(segment)
    if (line !== undefined) this.#found(path, line.found)
    return line?.text
  }

  #text(raw: string, path: string): string {
    const unescaped = unescape(raw, this.#message, true)
    const found = this.#its.clean(unescaped.text)
    this.#found(path, found)
    return found.length === 0 ? raw : spliced(raw, unescaped, found, this.#message.delimiters)
  }

  #one(raw: string, rule: string, path: string): string {
    const { component, subcomponent } = this.#message.delimiters
    const parts = raw.split(component)
    const first = unescape(parts[0]!, this.#message).text.trim()
    const each = (holds: (part: string) => boolean) => parts.every((part) => part === "" || holds(part))
    switch (rule) {
      case "keep":
        return this.#if(
          isTableCode(first) && !this.#its.isOwn(first) && parts.slice(1).every((part) => part === ""),
          raw,
          path,
        )
      case "type":
        return this.#if(each(isToken) && !this.#its.isOwn(raw), raw, path)
      case "number":
        return this.#if(each((part) => isNumber(part) || isComparator(part)) && !this.#its.isOwn(raw), raw, path)
      case "code":
        return this.#code(parts, path, false)
      case "value-code":
        return this.#code(parts, path, true)
      case "date":
        return this.#date(first, path)
      case "dates":
        return parts
          .slice(0, 2)
          .map((part) => (part === "" ? "" : this.#date(part, path)))
          .join(component)
      case "time":
        return this.#if(isTime(first) && this.#profile !== "safe-harbor", first, path)
      case "address":
        return this.#address(parts, path)
      case "order":
        return first === "" ? "" : this.#its.accession(issuerOf(parts[1], subcomponent), first)
      case "parent":
        return parts
          .slice(0, 2)
          .map((part) => this.#entity(part))
          .join(component)
      case "visit":
        return first === "" ? "" : this.#its.identifier("Encounter", first)
      case "message":
        return first === "" ? "" : this.#its.identifier("hl7-message", first).slice(0, 20)
      case "uid":
        return isUid(first) ? this.#uid(first) : this.#if(false, "", path)
      case "birth-date":
        if (this.#profile === "limited-data-set") return this.#date(first, path)
        this.#its.left(path, rule)
        return ""
      default:
        // Of rules that nobody knows nothing passes.
        this.#its.left(path, "rule-unknown")
        return ""
    }
  }

  /** An order's number and its issuer, as subcomponents. */
  #entity(part: string): string {
    const { subcomponent } = this.#message.delimiters
    const [value = "", name = "", universal = ""] = part
      .split(subcomponent || "&")
      .map((sub) => unescape(sub, this.#message).text.trim())
    return value === "" ? "" : this.#its.accession(name || universal, value)
  }

  /** The patient that was merged into this one, by their pseudonym. */
  #merged(raw: string, path: string): string {
    const told = this.#its.merged?.(idsIn(raw, this.#message))
    return told === undefined ? this.#if(false, "", path) : escape(told, this.#message.delimiters)
  }

  #uid = (uid: string): string => (isRegistered(uid) ? uid : this.#its.uid(uid))

  #if(holds: boolean, raw: string, path: string): string {
    if (!holds) this.#its.left(path, "not-of-its-kind")
    return holds ? raw : ""
  }

  /** Identifiers and systems by their form, texts cleaned (CE, CWE: code, text, system, and the same of an alternate).
   * @param isValue a value may say anything in the place of a code, unless its coding system is published */
  #code(parts: readonly string[], path: string, isValue: boolean): string {
    const { component } = this.#message.delimiters
    const told = parts.slice(0, 9).map((part, at) => {
      if (part === "") return ""
      if (at === 1 || at === 4 || at === 8) return this.#text(part, path)
      const bare = unescape(part, this.#message).text
      // Codes of a published system are of everybody, and so is its name; definitions are not a value.
      const isOfSystem = at === 0 || at === 3
      const system = isOfSystem ? (parts[at + 2] ?? "").trim() : bare
      const isSafe = isPublished(system) || (isOfSystem && !isValue)
      const isSomebodys = isOfSystem && !isPublished(system) && isNumbered(bare, system)
      if (isSomebodys && !isValue) return this.#if(false, "", path)
      const isCode = isCodeForm(bare) && !this.#its.isOwn(bare) && (isSafe || this.#its.clean(bare).length === 0)
      if (isCode) return part
      // What stands for a code and is a text is read as one.
      return at === 0 ? this.#text(part, path) : this.#if(false, "", path)
    })
    return told.join(component)
  }

  #date(text: string, path: string): string {
    const told = this.#told(text)
    if (told === undefined)
      this.#its.left(
        path,
        this.#profile === "safe-harbor" && startOf(text) !== "" ? "date-not-told" : "date-unreadable",
      )
    return told ?? ""
  }

  #told(text: string): string | undefined {
    if (this.#profile === "limited-data-set") return startOf(text) === "" ? undefined : text
    if (this.#profile === "safe-harbor") return yearOf(text, this.#born())
    return shiftTime(text, this.#its.shiftDays, this.#its.local)
  }

  /** Birth dates as exactly as they are known. */
  #born(): readonly string[] {
    return [...birthStarts(this.#message), ...(this.#its.birthDates ?? [])]
  }

  #address(parts: readonly string[], path: string): string {
    const { component, subcomponent } = this.#message.delimiters
    const part = (at: number) => unescape((parts[at] ?? "").split(subcomponent || "&")[0]!, this.#message).text.trim()
    const given = { city: part(2), state: part(3), postalCode: part(4), country: part(5) }
    const told = this.#its.address?.(given)
    if (told === undefined) return this.#if(false, "", path)
    const { city = "", state = "", postalCode = "", country = "" } = told
    const made = ["", "", city, state, postalCode, country].map((text) => escape(text, this.#message.delimiters))
    return made.join(component).replace(/\W+$/, (rest) => (rest.includes(component) ? "" : rest))
  }

  /** OBX-5 by the type that OBX-2 states. */
  #value(raw: string, segment: Segment, path: string): string {
    const { fields } = segment
    const type = (fields[2] ?? "").trim()
    const { component } = this.#message.delimiters
    const [what = "", , , other = ""] = (fields[3] ?? "").split(component)
    if (type === "ED" || type === "RP") {
      this.#its.left(path, "embedded-document")
      return ""
    }
    if (identityCodes.has(what) || identityCodes.has(other)) return this.#if(false, "", path)
    const isAge = ageCodes.has(what) || ageCodes.has(other)
    if (isAge && (textTypes.has(type) || type === "NM" || type === "SN"))
      return cappedAge(raw, (fields[6] ?? "").split(component)[0]!) ?? this.#if(false, "", path)
    if (textTypes.has(type)) return this.#textValue(raw, segment, path)
    switch (type) {
      case "NM":
      case "SN":
      case "SI":
      case "NA":
      case "MA":
        return this.#repeated(raw, "number", path)
      case "CE":
      case "CWE":
      case "CNE":
      case "CF":
      case "IS":
      case "ID":
        return this.#repeated(raw, "value-code", path)
      case "DT":
      case "TS":
      case "DTM":
        return this.#isBirth(raw) ? this.#if(false, "", path) : this.#repeated(raw, "date", path)
      case "DR":
        return this.#repeated(raw, "dates", path)
      case "TM":
        return this.#repeated(raw, "time", path)
      default:
        return this.#if(false, "", path)
    }
  }

  #textValue(raw: string, segment: Segment, path: string): string {
    if (isDocument(unescape(raw, this.#message).text)) throw embedded(path)
    return isUid(raw) && raw.split(".").length > 4
      ? this.#uid(raw)
      : (this.#line(segment, path) ?? this.#text(raw, path))
  }

  /** Whether one of several dates is the birth date, which goes whatever the observation calls it. */
  #isBirth(raw: string): boolean {
    const { repetition, component } = this.#message.delimiters
    return raw
      .split(repetition === "" ? component : repetition)
      .some((each) => this.#birthDates.includes(dayOf(each.split(component)[0]!) ?? ""))
  }
}

const embedded = (path: string) =>
  new Hl7Error("embedded-document", path, "a document in the place of a text cannot be read and so does not pass")

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
 * @throws Hl7Error `no-patient`, `several-patients`, `embedded-document`, `escape` */
export function deidentifyMessage(message: Message, mapping: Hl7Mapping, options: Hl7Options = {}): CleanMessage {
  checkPatient(message)
  const passage = new Passage(message, mapping, options)
  const told = message.segments.flatMap((segment) => passage.segment(segment))
  const [born] = identifiersOf(message).birthDates
  const day = dayOfMessage(message)
  const years = born === undefined || day === undefined ? -1 : yearsBetween(born, day)
  const age = years < 0 ? undefined : Math.min(years, greatestAge + 1)
  const segments = withAge(told, age, message)
  if (segments.length > told.length) mapping.decided?.("OBX-5", "age", "added")
  return { message: { ...message, segments }, age }
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
