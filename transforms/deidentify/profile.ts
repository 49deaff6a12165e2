import { Schema, fatal } from "../../core/index.ts"
import type { OptionFault, Zone } from "../../core/index.ts"
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
