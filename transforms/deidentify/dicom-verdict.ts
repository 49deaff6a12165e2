import { WeirError, rowId, weirVersion } from "../../core/index.ts"
import type { Context, CuratedInstance, Objects, ReviewDecision, State } from "../../core/index.ts"
import { deidentifyCoded } from "./dicom-coded.ts"
import { examine } from "./dicom-original.ts"
import type { Examined, Original, ReleasedObject } from "./dicom-original.ts"
import type { DicomPolicy } from "./dicom-policy.ts"
import type { FaceSeries, Faces } from "./dicom-faces.ts"
import { canFollow, isReviewable, lifting, nothingLifted, rejectedReason } from "./dicom-review.ts"
import type { Lifted, ReviewQueue } from "./dicom-review.ts"
import { under } from "./dicom-series.ts"
import type { Risk } from "./dicom-series.ts"
import { placeText } from "./dicom-rows.ts"
import type { InstanceRow, Made, Place, Refusal, Stated, Verdict } from "./dicom-rows.ts"
import { checked, hashOf, originalIn } from "./dicom-store.ts"
import type { Kept } from "./dicom-store.ts"

/** What verdicts need: the policy, the bucket of originals and the bucket of results. */
export interface Border {
  readonly policy: DicomPolicy
  readonly faces: Faces
  readonly from: Objects
  readonly to: Objects
  /** Says which objects a row named before and names now. */
  refer(state: State, before: InstanceRow | undefined, now: InstanceRow): void
  readonly count: Context["count"]
  /** Where what is held waits for a person; without it what is refused stays refused. */
  readonly reviews?: ReviewQueue
}

/** A bad record's error as the reason of a refusal; anything else is the step's failure. */
function refusalFrom(thrown: unknown): Refusal {
  if (!(thrown instanceof WeirError) || thrown.meaning !== "bad-record") throw thrown
  return { reason: thrown.code }
}

const refusalOf = ({ reason, path, detail }: Refusal): Refusal => ({
  reason,
  ...(path === undefined || path === "" ? {} : { path }),
  ...(detail === undefined ? {} : { detail }),
})

/** Reads the header of an instance's object; a refusal when it is not the object that the record describes. */
export async function examineStated(
  sop: string,
  stated: Stated,
  { from }: Border,
  kept: Kept,
): Promise<Examined | Refusal> {
  try {
    const found = await examine(originalIn(from, stated.object.key, stated.object.size, kept))
    if (found.kind === "refused") return refusalOf(found)
    const { sopInstanceUid, studyInstanceUid, seriesInstanceUid } = found.summary
    const same =
      sopInstanceUid.toWellFormed() === sop &&
      studyInstanceUid.toWellFormed() === stated.study &&
      seriesInstanceUid.toWellFormed() === stated.series
    return same ? found : { reason: "object-mismatch" }
  } catch (thrown) {
    return refusalFrom(thrown)
  }
}

/** What is decided on: an instance, under the decision on its series; with `face` its face is taken out. */
export interface Deciding {
  readonly key: string
  readonly sop: string
  readonly stated: Stated
  /** Where its record was read. */
  readonly at: Place
  readonly risk: Risk
  readonly face: FaceSeries | undefined
}

/** Decides on an instance, and stores the result where it is released. What a person decided on the same bytes lifts the verdict that
 * was reviewed, when it is found again, and no other. */
export async function verdictOn(deciding: Deciding, border: Border, kept: Kept): Promise<Verdict> {
  const { key, sop, stated, risk } = deciding
  const { from, count } = border
  try {
    const original = originalIn(from, stated.object.key, stated.object.size, kept)
    let decisions: ReadonlyMap<string, ReviewDecision> | undefined
    const held = { person: key, sop, stated, input: placeText(deciding.at) }
    for (let lifted = nothingLifted; ;) {
      const { found, study } = await deidentified(deciding, original, lifted, border)
      if (found.kind === "released") {
        if (deciding.face !== undefined && lifted.reviewed?.face !== true) count("faces-cleaned", "face-risk")
        const released = await store(study, found, border, lifted.reviewed !== undefined)
        return { risk, released, made: madeOf(found, border.policy) }
      }
      const refused = refusalOf(under(risk, found))
      const { reason } = refused
      if (border.reviews === undefined || !isReviewable(reason) || lifted.lifts.has(reason)) return { risk, refused }
      decisions ??= await border.reviews.decisions(held)
      const decision = decisions.get(reason)
      if (decision === undefined) {
        await border.reviews.hold(held, refused, "boxes" in found ? (found.boxes ?? []) : [], original)
        return { risk, refused }
      }
      if (decision.verdict === "rejected") return { risk, refused: { reason: rejectedReason, detail: reason } }
      if (!canFollow(reason, decision)) return { risk, refused }
      lifted = lifting(lifted, reason, decision)
    }
  } catch (thrown) {
    return { risk, refused: refusalFrom(thrown) }
  } finally {
    kept.forget(stated.object.key)
  }
}

const madeOf = ({ released: { report } }: ReleasedObject, policy: DicomPolicy): Made => ({
  tool: weirVersion(),
  key: policy.keyId,
  counts: Object.fromEntries(Object.entries(report.counts).filter(([, number]) => number > 0)),
})

/** An instance de-identified, or why not, with what people lifted so far. */
function deidentified(
  { key, sop, stated, risk, face }: Deciding,
  original: Original,
  { reviewed, ...pictures }: Lifted,
  { policy, faces }: Border,
) {
  const text = reviewed?.text === true ? { reviewed: pictures } : {}
  const read = policy.pixels !== undefined || reviewed?.text === true
  const pixels = read ? { cleaner: policy.pixels, inSample: () => policy.inShare(sop), ...text } : undefined
  return deidentifyCoded({ original, key, study: stated.study, risk, face, pixels, reviewed }, policy, faces)
}

/** @param study the UID that stands for the study */
async function store(
  study: string,
  object: ReleasedObject,
  { policy, to, count }: Border,
  reviewed: boolean,
): Promise<CuratedInstance> {
  const sha256 = await hashOf(object)
  // Keyed by content, under the project's own UID also where UIDs are retained: nothing of the original is in a name.
  const key = `dicom/${study}/${sha256}.dcm`
  const { pieces, size, released } = object
  await to.put(key, pieces === undefined ? checked(object, sha256) : object.stream())
  const { summary, report } = released
  for (const [what, number] of Object.entries(report.counts))
    if (number > 0) count("dicom-elements", kebab(what), number)
  if (report.facesAllowed) count("faces-allowed", "face-risk")
  return {
    object: { key, size, sha256, transferSyntax: summary.transferSyntax },
    sopInstanceUid: summary.sopInstanceUid,
    sopClassUid: summary.sopClassUid,
    seriesInstanceUid: summary.seriesInstanceUid,
    studyInstanceUid: summary.studyInstanceUid,
    modality: summary.modality,
    bodyPart: summary.bodyPart,
    instanceNumber: int32(summary.instanceNumber),
    profile: policy.profile(report.facesAllowed, reviewed),
  }
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
const int32 = (value: number | undefined): number | null =>
  value === undefined || Math.abs(value) > 0x7fffffff ? null : value

/** Row id of a released instance. */
export const idOf = ({ sopInstanceUid }: CuratedInstance): string => rowId([sopInstanceUid.toWellFormed()])
