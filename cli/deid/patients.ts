import { personKeys } from "../../core/index.ts"
import { patientReference } from "../../formats/fhir/resource.ts"
import type { Resource } from "../../formats/fhir/resource.ts"
import type { AboutPerson } from "../../transforms/deidentify/fhir-resource.ts"
import { Ambiguity, identifierOf } from "./person.ts"
import type { NamespaceOf } from "./person.ts"

/** Whose a resource is, and what is known of them in all files. */
export interface ResourcePerson extends AboutPerson {
  /** The person key. */
  readonly key: string
  /** What makes it. */
  readonly identifier: { readonly namespace: string; readonly value: string }
}

/** Why nobody can say whose a resource is: no Patient that states an identifier is known, two persons have the Patient's id, or two
 * systems gave the identifier. */
export type NoPerson = "no-person" | "patient-ambiguous" | "issuer-ambiguous"

type Json = Readonly<Record<string, unknown>>
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
const items = (value: unknown): readonly Json[] => (Array.isArray(value) ? value : [value]).filter(isObject)
const text = (value: unknown): string => (typeof value === "string" ? value : "")

/** Codes of v2-0203, and systems, of numbers by which no hospital keeps its records. */
const elsewhere: ReadonlySet<string> = new Set(["SS", "SB", "DL", "PPN", "TAX"])
const socialSecurity: ReadonlySet<string> = new Set(["http://hl7.org/fhir/sid/us-ssn", "urn:oid:2.16.840.1.113883.4.1"])

interface Chosen {
  readonly namespace: string
  readonly value: string
  readonly system: string
}

/** The identifier of a Patient that makes the person: its record number before others, one in use before an old one, in their order. */
function chosenOf(patient: Resource, namespaceOf: NamespaceOf): Chosen | undefined {
  const ranked = items(patient["identifier"]).flatMap((one) => {
    const types = isObject(one["type"]) ? items(one["type"]["coding"]).map(({ code }) => text(code)) : []
    const system = text(one["system"]).trim()
    if (types.some((type) => elsewhere.has(type)) || socialSecurity.has(system)) return []
    const found = identifierOf({ patientId: text(one["value"]), issuer: system }, namespaceOf)
    const rank = (types.includes("MR") ? 0 : 2) + (one["use"] === "old" ? 1 : 0)
    return found === undefined ? [] : [{ ...found, system, rank }]
  })
  return ranked.sort((a, b) => a.rank - b.rank)[0]
}

/** What is known of one person. */
interface Known {
  readonly identifier: { readonly namespace: string; readonly value: string }
  readonly values: Set<string>
  birth: { readonly date: string; readonly replaced: boolean; readonly id: string } | undefined
}

/** Ids of Patients, each with the key of its person: "" for a Patient that states no usable identifier, undefined for two persons. */
type Ids = Map<string, string | undefined>
export type PatientIds = ReadonlyMap<string, string | undefined>

/** The Patients of a set of files. The same whichever comes first. */
export class Patients {
  readonly #namespace: NamespaceOf
  readonly #ambiguous: (patientId: string) => boolean
  readonly #personKey: ReturnType<typeof personKeys>
  readonly #systems = new Ambiguity()
  readonly #ids: Ids = new Map()
  readonly #persons = new Map<string, Known>()

  /** @param ambiguous whether two issuers of images or messages gave a patient id */
  constructor(identityKey: Uint8Array, namespace: NamespaceOf, ambiguous: (patientId: string) => boolean) {
    this.#namespace = namespace
    this.#ambiguous = ambiguous
    this.#personKey = personKeys(identityKey)
  }

  /** @param alias another name by which its Bundle knows it */
  add(patient: Resource, alias = ""): void {
    const chosen = this.#note(patient, this.#ids)
    if (chosen === undefined) return
    this.#systems.add({ patientId: chosen.value, issuerOfPatientId: chosen.system })
    const { namespace, value } = chosen
    const key = this.#personKey(namespace, value)
    const known = this.#persons.get(key) ?? { identifier: { namespace, value }, values: new Set(), birth: undefined }
    this.#persons.set(key, known)
    const stated = items(patient["identifier"]).map((one) => text(one["value"]).trim())
    for (const one of [...stated, text(patient.id), alias]) if (one !== "") known.values.add(one)
    known.birth = firstOf(known.birth, birthOf(patient))
  }

  /** The ids of the Patients of one Bundle. */
  idsOf(patients: readonly Resource[]): PatientIds {
    const ids: Ids = new Map()
    for (const patient of patients) this.#note(patient, ids)
    return ids
  }

  /** Whose a resource is.
   * @param inside of the Patients of its Bundle, which it means before those of other files */
  of(resource: Resource, inside?: PatientIds): ResourcePerson | NoPerson {
    if (resource.resourceType === "Patient") return this.#person(this.#keyOf(chosenOf(resource, this.#namespace)))
    const id = /^Patient\/(.+)$/s.exec(patientReference(resource) ?? "")?.[1]
    if (id === undefined) return "no-person"
    const ids = inside?.has(id) === true ? inside : this.#ids
    if (!ids.has(id)) return "no-person"
    const key = ids.get(id)
    return key === undefined ? "patient-ambiguous" : this.#person(key)
  }

  #keyOf(chosen: Chosen | undefined): string {
    return chosen === undefined ? "" : this.#personKey(chosen.namespace, chosen.value)
  }

  #note(patient: Resource, ids: Ids): Chosen | undefined {
    const chosen = chosenOf(patient, this.#namespace)
    const key = this.#keyOf(chosen)
    const id = text(patient.id)
    if (id !== "") ids.set(id, !ids.has(id) || ids.get(id) === key ? key : undefined)
    return chosen
  }

  #person(key: string): ResourcePerson | NoPerson {
    const known = this.#persons.get(key)
    if (known === undefined) return "no-person"
    const { identifier, values, birth } = known
    const { value } = identifier
    const isOneForAll = typeof this.#namespace === "string"
    if (isOneForAll && (this.#ambiguous(value) || this.#systems.has(value))) return "issuer-ambiguous"
    return { key, identifier, identifiers: [...values], birthDate: birth?.date ?? null }
  }
}

function birthOf(patient: Resource): Known["birth"] {
  const date = text(patient["birthDate"])
  const replaced = items(patient["link"]).some(({ type }) => type === "replaced-by")
  return date === "" ? undefined : { date, replaced, id: text(patient.id) }
}

/** The birth date of a Patient that stands before that of a replaced one, then the one whose id comes first. */
function firstOf(one: Known["birth"], other: Known["birth"]): Known["birth"] {
  if (one === undefined || other === undefined) return one ?? other
  if (one.replaced !== other.replaced) return one.replaced ? other : one
  return `${one.id} ${one.date}` <= `${other.id} ${other.date}` ? one : other
}
