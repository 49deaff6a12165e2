import { randomBytes } from "node:crypto"
import { classify, pseudonymizer } from "../../core/index.ts"
import { BundleError, openBundle } from "../../formats/fhir/bundle.ts"
import type { Resource } from "../../formats/fhir/resource.ts"
import type { Mapping } from "../../formats/fhir/deidentify/index.ts"
import { Hl7Error, parseMessage, splitFile } from "../../formats/hl7v2/index.ts"
import { isUnit } from "../../formats/ucum/index.ts"
import { Decisions } from "../../transforms/deidentify/decisions.ts"
import type { Decision, FoundAt } from "../../transforms/deidentify/decisions.ts"
import { cleanResource } from "../../transforms/deidentify/fhir-resource.ts"
import type { Profile } from "../../transforms/deidentify/profile.ts"
import { OwnIdentifierLeft, cleanMessage, cleanReport } from "../../transforms/deidentify/texts.ts"
import type { TextPolicy } from "../../transforms/deidentify/texts.ts"
import type { RecordKind } from "./record-kind.ts"
import { knownOf, personBeside } from "./texts.ts"

/** What is decided on one element or field. */
export interface ExplainedElement extends Decision {
  /** Why it goes where its rule would let another value pass; a code. */
  readonly reason?: string
}

/** The explanation of one resource, message or report. No value is in it. */
export interface RecordExplanation {
  /** Where it stands in its file; empty where it is all of it. */
  readonly place: string
  readonly format: RecordKind
  readonly profile: Profile
  /** `released`, or the reason of the refusal, with its place where it has one. */
  readonly verdict: string
  readonly path?: string
  /** As far as it was looked at. */
  readonly elements: readonly ExplainedElement[]
  /** Passages of texts that are replaced: in the text without escapes, UTF-16 units from 0. */
  readonly findings: readonly FoundAt[]
}

/** How a file is judged. */
export interface ExplainGiven {
  readonly profile: Profile
  readonly retainUids: boolean
}

/** The explanations of what a file holds: a resource or the entries of a Bundle, messages, or a report, whose person a file beside it
 * states. A key that nobody keeps stands for the project's: which rule decides does not depend on it. */
export async function explainRecords(
  kind: RecordKind,
  path: string,
  bytes: Uint8Array,
  given: ExplainGiven,
): Promise<readonly RecordExplanation[]> {
  const policy = policyOf(given)
  if (kind === "fhir") return resources(bytes, given, policy)
  return kind === "hl7v2" ? messages(bytes, given, policy) : [await report(path, bytes, given, policy)]
}

const nobody = "nobody"

function policyOf({ profile, retainUids }: ExplainGiven): TextPolicy {
  const pseudonyms = pseudonymizer(randomBytes(32))
  const { identifier, uid, accession } = pseudonyms
  const codes = () => ({ person: pseudonyms.person(nobody), identifier, uid, accession })
  return { pseudonyms, profile, retainUids, issuer: (issuer) => issuer, codes }
}

/** Gathers what is told of one record. */
class Telling {
  readonly decisions = new Decisions()
  readonly #reasons = new Map<string, string>()
  readonly #given: ExplainGiven
  readonly #format: RecordKind
  #reason: string | undefined

  constructor(format: RecordKind, given: ExplainGiven) {
    this.#format = format
    this.#given = given
  }

  /** Formats tell why first, and then what they decided. */
  readonly left = (reason: string): void => void (this.#reason = reason)
  readonly leftAt = (path: string, reason: string): void => void this.#reasons.set(path, reason)

  readonly decided: Decisions["decided"] = (path, rule, action) => {
    if (this.#reason !== undefined && action !== "kept") this.#reasons.set(path, this.#reason)
    this.#reason = undefined
    this.decisions.decided(path, rule, action)
  }

  explanation(place: string, verdict: string, path?: string): RecordExplanation {
    const elements = this.decisions.told.map((one) => {
      const reason = this.#reasons.get(one.path)
      return reason === undefined || reason === one.rule ? one : { ...one, reason }
    })
    const { found: findings } = this.decisions
    const at = path === undefined ? {} : { path }
    return { place, format: this.#format, profile: this.#given.profile, verdict, ...at, elements, findings }
  }
}

type Json = Readonly<Record<string, unknown>>
const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

function resources(bytes: Uint8Array, given: ExplainGiven, policy: TextPolicy): readonly RecordExplanation[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    // The parser's text quotes the file.
    return [new Telling("fhir", given).explanation("", "body-not-json")]
  }
  const inside = entriesOf(parsed)
  if (inside === undefined) return [resource(parsed, "", birthDateIn([parsed]), given, policy)]
  const birthDate = birthDateIn(inside)
  return inside.map((one, at) => resource(one, `entry[${at}]`, birthDate, given, policy))
}

/** The resources of a Bundle, as they are de-identified: with ids where a server gives them. */
function entriesOf(parsed: unknown): readonly unknown[] | undefined {
  if (!isJson(parsed) || parsed["resourceType"] !== "Bundle" || !Array.isArray(parsed["entry"])) return undefined
  try {
    return openBundle(parsed as Resource).entries.map((entry) => entry.resource)
  } catch (error) {
    if (!(error instanceof BundleError)) throw error
    return parsed["entry"].map((entry: unknown) => (isJson(entry) ? entry["resource"] : undefined))
  }
}

/** Of the one Patient of a file: in a pipeline identity knows it. */
function birthDateIn(resources: readonly unknown[]): string | null {
  const patients = resources.filter((one) => isJson(one) && one["resourceType"] === "Patient") as Json[]
  const birthDate = patients[0]?.["birthDate"]
  return patients.length === 1 && typeof birthDate === "string" ? birthDate : null
}

function resource(
  given: unknown,
  place: string,
  birthDate: string | null,
  how: ExplainGiven,
  { pseudonyms, codes }: TextPolicy,
): RecordExplanation {
  const telling = new Telling("fhir", how)
  if (!isJson(given)) return telling.explanation(place, "not-a-resource")
  const { person, identifier, uid, accession } = codes!(nobody)
  const mapping: Mapping = {
    person,
    profile: how.profile,
    shiftDays: pseudonyms.shiftDays(nobody),
    identifier,
    uid: how.retainUids ? (value) => value : uid,
    accession,
    isUnit,
    left: telling.left,
    decided: telling.decided,
    undone: telling.decisions.undone,
  }
  try {
    cleanResource(given as Resource, { identifiers: [], birthDate }, mapping, how.retainUids)
    return telling.explanation(place, "released")
  } catch (error) {
    const { meaning, code } = classify(error)
    if (meaning !== "bad-record") throw error
    return telling.explanation(place, code.replace("refused.", ""))
  }
}

function messages(bytes: Uint8Array, given: ExplainGiven, policy: TextPolicy): readonly RecordExplanation[] {
  try {
    const parts = splitFile(bytes).filter(({ kind }) => kind === "message")
    return parts.map((part, at) => message(part.bytes, parts.length > 1 ? `message ${at + 1}` : "", given, policy))
  } catch (error) {
    return [refusal(error, new Telling("hl7v2", given), "")]
  }
}

function message(bytes: Uint8Array, place: string, given: ExplainGiven, policy: TextPolicy): RecordExplanation {
  const telling = new Telling("hl7v2", given)
  try {
    cleanMessage(parseMessage(bytes), policy, nobody, telling.leftAt, undefined, telling.decisions)
    return telling.explanation(place, "released")
  } catch (error) {
    return refusal(error, telling, place)
  }
}

/** Their texts and places name positions and codes alone. */
function refusal(error: unknown, telling: Telling, place: string): RecordExplanation {
  if (error instanceof Hl7Error) return telling.explanation(place, error.code, error.path)
  if (error instanceof OwnIdentifierLeft) return telling.explanation(place, "self-check")
  throw error
}

/** Without a person it is refused; what its form tells is shown all the same. */
async function report(
  path: string,
  bytes: Uint8Array,
  given: ExplainGiven,
  policy: TextPolicy,
): Promise<RecordExplanation> {
  const telling = new Telling("text", given)
  const beside = await personBeside(path)
  const known =
    beside === undefined ? { names: [], birthDates: [], places: [], ids: [] } : knownOf(beside, policy, nobody)
  let text: string
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return telling.explanation("", "not-utf-8")
  }
  try {
    cleanReport(policy, nobody, known, text, telling.decisions)
    return telling.explanation("", beside === undefined ? "no-person" : "released")
  } catch (error) {
    return refusal(error, telling, "")
  }
}
