import { Schema } from "../../core/index.ts"
import type { ProfileOption } from "../../formats/dicom/index.ts"
import { clockOf, timeZoneOption } from "./local-time.ts"
import { DicomPolicy } from "./dicom-policy.ts"

const flag = (description: string) => Schema.optionalKey(Schema.Boolean.annotate({ description }))
const days = (description: string) => Schema.Int.annotate({ description })

/** The options of deidentify-dicom. */
export const options = Schema.Struct({
  key: Schema.String.annotate({ description: "name of the secret that holds the project key, 32 bytes or more" }),
  "retain-longitudinal-modified-dates": flag(
    "keeps dates, shifted by the person's days (PS3.15 E.3.6); without it they are removed (default false)",
  ),
  "retain-patient-characteristics": flag(
    "keeps sex, size, weight and age, ages capped at 90 (PS3.15 E.3.7; default false)",
  ),
  "retain-uids": flag("keeps UIDs as they are (PS3.15 E.3.9; default false)"),
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
})
export type DicomOptions = typeof options.Type

/** Options of the profile (PS3.15 E.3) that can be asked for by name. */
export const profileOptions: readonly ProfileOption[] = [
  "retain-longitudinal-modified-dates",
  "retain-patient-characteristics",
  "retain-uids",
]

/** The policy that options ask for; throws as {@link DicomPolicy} does. */
export function policyFrom(given: Omit<DicomOptions, "key">, projectKey: Uint8Array): DicomPolicy {
  const { shift } = given
  return new DicomPolicy({
    projectKey,
    options: profileOptions.filter((option) => given[option as keyof typeof given] === true),
    faces: given.faces ?? "refuse",
    ...(shift === undefined ? {} : { shift: { minDays: shift["min-days"], maxDays: shift["max-days"] } }),
    accessionIssuers: given["accession-issuers"] ?? [],
    ...(given["time-zone"] === undefined
      ? {}
      : { clock: { name: given["time-zone"], local: clockOf(given["time-zone"]) } }),
  })
}
