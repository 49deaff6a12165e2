import { WeirError, rowId, weirVersion } from "../../core/index.ts"
import type { Context, CuratedInstance, Objects } from "../../core/index.ts"
import { deidentifyOriginal, examine } from "./dicom-original.ts"
import type { Examined, ReleasedObject } from "./dicom-original.ts"
import type { DicomPolicy } from "./dicom-policy.ts"
import type { FaceSeries, Faces } from "./dicom-faces.ts"
import { asSeries, under } from "./dicom-series.ts"
import type { Risk } from "./dicom-series.ts"
import type { Made, Refusal, Stated, Verdict } from "./dicom-rows.ts"
import { checked, hashOf, originalIn } from "./dicom-store.ts"
import type { Kept } from "./dicom-store.ts"

/** What verdicts need: the policy, the bucket of originals and the bucket of results. */
export interface Border {
  readonly policy: DicomPolicy
  readonly faces: Faces
  readonly from: Objects
  readonly to: Objects
  readonly count: Context["count"]
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
  readonly risk: Risk
  readonly face: FaceSeries | undefined
}

/** Decides on an instance, and stores the result where it is released. */
export async function verdictOn(
  { key, sop, stated, risk, face }: Deciding,
  border: Border,
  kept: Kept,
): Promise<Verdict> {
  const { policy, faces, from, count } = border
  try {
    const original = originalIn(from, stated.object.key, stated.object.size, kept)
    const person = policy.person(key)
    const pixels =
      policy.pixels === undefined ? undefined : { cleaner: policy.pixels, inSample: () => policy.inShare(sop) }
    const context = { person: person.dicom, series: asSeries(risk) }
    const found =
      face === undefined
        ? await deidentifyOriginal(original, policy.deidentify, context, pixels)
        : await faces.deidentify(original, person, face, pixels)
    if (face !== undefined && found.kind === "released") count("faces-cleaned", "face-risk")
    if (found.kind === "refused") return { risk, refused: refusalOf(under(risk, found)) }
    return { risk, released: await store(stated.study, found, border), made: madeOf(found, policy) }
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

async function store(study: string, object: ReleasedObject, { policy, to, count }: Border): Promise<CuratedInstance> {
  const sha256 = await hashOf(object)
  // Keyed by content, under the project's own UID also where UIDs are retained: nothing of the original is in a name.
  const key = `dicom/${policy.nameUid(study)}/${sha256}.dcm`
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
    profile: policy.profile(report.facesAllowed),
  }
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
const int32 = (value: number | undefined): number | null =>
  value === undefined || Math.abs(value) > 0x7fffffff ? null : value

/** Row id of a released instance. */
export const idOf = ({ sopInstanceUid }: CuratedInstance): string => rowId([sopInstanceUid.toWellFormed()])
