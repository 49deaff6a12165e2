import type { FaceSeries, Faces } from "./dicom-faces.ts"
import { deidentifyOriginal } from "./dicom-original.ts"
import type { Original, PixelReading, ReleasedObject, Unfit } from "./dicom-original.ts"
import type { DicomPolicy, Person } from "./dicom-policy.ts"
import { asSeries } from "./dicom-series.ts"
import type { Risk } from "./dicom-series.ts"
import type { Refused, Reviewed } from "../../formats/dicom/index.ts"
import type { PixelsHeld } from "./pixels/clean-pixels.ts"

/** An original, under the decision on its series. */
export interface Coding {
  readonly original: Original
  /** Person key; undefined: nobody is known. */
  readonly key: string | undefined
  /** Study Instance UID. */
  readonly study: string
  readonly risk: Risk
  /** The series whose face is taken out. */
  readonly face: FaceSeries | undefined
  readonly pixels: PixelReading | undefined
  /** What people looked at and let pass. */
  readonly reviewed?: Reviewed | undefined
}

/** What became of it, and the UID that stands for its study, for the name of its place. */
export interface Coded {
  readonly found: ReleasedObject | Refused | Unfit | PixelsHeld
  readonly study: string
}

/** De-identifies an original with the codes of its person. Where those are of a vault the header is gone over first, so that pictures
 * are read and faces taken out once. */
export async function deidentifyCoded(coding: Coding, policy: DicomPolicy, faces: Faces): Promise<Coded> {
  const { original, key, study, pixels } = coding
  if (key === undefined) return { found: await made(coding, undefined, policy, faces), study: "" }
  if (policy.asksAgain && (faceOf(coding) !== undefined || pixels !== undefined)) {
    const seen = { ...contextOf(coding), pixels: pixels === undefined ? undefined : ("read" as const) }
    await policy.withPerson(key, ({ dicom }) =>
      deidentifyOriginal(original, policy.deidentify, { ...seen, person: dicom }),
    )
  }
  return policy.withPerson(key, async (person) => ({
    found: await made(coding, person, policy, faces),
    study: person.dicom.uid(study),
  }))
}

/** The series whose face is to go, unless a person let it stay. */
const faceOf = ({ face, reviewed }: Coding): FaceSeries | undefined => (reviewed?.face === true ? undefined : face)

const contextOf = (coding: Coding) => {
  const { risk, reviewed } = coding
  const series =
    faceOf(coding) === undefined ? { series: asSeries(risk) } : { series: asSeries("face-risk"), facesCleaned: true }
  return reviewed === undefined ? series : { ...series, reviewed }
}

async function made(coding: Coding, person: Person | undefined, { deidentify }: DicomPolicy, faces: Faces) {
  const { original, pixels, reviewed } = coding
  const face = faceOf(coding)
  if (face !== undefined) return faces.deidentify(original, person, face, pixels, reviewed)
  return deidentifyOriginal(original, deidentify, { ...contextOf(coding), person: person?.dicom }, pixels)
}
