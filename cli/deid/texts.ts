import { readFile } from "node:fs/promises"
import { personKey } from "../../core/index.ts"
import type { Made } from "../../core/index.ts"
import { Hl7Error, parseMessage, patientIds, splitFile } from "../../formats/hl7v2/index.ts"
import type { PatientId } from "../../formats/hl7v2/index.ts"
import { nameOf } from "../../formats/text/index.ts"
import type { TextPerson } from "../../formats/text/index.ts"
import { Decisions } from "../../transforms/deidentify/decisions.ts"
import type { Project } from "../../transforms/deidentify/profile.ts"
import { OwnIdentifierLeft, cleanFile, cleanReport, personCodes, textIds } from "../../transforms/deidentify/texts.ts"
import type { Hl7Persons, TextPolicy } from "../../transforms/deidentify/texts.ts"
import type { NamespaceOf } from "./person.ts"

/** What a file beside images is, by its name. */
export type TextKind = "hl7" | "text" | "person"

/** The file that says whose a report is: `a.person.json` beside `a.txt`. */
const personFile = /\.person\.json$/i

/** undefined for what is read as DICOM. */
export function textKindOf(file: string): TextKind | undefined {
  if (/\.hl7$/i.test(file)) return "hl7"
  if (/\.txt$/i.test(file)) return "text"
  return personFile.test(file) ? "person" : undefined
}

/** What was done to a message file or a report: fields by action, what was replaced in texts by kind. */
export type TextCounts = Pick<Made, "actions" | "findings">

/** A text without identity, or why there is none. */
export type TextResult =
  | {
      readonly kind: "released"
      readonly folder: string
      readonly extension: string
      readonly bytes: Uint8Array
      /** What was done to its fields or text. */
      readonly told: TextCounts
    }
  | { readonly kind: "refused"; readonly reason: string }

/** What of a project they need: `retainUids` and `local` as its images and resources have them. */
type TextProject = Project & Pick<TextPolicy, "retainUids" | "local">

/** De-identifies reports and HL7 v2 files beside images, with the person that an image of the same Patient ID and issuer has. */
export class Texts {
  readonly #project: TextProject
  readonly #identityKey: Uint8Array
  readonly #namespace: NamespaceOf
  readonly #ambiguous: (patientId: string) => boolean

  constructor(
    project: TextProject,
    identityKey: Uint8Array,
    namespace: NamespaceOf,
    ambiguous: (patientId: string) => boolean,
  ) {
    this.#project = project
    this.#identityKey = identityKey
    this.#namespace = namespace
    this.#ambiguous = ambiguous
  }

  /** @param path of the file, for the one beside it */
  async result(kind: TextKind, path: string, bytes: Uint8Array): Promise<TextResult> {
    if (kind === "person") return refused("person-file")
    try {
      const { codes, keyId: _, ...project } = this.#project
      return await codes.settle((asking) => {
        const policy: TextPolicy = { ...project, codes: (person) => asking.of(person) }
        const personOf = (ids: readonly PatientId[]) => {
          const found = this.#found(ids)
          if (found === undefined) return undefined
          const person = personKey(this.#identityKey, found.namespace, found.value)
          asking.note(person, [found])
          return person
        }
        return kind === "hl7" ? this.#messages(bytes, policy, personOf) : this.#report(path, bytes, policy, personOf)
      })
    } catch (error) {
      // Their texts name places and codes alone.
      if (error instanceof Hl7Error) return refused(error.code)
      if (error instanceof OwnIdentifierLeft) return refused("self-check")
      throw error
    }
  }

  /** The identifier that makes the person. */
  #found(ids: readonly PatientId[]): { readonly namespace: string; readonly value: string } | undefined {
    // Of several the record number is the patient's; a social security number is an image's Patient ID nowhere.
    const ranked = [
      ...ids.filter(({ type }) => type === "MR"),
      ...ids.filter(({ type }) => !["MR", "SS"].includes(type)),
    ]
    const known = ranked.flatMap(({ value, authority }) => {
      const namespace = typeof this.#namespace === "string" ? this.#namespace : this.#namespace(authority)
      return namespace === undefined ? [] : [{ namespace, value }]
    })
    const first = known[0]
    if (first === undefined) return undefined
    if (typeof this.#namespace === "string" && this.#ambiguous(first.value)) return undefined
    return first
  }

  #messages(bytes: Uint8Array, policy: TextPolicy, personOf: Hl7Persons): TextResult {
    const told = new Decisions()
    const cleaned = cleanFile(bytes, policy, personOf, () => {}, told)
    if (cleaned === undefined) return refused("no-person")
    const [only, ...others] = cleaned.persons
    const folder = only === undefined || others.length > 0 ? "messages" : personCodes(policy, only).person
    return { kind: "released", folder, extension: "hl7", bytes: cleaned.bytes, told: told.made("", "") }
  }

  async #report(path: string, bytes: Uint8Array, policy: TextPolicy, personOf: Hl7Persons): Promise<TextResult> {
    const given = await personBeside(path)
    if (given === undefined) return refused("no-person")
    const person = personOf([{ value: given.patientId, authority: given.issuer, type: "MR" }])
    if (person === undefined) return refused("no-person")
    const known = knownOf(given, policy, person)
    let text: string
    try {
      text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch {
      return refused("not-utf-8")
    }
    const told = new Decisions()
    const cleaned = cleanReport(policy, person, known, text, told)
    const folder = personCodes(policy, person).person
    return { kind: "released", folder, extension: "txt", bytes: Buffer.from(cleaned, "utf8"), told: told.made("", "") }
  }
}

const refused = (reason: string): TextResult => ({ kind: "refused", reason })

/** Patient ids that an HL7 v2 file states, for the search of ids that two issuers gave; none of one that cannot be read. */
export function statedIds(bytes: Uint8Array): readonly PatientId[] {
  try {
    return splitFile(bytes).flatMap(({ kind, bytes: part }) =>
      kind === "message" ? patientIds(parseMessage(part)) : [],
    )
  } catch (error) {
    if (error instanceof Hl7Error) return []
    throw error
  }
}

/** A person as a file beside a report states it. */
export interface GivenPerson {
  readonly patientId: string
  readonly issuer: string
  readonly names: readonly string[]
  readonly birthDates: readonly string[]
  readonly ids: readonly string[]
  readonly accessions: readonly string[]
  readonly places: readonly string[]
}

/** What the search of a report knows of its person. */
export const knownOf = (given: GivenPerson, policy: TextPolicy, person: string): TextPerson => ({
  names: given.names.map(nameOf),
  birthDates: given.birthDates,
  places: given.places,
  ids: textIds(policy, person, {
    patient: [given.patientId],
    accessions: given.accessions.map((value) => ({ value, issuer: "" })),
    others: given.ids,
  }),
})

/** Reads `a.person.json` beside `a.txt`; undefined when it is missing or says no patient id and name. */
export async function personBeside(path: string): Promise<GivenPerson | undefined> {
  let given: unknown
  try {
    given = JSON.parse(await readFile(path.replace(/\.txt$/i, ".person.json"), "utf8"))
  } catch {
    return undefined
  }
  if (typeof given !== "object" || given === null) return undefined
  const its = given as Readonly<Record<string, unknown>>
  const one = (name: string) => (typeof its[name] === "string" ? its[name].trim() : "")
  const list = (name: string) => (Array.isArray(its[name]) ? its[name].filter((each) => typeof each === "string") : [])
  const names = list("names")
  if (one("patientId") === "" || names.length === 0) return undefined
  return {
    patientId: one("patientId"),
    issuer: one("issuer"),
    names,
    birthDates: one("birthDate") === "" ? [] : [one("birthDate")],
    ids: list("ids"),
    accessions: list("accessions"),
    places: list("places"),
  }
}
