import { createHmac } from "node:crypto"
import { Schema, defaultShift, fatal, pseudonymizer } from "../../core/index.ts"
import type { Context, OptionFault, Pseudonymizer, ShiftRange, Zone } from "../../core/index.ts"
import { Codes } from "./codes.ts"
import { timeZoneOption } from "./local-time.ts"
import type { Profile } from "../../formats/fhir/deidentify/index.ts"

/** What decides on dates, places and codes, for all formats alike. */
export type { Profile } from "../../formats/fhir/deidentify/index.ts"

/** The options by which a profile is chosen. */
export const profileFields = {
  profile: Schema.optionalKey(
    Schema.Literals(["shifted", "safe-harbor", "limited-data-set"]).annotate({
      description:
        "shifted (default): dates moved by the person's days, which needs an expert's determination (45 CFR 164.514(b)(1)); safe-harbor: years only, ZIP3, random codes of a vault (164.514(b)(2)); limited-data-set: true dates and ZIP codes, only for outputs in zone limited (164.514(e))",
    }),
  ),
  vault: Schema.optionalKey(
    Schema.String.annotate({
      description:
        "name of the secret whose key opens the project's reverse vault, 32 bytes or more; without it there is no way back (safe-harbor needs one)",
    }),
  ),
  determination: Schema.optionalKey(
    Schema.String.annotate({
      description:
        "who gave the expert's determination that profile shifted needs, and where it is filed; manifests say it",
    }),
  ),
}

const days = (description: string) => Schema.Int.annotate({ description })

/** The options that say under which key, and with which shift and names, a project's codes are made: the same for all formats. */
export const codeFields = {
  key: Schema.String.annotate({ description: "name of the secret that holds the project key, 32 bytes or more" }),
  shift: Schema.optionalKey(
    Schema.Struct({ "min-days": days("least days back, 1 or more"), "max-days": days("most days back") }).annotate({
      description:
        "range of the date shift, backwards in whole days (default 365 to 3650); the same in all of a project",
    }),
  ),
  "accession-issuers": Schema.optionalKey(
    Schema.Array(Schema.Array(Schema.String)).annotate({
      description:
        "lists of issuers of accession numbers (DICOM issuers, FHIR systems, HL7 v2 namespace ids) that mean the same one; the first gives the pseudonym",
    }),
  ),
}

/** The options that resources, records and messages have alike. */
export const projectFields = {
  ...codeFields,
  "retain-uids": Schema.optionalKey(
    Schema.Boolean.annotate({
      description:
        "keeps DICOM UIDs as they are, as deidentify-dicom does with the same option, so that records join with its images (default false)",
    }),
  ),
  "time-zone": timeZoneOption,
  ...profileFields,
}

/** Those of codes, decoded. */
export interface CodeOptions {
  readonly key: string
  readonly shift?: { readonly "min-days": number; readonly "max-days": number }
  readonly "accession-issuers"?: readonly (readonly string[])[]
}

/** What is the same for all that a project's step makes. */
export interface Project {
  readonly profile: Profile
  readonly pseudonyms: Pseudonymizer
  readonly codes: Codes
  /** The one name of an issuer of accession numbers that has several. */
  readonly issuer: (issuer: string) => string
  /** See {@link keyIdOf}. */
  readonly keyId: string
}

/** Tells what is made under one project key from what is made under another; nothing of the key is in it. */
export const keyIdOf = (projectKey: Uint8Array): string =>
  createHmac("sha256", projectKey).update("weir key id").digest("hex").slice(0, 16)

/** The range of the shift. Throws fatal `shift-range`. */
export function shiftOf({ shift }: Pick<CodeOptions, "shift">): ShiftRange {
  const range = shift === undefined ? defaultShift : { minDays: shift["min-days"], maxDays: shift["max-days"] }
  checkShift(range)
  return range
}

/** Throws fatal `shift-range`. */
export function checkShift({ minDays, maxDays }: ShiftRange): void {
  if (!Number.isInteger(minDays) || minDays < 1 || maxDays < minDays)
    throw fatal("shift-range", "the date shift needs 1 <= min-days <= max-days", { path: "shift" })
}

/** Throws fatal `key-too-short`. */
export function checkKey(key: Uint8Array): void {
  if (key.length < 32)
    throw fatal("key-too-short", "the project key has less than 32 bytes", {
      path: "key",
      hint: "make one of 32 random bytes",
    })
}

/** The one name of an issuer that has several. */
export function issuersOf(lists: readonly (readonly string[])[] = []): (issuer: string) => string {
  const names = new Map(lists.flatMap((same) => same.map((issuer) => [issuer, same[0]!])))
  return (issuer) => names.get(issuer) ?? issuer
}

/** The kind of codes that a profile's vault holds. */
export const codesOf = (profile: Profile): "random" | "keyed" => (profile === "safe-harbor" ? "random" : "keyed")

/** The project of a step, with its vault opened.
 * @param faults of the options; those of {@link profileFaults} unless given
 * @throws fatal `profile-not-limited`, `profile-refused`, `key-too-short`, `shift-range`, and what opening a vault throws */
export async function projectOf(
  given: CodeOptions & ProfileOptions,
  context: Context,
  faults?: readonly OptionFault[],
): Promise<Project> {
  const zones = Object.values(context.outputs).map(({ zone }) => zone)
  checkProfile(given, zones, faults)
  const key = context.secret(given.key)
  checkKey(key)
  const pseudonyms = pseudonymizer(key, shiftOf(given))
  const profile = profileOf(given)
  const vault = given.vault === undefined ? undefined : await context.vault(given.key, given.vault, codesOf(profile))
  return {
    profile,
    pseudonyms,
    codes: new Codes(pseudonyms, vault),
    issuer: issuersOf(given["accession-issuers"]),
    keyId: keyIdOf(key),
  }
}

/** Those options, decoded. */
export interface ProfileOptions {
  readonly profile?: Profile
  readonly vault?: string
  readonly determination?: string
  readonly "retain-uids"?: boolean
}

/** The profile that options ask for. */
export const profileOf = ({ profile }: ProfileOptions): Profile => profile ?? "shifted"

/** Names of the secrets that options use. */
export const profileSecrets = ({ key, vault }: ProfileOptions & { readonly key: string }): readonly string[] =>
  vault === undefined ? [key] : [key, vault]

/** What is wrong with these options beside the zones of the outputs; told when the file is compiled. */
export function profileFaults(given: ProfileOptions, outputs: readonly Zone[]): readonly OptionFault[] {
  const profile = profileOf(given)
  const faults: OptionFault[] = []
  if (profile === "safe-harbor" && given.vault === undefined)
    faults.push({
      path: [],
      message:
        "profile safe-harbor needs a vault: its codes must not be derived from the individual; name its key, as vault: vault-key",
    })
  if (profile === "safe-harbor" && given["retain-uids"] === true)
    faults.push({
      path: ["retain-uids"],
      message: "profile safe-harbor keeps no UIDs: they are unique codes of before (45 CFR 164.514(b)(2)(i)(R))",
    })
  if (profile === "limited-data-set" && outputs.some((zone) => zone !== "limited"))
    faults.push({
      path: ["profile"],
      message: "profile limited-data-set needs outputs in zone limited, and in no other",
    })
  if (profile !== "shifted" && given.determination !== undefined)
    faults.push({ path: ["determination"], message: "an expert's determination is of profile shifted" })
  return faults
}

/** The same where a step is made, in a pipeline that was not compiled. Throws fatal `profile-not-limited`, `profile-refused`. */
export function checkProfile(
  given: ProfileOptions,
  outputs: readonly Zone[],
  faults = profileFaults(given, outputs),
): void {
  if (profileOf(given) === "limited-data-set" && (outputs.length === 0 || outputs.some((zone) => zone !== "limited")))
    throw fatal("profile-not-limited", "profile limited-data-set needs an output in zone limited", { path: "profile" })
  const [fault] = faults
  if (fault !== undefined) throw fatal("profile-refused", fault.message, { path: fault.path.join(".") })
}

/** What manifests say of an output. */
export function profileStatement(plugin: string, given: ProfileOptions): string {
  const profile = profileOf(given)
  if (profile === "safe-harbor")
    return `${plugin}: safe harbor (45 CFR 164.514(b)(2)): years only, ages of 90 and more as one, ZIP3 by population, random codes`
  if (profile === "limited-data-set")
    return `${plugin}: limited data set (45 CFR 164.514(e)): true dates and ZIP codes; not de-identified, a data use agreement is required`
  const by = given.determination === undefined ? "none is stated" : `given by ${given.determination}`
  return `${plugin}: shifted dates and keyed codes; not safe harbor, an expert's determination is required (45 CFR 164.514(b)(1)): ${by}`
}
