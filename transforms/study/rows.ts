import { createHash } from "node:crypto"

/** What a study's assembly keeps; its instances are rows beside it. */
export interface Assembly {
  readonly uid: string
  /** Instances now. */
  count: number
  /** At least the greatest expected count among them; exact after each derivation. */
  expected: number | null
  /** When it last changed, by the engine's clock; absent when nothing changed since it was derived. */
  changed?: number
  /** When the first change came that it is not derived with; absent with `changed`, and where an older version noted that. */
  since?: number
  /** When its timer fires; absent when none is armed. */
  armed?: number
  /** Of the study as it was emitted last. */
  revision: string
  hash: string
}

/** The assembly of a study of which nothing came yet. */
export const noAssembly = (uid: string): Assembly => ({ uid, count: 0, expected: null, revision: "0", hash: "" })

export const hashOf = (value: unknown): string => createHash("sha256").update(JSON.stringify(value)).digest("base64url")

// Rows under a person: i/<SOP UID>, s/<study>/<SOP UID> and t/<study>, parts percent-encoded.
const encoded = (uid: string): string => encodeURIComponent(uid.toWellFormed())

/** Of what is known of an instance (Held). */
export const heldSort = (sop: string): string => `i/${encoded(sop)}`
/** Of an instance as part of its study (Part). */
export const partSort = (study: string, sop: string): string => `s/${encoded(study)}/${encoded(sop)}`
/** Of a study (Assembly). */
export const assemblySort = (study: string): string => `t/${encoded(study)}`

/** All parts of a study of a person. */
export function partsOf(key: string, study: string) {
  const prefix = `s/${encoded(study)}`
  return { key, from: `${prefix}/`, to: `${prefix}0` }
}
