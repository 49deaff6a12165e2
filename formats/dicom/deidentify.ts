import type { LocalTime } from "./dates.ts"
import type { Decision } from "./decision.ts"
import type { Coding } from "./element.ts"
import { DicomFormatError } from "./errors.ts"
import { isRegisteredUid } from "./dictionary.ts"
import { writeFileMeta } from "./file-meta.ts"
import { hitsIn } from "./identifiers.ts"
import { identifiersIn } from "./known-identifiers.ts"
import { isOfKinds } from "./off-table.ts"
import { Output } from "./output.ts"
import { parse } from "./parse.ts"
import type { Input, NeedMore, Parsed } from "./parse.ts"
import { cleansTexts, optionsFault, rulesFor } from "./profile.ts"
import type { ProfileOption, Rule } from "./profile.ts"
import { refuse, refusalOf, riskOfSeries } from "./refusal.ts"
import type { Refused } from "./refusal.ts"
import type { seriesRisk } from "./region.ts"
import { ascii, noCounts } from "./pseudonyms.ts"
import type { Counts, Pseudonyms } from "./pseudonyms.ts"
import { rewrite } from "./rewrite.ts"
import type { Insertion } from "./rewrite.ts"
import { isUidText } from "./value-kinds.ts"
import { RefusedInside } from "./case.ts"
import type { Case } from "./case.ts"
import { cleanDescriptor } from "./clean-text.ts"
import type { CleanText, TextPerson } from "./clean-text.ts"
import { namePattern, namesIn, placesIn } from "./own-identifiers.ts"
import { selfCheck } from "./self-check.ts"
import { Unread } from "./source.ts"
import { statements, withPixels } from "./statements.ts"
import type { FaceState, LegalProfile } from "./statements.ts"
import { summaryOf } from "./summary.ts"
import { yearsTold } from "./years.ts"
import type { Summary } from "./summary.ts"
import { splice } from "./splice.ts"
import { isPixelData } from "./tag.ts"
import { LO, PN } from "./vr.ts"

/** What is the same for all instances of a project. */
export interface Policy {
  readonly options: readonly ProfileOption[]
  /** What to do with series that could be rendered as a face: `allow` releases them and says so in the object. */
  readonly faces: "refuse" | "allow"
  /** Takes identity out of texts that an option cleans; the built-in one keeps clinical words only. */
  readonly cleanText?: CleanText
  /** The rules of HIPAA that the result is made by, besides. Under `safe-harbor` what modified dates tell is the year alone. */
  readonly legal?: LegalProfile
  /** The clock whose time of day shifted date times with an offset tell; that of each value unless given. */
  readonly local?: LocalTime
}

/** Verdicts on an instance that a person lifted. */
export interface Reviewed {
  readonly text: boolean
  readonly face: boolean
}

const notReviewed: Reviewed = { text: false, face: false }

/** What is known of one instance from outside its bytes. */
export interface InstanceContext {
  /** The pseudonyms of the person; without them the instance is refused, `no-person`. */
  readonly person: Pseudonyms | undefined
  /** What `seriesRisk` says of all instances of the series; decided by the instance alone when not given. */
  readonly series?: { readonly risk: ReturnType<typeof seriesRisk> }
  /** The pixel data given has no face any more: such an instance is released whatever the risk of its series, and says so. */
  readonly facesCleaned?: boolean
  /** Under Clean Pixel Data, what became of the pictures before: `read` all were, and what identifies was taken out; `changed` some of
   * it was there; `sampled` the instance is of a series of which a sample was. */
  readonly pixels?: "read" | "changed" | "sampled" | undefined
  /** What a person looked at and let through: the text of its pictures (`pixels` then says what became of them), its face. Nothing else
   * is lifted, and the object says so. */
  readonly reviewed?: Reviewed
  /** More identifiers of the person, besides those in the object, that must not be found in the result: else `identifier-left`. */
  readonly identifiers?: readonly string[]
  /** Is told what decided on each element, in the order of the output. */
  readonly trace?: (decision: Decision) => void
}

export interface Report {
  readonly counts: Readonly<Counts>
  readonly options: readonly ProfileOption[]
  /** Whether a series that may show a face was let through. */
  readonly facesAllowed: boolean
}

/** What a released instance is now: mapped UIDs, pseudonyms, and the attributes that are kept. */
export interface ReleasedSummary {
  readonly transferSyntax: string
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly studyInstanceUid: string
  readonly seriesInstanceUid: string
  readonly accessionNumber: string
  readonly modality: string
  readonly bodyPart: string
  readonly seriesNumber: number | undefined
  readonly instanceNumber: number | undefined
}

/** A released instance is `prefix`, then the bytes [copy.from, copy.to) of the input untouched, then `suffix`. */
export interface Released {
  readonly kind: "released"
  readonly prefix: Uint8Array
  readonly copy: { readonly from: number; readonly to: number }
  readonly suffix: Uint8Array
  readonly report: Report
  readonly summary: ReleasedSummary
}

export type Verdict = Released | Refused | NeedMore

/** Decides on an instance and takes identity out of it. */
export type Deidentify = (input: Input, context: InstanceContext) => Verdict

function released(summary: Summary, person: Pseudonyms, retainUids: boolean): ReleasedSummary {
  const stays = (value: string) => (retainUids && isUidText(value)) || value === "" || isRegisteredUid(value)
  const uid = (value: string) => (stays(value) ? value : person.uid(value))
  const { accessionNumber, accessionIssuer } = summary
  return {
    transferSyntax: summary.transferSyntax,
    sopClassUid: summary.sopClassUid,
    sopInstanceUid: uid(summary.sopInstanceUid),
    studyInstanceUid: uid(summary.studyInstanceUid),
    seriesInstanceUid: uid(summary.seriesInstanceUid),
    accessionNumber: accessionNumber === "" ? "" : person.accession(accessionNumber, accessionIssuer),
    modality: summary.modality,
    bodyPart: summary.bodyPart,
    seriesNumber: summary.seriesNumber,
    instanceNumber: summary.instanceNumber,
  }
}

const datesOf = (options: readonly ProfileOption[], legal: LegalProfile | undefined): Case["dates"] => {
  if (options.includes("retain-longitudinal-full-dates")) return "kept"
  if (!options.includes("retain-longitudinal-modified-dates")) return "removed"
  return legal === "safe-harbor" ? "year" : "shifted"
}

/** What is searched for: in texts that are cleaned or kept by options, and in the result. */
interface Searched {
  readonly own: readonly string[]
  readonly all: readonly string[]
  /** Names of others. */
  readonly names: readonly string[]
  readonly trace: InstanceContext["trace"]
}

const everybody = (own: readonly string[], { identifying, others }: ReturnType<typeof namesIn>): TextPerson => ({
  identifiers: [...own, ...identifying, ...others],
  others,
})

class Deidentifier {
  private readonly policy: Policy
  private readonly rules: ReadonlyMap<number, Rule>
  private readonly retainUids: boolean
  private readonly dates: Case["dates"]
  private readonly said = new Map<string, readonly Insertion[]>()

  constructor(policy: Policy) {
    const options = [...new Set(policy.options)].sort()
    const fault = optionsFault(options)
    if (fault !== undefined) throw new RangeError(fault)
    if (policy.faces !== "refuse" && policy.faces !== "allow") throw new RangeError("faces is refuse or allow")
    this.policy = { ...policy, options }
    this.rules = rulesFor(new Set(options))
    this.retainUids = options.includes("retain-uids")
    this.dates = datesOf(options, policy.legal)
    if (policy.legal === "safe-harbor" && (this.dates === "kept" || this.retainUids))
      throw new RangeError("safe-harbor keeps neither true dates nor UIDs")
  }

  private statements(coding: Coding, face: FaceState, reviewed: Reviewed): readonly Insertion[] {
    const key = `${coding.explicit} ${coding.bigEndian} ${face} ${reviewed.text} ${reviewed.face}`
    const known = this.said.get(key)
    if (known !== undefined) return known
    const made = statements(this.optionsFor(reviewed), coding, face, this.policy.legal, reviewed.text || reviewed.face)
    this.said.set(key, made)
    return made
  }

  /** Who looks at pictures does what Clean Pixel Data asks for (PS3.15 E.3.1). */
  private optionsFor({ text }: Reviewed): readonly ProfileOption[] {
    const { options } = this.policy
    return text && !options.includes("clean-pixel-data") ? [...options, "clean-pixel-data" as const].sort() : options
  }

  private caseOf(parsed: Parsed, summary: Summary, person: Pseudonyms, { own, all, names, trace }: Searched): Case {
    const { options } = this.policy
    const keepsPlaces = options.includes("retain-institution-identity")
    let whose: ReturnType<Case["whose"]> | undefined
    let named: { readonly pattern: RegExp | undefined } | undefined
    let isHit: Case["isHit"] | undefined
    return {
      source: parsed.source,
      rules: this.rules,
      sopClass: summary.sopClassUid,
      pseudonyms: person,
      retainUids: this.retainUids,
      dates: this.dates,
      tellsYear: yearsTold(parsed),
      characteristics: options.includes("retain-patient-characteristics"),
      safePrivate: options.includes("retain-safe-private"),
      cleaning: options.some(cleansTexts),
      descriptors: options.includes("clean-descriptors"),
      cleanText: this.policy.cleanText ?? cleanDescriptor,
      patient: { identifiers: own },
      whose: () => (whose ??= everybody(own, namesIn(parsed))),
      named: () => (named ??= { pattern: namePattern([...names, ...placesIn(parsed, !keepsPlaces)]) }).pattern,
      ...(trace === undefined ? {} : { trace }),
      ...(this.policy.local === undefined ? {} : { local: this.policy.local }),
      isHit: (text, vr) => (isHit ??= hitsIn(all))(text, vr),
      counts: noCounts(),
    }
  }

  private release(
    parsed: Parsed,
    summary: Summary,
    its: Case,
    face: FaceState,
    { pixels, reviewed = notReviewed }: InstanceContext,
  ): Released {
    const { pseudonyms: person, counts } = its
    if (this.dates === "shifted" && !(Number.isInteger(person.shiftDays) && person.shiftDays > 0))
      throw new RangeError("shiftDays is a whole number of days, 1 or more")
    const output = new Output(this.capacity(parsed))
    const now = released(summary, person, this.retainUids)
    writeFileMeta(output, now.sopClassUid, now.sopInstanceUid, now.transferSyntax)
    const bodyStart = output.length
    const { coding } = parsed.dataSet
    const identity: readonly Insertion[] = [
      { tag: 0x00100010, vr: PN, value: ascii(person.patientName()) },
      { tag: 0x00100020, vr: LO, value: ascii(person.patientId()) },
    ]
    const said = [...identity, ...this.statements(coding, face, reviewed)]
    rewrite(its, output, parsed.dataSet, withPixels(said, pixels))
    const report = { counts, options: this.optionsFor(reviewed), facesAllowed: face === "allowed" }
    return { kind: "released", ...splice(parsed, output, bodyStart), report, summary: now }
  }

  private capacity(parsed: Parsed): number {
    const pixelData = parsed.dataSet.elements.find(({ tag }) => isPixelData(tag))
    return (pixelData?.start ?? parsed.source.size) + 2048
  }

  private decide(input: Input, context: InstanceContext): Verdict {
    const safePrivate = this.policy.options.includes("retain-safe-private")
    const parsed = parse(input, { skipPrivate: true, safePrivate })
    if (parsed.kind === "more") return parsed
    const summary = summaryOf(parsed)
    const { person, series, facesCleaned = false, reviewed = notReviewed } = context
    const faces = facesCleaned || reviewed.face ? "allow" : this.policy.faces
    const decided = {
      pixels: context.pixels === "changed" ? ("read" as const) : context.pixels,
      ...(series === undefined ? {} : { series }),
    }
    const refusal = refusalOf(parsed, summary, {
      hasPerson: person !== undefined,
      faces,
      options: this.optionsFor(reviewed),
      ...decided,
    })
    if (refusal !== undefined) return refusal
    if (person === undefined) return refuse("no-person")
    const risk = riskOfSeries(summary, decided)
    const face = facesCleaned ? "cleaned" : faces === "allow" && risk === "face-risk" ? "allowed" : "none"
    const known = identifiersIn(parsed, this.retainUids, this.mayStay)
    const own = [...this.own(summary), ...(context.identifiers ?? [])]
    const identifiers = [...new Set([...own, ...known.texts])]
    const its = this.caseOf(parsed, summary, person, {
      own,
      all: [...identifiers, ...known.uids],
      names: known.names,
      trace: context.trace,
    })
    const verdict = this.release(parsed, summary, its, face, context)
    const left = selfCheck(parsed, its, { ...known, texts: identifiers })(verdict)
    return left.length === 0 ? verdict : refuse("identifier-left", left[0])
  }

  private readonly mayStay = (tag: number): boolean => isOfKinds(tag) || this.rules.get(tag)?.option !== undefined

  /** The identifiers that no text of the object may have. */
  private own({ patientId, patientName, accessionNumber }: Summary): readonly string[] {
    return [patientId, patientName, accessionNumber].filter((text) => text !== "")
  }

  readonly deidentify: Deidentify = (input, context) => {
    try {
      return this.decide(input, context)
    } catch (thrown) {
      if (thrown instanceof Unread) return thrown.need
      if (thrown instanceof DicomFormatError) return refuse("unparsable", thrown.path, thrown.code)
      if (thrown instanceof RefusedInside) return thrown.refused
      throw thrown
    }
  }
}

/** A de-identifier for a policy: PS3.15 Table E.1-1, basic profile and the options named. It is pure; give it the bytes around the
 * pixel data (see `parse`), and more of them when it asks. Throws RangeError for pseudonyms that are not ASCII. */
export const deidentifier = (policy: Policy): Deidentify => new Deidentifier(policy).deidentify

/** The same for one instance; rules are made anew, so use `deidentifier` for many. */
export const deidentifyInstance = (input: Input, policy: Policy, context: InstanceContext): Verdict =>
  deidentifier(policy)(input, context)
