import type { Pseudonymizer } from "../../core/index.ts"
import {
  birthStarts,
  deidentifyEnvelope,
  deidentifyMessage,
  dayOfMessage,
  identifiersOf,
  parseMessage,
  patientIds,
  serializeMessage,
  splitFile,
  unescape,
} from "../../formats/hl7v2/index.ts"
import type { FilePart, Hl7Address, Hl7Mapping, Hl7Options, Message, PatientId } from "../../formats/hl7v2/index.ts"
import { broadAddress, townAddress, zip3 } from "../../formats/fhir/deidentify/index.ts"
import { ownFinder, textCleaner } from "../../formats/text/index.ts"
import type { PersonCodes } from "./codes.ts"
import type { Decisions } from "./decisions.ts"
import type { Profile } from "./profile.ts"
import type { Surrogates, TextCleaner, TextId, TextOptions, TextPerson } from "../../formats/text/index.ts"

/** What texts and messages of a project are de-identified with. */
export interface TextPolicy {
  readonly pseudonyms: Pseudonymizer
  /** How dates, places and codes are told; `shifted` unless given. `safe-harbor` needs `codes`. */
  readonly profile?: Profile
  /** The codes of a person's things, where a vault says them; keyed ones unless given. */
  readonly codes?: (person: string) => PersonCodes
  readonly retainUids?: boolean
  /** The one name of an issuer of accession numbers that has several. */
  readonly issuer: (issuer: string) => string
  readonly texts?: TextOptions
  readonly hl7?: Hl7Options
  /** The clock whose time of day is told of times that state an offset; that of each unless given. */
  readonly local?: Hl7Mapping["local"]
}

/** The codes of a person's things. Throws Error under safe harbor without a vault: its codes must not be derived. */
export function personCodes({ pseudonyms, codes, profile, retainUids }: TextPolicy, person: string): PersonCodes {
  if (codes === undefined && profile === "safe-harbor") throw new Error("profile safe-harbor needs a vault")
  const found = codes?.(person) ?? { ...pseudonyms, person: pseudonyms.person(person) }
  return retainUids === true ? { ...found, uid: (uid) => uid } : found
}

const datesOf = (profile: Profile | undefined): NonNullable<Surrogates["dates"]> =>
  profile === "safe-harbor" ? "year" : profile === "limited-data-set" ? "true" : "shifted"

/** The surrogates of one person's texts: with the person in each, persons share none. They are of the vault under safe harbor, else
 * keyed; nobody needs a way back from the words that stand for a name. */
export function surrogatesOf(policy: TextPolicy, person: string): Surrogates {
  const { pseudonyms, profile } = policy
  const codes = personCodes(policy, person)
  const isRandom = profile === "safe-harbor"
  const of = isRandom ? person : pseudonyms.person(person)
  const { identifier } = isRandom ? codes : pseudonyms
  return {
    key: (kind, value) => identifier(`text-${kind}`, `${of} ${value}`),
    shiftDays: pseudonyms.shiftDays(person),
    dates: datesOf(profile),
    ...(isRandom ? { zip: (zip) => zip3(zip) ?? "000" } : {}),
    ...(profile === "limited-data-set" ? { towns: true } : {}),
    uid: codes.uid,
  }
}

/** What a profile tells of an address, for all formats alike. */
function addressOf(profile: Profile | undefined): Pick<Hl7Mapping, "address"> {
  if (profile === "safe-harbor") return { address: (given) => broadAddress(given) as Hl7Address | undefined }
  return profile === "limited-data-set" ? { address: (given) => townAddress(given) as Hl7Address | undefined } : {}
}

/** Identifiers as they stand for in all formats: patient ids as the person's pseudonym, accession numbers as theirs. */
export interface KnownIds {
  readonly patient: readonly string[]
  readonly accessions: readonly { readonly value: string; readonly issuer: string }[]
  readonly others: readonly string[]
}

/** The identifiers of a person as the search of texts takes them. */
export function textIds(
  policy: TextPolicy,
  person: string,
  { patient, accessions, others }: KnownIds,
): readonly TextId[] {
  const codes = personCodes(policy, person)
  return [
    ...patient.map((value) => ({ value, surrogate: codes.person })),
    ...accessions.map(({ value, issuer }) => ({
      value,
      surrogate: codes.accession(policy.issuer(issuer), value),
    })),
    ...others.map((value) => ({ value })),
  ]
}

/** The first day that a birth date means: of the greatest age. */
const earliest = (birth: string): string =>
  birth.length === 4 ? `${birth}-01-01` : birth.length === 7 ? `${birth}-01` : birth

/** The cleaner of one person's texts. */
export const cleanerOf = (policy: TextPolicy, person: string, known: TextPerson): TextCleaner =>
  textCleaner({ ...known, birthDates: known.birthDates.map(earliest) }, surrogatesOf(policy, person), policy.texts)

/** A text that must not pass: what was made still says an identifier of its person. */
export class OwnIdentifierLeft extends Error {
  override readonly name = "OwnIdentifierLeft"

  constructor() {
    super("what was made still says an identifier of its person")
  }
}

/** De-identifies a report of a known person. Throws OwnIdentifierLeft. */
export function cleanReport(
  policy: TextPolicy,
  person: string,
  known: TextPerson,
  text: string,
  told?: Decisions,
): string {
  const { text: cleaned, findings } = cleanerOf(policy, person, known)(text)
  told?.decided("text", "text", findings.length === 0 ? "kept" : "cleaned")
  for (const { kind, start, end } of findings) told?.finding("text", kind, start, end)
  if (ownFinder(known)(cleaned)) throw new OwnIdentifierLeft()
  return cleaned
}

/** Who a message is about. */
export interface Hl7Persons {
  /** The person key of the ids of PID-3; undefined when none is of a namespace that is known. */
  (ids: readonly PatientId[]): string | undefined
}

/** Why a message is not de-identified, besides what its format says. */
export type Hl7Refusal = "no-person"

/** What else is known of the person of a message. */
export type KnownBeside = Pick<TextPerson, "birthDates"> & {
  readonly ids: readonly string[]
  /** Who a patient is that was merged into the one of the message. */
  readonly merged?: Hl7Persons
}

function personIn(message: Message, policy: TextPolicy, person: string, beside: KnownBeside): TextPerson {
  const { names, ids, orders, birthDates, places } = identifiersOf(message)
  const own = [...new Set([...patientIds(message).map(({ value }) => value), ...beside.ids])]
  const others = ids.filter((value) => !own.includes(value))
  return {
    names,
    birthDates: [...birthDates, ...beside.birthDates, ...birthStarts(message)],
    places,
    ids: textIds(policy, person, { patient: own, accessions: orders, others }),
  }
}

/** De-identifies one message. Throws Hl7Error, OwnIdentifierLeft. */
export function cleanMessage(
  message: Message,
  policy: TextPolicy,
  person: string,
  left: Hl7Mapping["left"],
  beside: KnownBeside = { birthDates: [], ids: [] },
  told?: Decisions,
): Message {
  const { pseudonyms, profile } = policy
  const codes = personCodes(policy, person)
  const known = personIn(message, policy, person, beside)
  const clean = cleanerOf(policy, person, known)
  const isOwn = ownFinder(known)
  const at = dayOfMessage(message)
  const mapping: Hl7Mapping = {
    person: codes.person,
    shiftDays: pseudonyms.shiftDays(person),
    birthDates: beside.birthDates,
    ...addressOf(profile),
    ...(policy.local === undefined ? {} : { local: policy.local }),
    identifier: codes.identifier,
    accession: (issuer, value) => codes.accession(policy.issuer(issuer), value),
    uid: codes.uid,
    merged(prior) {
      const before = beside.merged?.(prior)
      return before === undefined ? undefined : personCodes(policy, before).person
    },
    clean: (text) => clean(text, at).findings,
    isOwn,
    left,
    ...(told === undefined ? {} : { decided: told.decided, finding: told.finding }),
  }
  const { message: cleaned } = deidentifyMessage(message, mapping, {
    ...policy.hl7,
    ...(profile === undefined ? {} : { profile }),
  })
  const { field } = message.delimiters
  for (const { fields } of cleaned.segments) {
    const line = fields.join(field)
    if (isOwn(line) || isOwn(unescape(line, message).text)) throw new OwnIdentifierLeft()
  }
  return cleaned
}

/** A file of messages without identity, and the persons that they are about. */
export interface CleanFile {
  readonly bytes: Uint8Array
  readonly persons: readonly string[]
}

/** De-identifies a file of messages, all of them or none; frames and batch headers stay around them. undefined: a message names no
 * person that is known. Throws Hl7Error, OwnIdentifierLeft. */
export function cleanFile(
  bytes: Uint8Array,
  policy: TextPolicy,
  personOf: Hl7Persons,
  left: Hl7Mapping["left"],
  told?: Decisions,
): CleanFile | undefined {
  const persons = new Set<string>()
  const out: Uint8Array[] = []
  for (const part of splitFile(bytes)) {
    const cleaned = cleanPart(part, policy, personOf, left, persons, told)
    if (cleaned === undefined) return undefined
    out.push(part.before, cleaned, part.after)
  }
  return { bytes: Buffer.concat(out), persons: [...persons] }
}

function cleanPart(
  part: FilePart,
  policy: TextPolicy,
  personOf: Hl7Persons,
  left: Hl7Mapping["left"],
  persons: Set<string>,
  told: Decisions | undefined,
) {
  const message = parseMessage(part.bytes)
  if (part.kind === "envelope") return serializeMessage(deidentifyEnvelope(message))
  const ids = patientIds(message)
  const person = personOf(ids)
  if (ids.length > 0 && person === undefined) return undefined
  if (person !== undefined) persons.add(person)
  const others = { birthDates: [], ids: [], merged: personOf }
  return serializeMessage(cleanMessage(message, policy, person ?? "", left, others, told))
}
