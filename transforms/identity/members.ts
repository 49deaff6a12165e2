import { personKeys } from "../../core/index.ts"
import type { Identity, IdentityNamespace } from "../../core/index.ts"

/** An identifier in its namespace, as the key of its rows in shared state: `member/<namespace>/<value>`, percent-encoded. */
export type Member = string

/** Persons of one study, for instances without a usable identifier; never joined with others. */
export const studyNamespace = "study"
/** Stands in facts of resources that name no person; never a key of state. */
export const nobody: Member = ""
const fhirPrefix = "fhir:"

// A lone surrogate has no percent-encoding; it becomes U+FFFD, the same wherever the value is met.
const encoded = (part: string): string => encodeURIComponent(part.toWellFormed())

export const memberOf = (namespace: string, value: string): Member => `member/${encoded(namespace)}/${encoded(value)}`

/** The logical id of a Patient: a member in the lowest namespace. */
export const patientMember = (source: string, id: string): Member => memberOf(fhirPrefix + source, id)

/** Namespace and value of a member. */
export function parts(member: Member): { readonly namespace: string; readonly value: string } {
  const [, namespace, value] = member.split("/")
  return { namespace: decodeURIComponent(namespace!), value: decodeURIComponent(value!) }
}

const fhirMember = memberOf(fhirPrefix, "").slice(0, -1)

/** True for logical ids: who they mean is known only once the Patient has come. */
export const isLogicalId = (member: Member): boolean => member.startsWith(fhirMember)

/** The declared namespaces: which issuer means which, and which identifier of a set is its key. */
export class Namespaces {
  readonly #identity: Identity
  readonly #dicom: ReadonlyMap<string, string>
  readonly #fhir: ReadonlyMap<string, string>
  readonly #hl7v2: ReadonlyMap<string, string>
  readonly #rank: ReadonlyMap<string, number>
  readonly #person: (namespace: string, value: string) => string

  constructor(identity: Identity) {
    const { namespaces } = identity
    this.#identity = identity
    this.#dicom = firstOf(namespaces, ({ dicomIssuers }) => dicomIssuers)
    this.#fhir = firstOf(namespaces, ({ fhirSystems }) => fhirSystems)
    this.#hl7v2 = firstOf(namespaces, ({ hl7v2Authorities }) => hl7v2Authorities ?? [])
    this.#rank = new Map(namespaces.map(({ namespace }, rank) => [namespace, rank]))
    this.#person = personKeys(identity.key())
  }

  /** The member that (0010,0020) and (0010,0021) name; undefined when the issuer is not declared. */
  ofDicom(patientId: string, issuer: string): Member | undefined {
    const namespace = this.#dicom.get(issuer.trim())
    return namespace === undefined ? undefined : memberOf(namespace, patientId.trim())
  }

  /** The member that an Identifier names; undefined when its system is not declared. */
  ofFhir(system: string, value: string): Member | undefined {
    const namespace = this.#fhir.get(system.trim())
    return namespace === undefined ? undefined : memberOf(namespace, value.trim())
  }

  /** The member that an identifier of PID-3 names; undefined when its authority is not declared. */
  ofHl7v2(authority: string, value: string): Member | undefined {
    const namespace = this.#hl7v2.get(authority.trim())
    return namespace === undefined ? undefined : memberOf(namespace, value.trim())
  }

  #order(member: Member): readonly [rank: number, namespace: string, value: string] {
    const { namespace, value } = parts(member)
    return [this.#rank.get(namespace) ?? this.#identity.namespaces.length, namespace, value]
  }

  /** The members from the key member on: by rank of the namespace, its name, the value. */
  sorted(set: readonly Member[]): readonly Member[] {
    const keyed = set.map((member) => [this.#order(member), member] as const)
    keyed.sort(([a], [b]) => compareOrder(a, b))
    return keyed.map(([, member]) => member)
  }

  /** The person key of a set: a function of the set alone. */
  person(sorted: readonly Member[]): string {
    const { namespace, value } = parts(sorted[0]!)
    return this.#person(namespace, value)
  }
}

function compareOrder(a: readonly [number, string, string], b: readonly [number, string, string]): number {
  if (a[0] !== b[0]) return a[0] - b[0]
  if (a[1] !== b[1]) return a[1] < b[1] ? -1 : 1
  return a[2] < b[2] ? -1 : a[2] > b[2] ? 1 : 0
}

/** Issuer to namespace; of two that claim an issuer the higher-ranked one has it. */
function firstOf(
  namespaces: readonly IdentityNamespace[],
  issuers: (namespace: IdentityNamespace) => readonly string[],
): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const namespace of namespaces)
    for (const issuer of issuers(namespace)) if (!found.has(issuer)) found.set(issuer, namespace.namespace)
  return found
}
