import { personKeys } from "../../core/index.ts"
import type { Summary } from "../../formats/dicom/index.ts"

/** Which namespace an issuer of patient ids (0010,0021) means: one for all issuers, or by issuer (`""`: none is stated; undefined:
 * its ids are ignored, and the person is that of the study). It has to be the name that the pipeline's `identity:` list gives. */
export type NamespaceOf = string | ((issuer: string) => string | undefined)

/** The namespace that resolve-patient gives persons of one study. */
const studyNamespace = "study"

/** The patient id of an instance in its namespace; undefined where it makes no person. */
export function identifierOf(
  { patientId, issuer }: { readonly patientId: string; readonly issuer: string },
  namespaceOf: NamespaceOf,
): { readonly namespace: string; readonly value: string } | undefined {
  const value = patientId.toWellFormed().trim()
  if (value === "") return undefined
  const namespace = typeof namespaceOf === "string" ? namespaceOf : namespaceOf(issuer.toWellFormed().trim())
  return namespace === undefined ? undefined : { namespace, value }
}

/** The person key of an instance, by Patient ID and issuer alone: what resolve-patient gives where that identifier is the key member
 * of its set, or nothing usable is stated. undefined when the instance names no study either. */
export function personsBy(identityKey: Uint8Array, namespace: NamespaceOf): (summary: Summary) => string | undefined {
  const personKey = personKeys(identityKey)
  return (summary) => {
    const { patientId, issuerOfPatientId: issuer } = summary
    const found = identifierOf({ patientId, issuer }, namespace)
    if (found !== undefined) return personKey(found.namespace, found.value)
    const study = summary.studyInstanceUid.toWellFormed()
    return study === "" ? undefined : personKey(studyNamespace, study)
  }
}

/** The same for one instance. */
export const personOf = (summary: Summary, identityKey: Uint8Array, namespace: NamespaceOf): string | undefined =>
  personsBy(identityKey, namespace)(summary)

/** Notices one Patient ID under two stated issuers, which may be two people: with one namespace for all issuers they would get one
 * pseudonym. */
export class Ambiguity {
  readonly #issuers = new Map<string, string>()
  readonly #ambiguous = new Set<string>()

  add({ patientId, issuerOfPatientId }: Pick<Summary, "patientId" | "issuerOfPatientId">): void {
    const [id, issuer] = [patientId.trim(), issuerOfPatientId.trim()]
    if (id === "" || issuer === "") return
    const known = this.#issuers.get(id)
    if (known === undefined) this.#issuers.set(id, issuer)
    else if (known !== issuer) this.#ambiguous.add(id)
  }

  has(patientId: string): boolean {
    return this.#ambiguous.has(patientId.trim())
  }
}
