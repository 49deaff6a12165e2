import { refused } from "../../core/index.ts"
import {
  FhirDeidentifyError,
  deidentifyResource,
  findsOwn,
  isOwnIn,
  ownOf,
} from "../../formats/fhir/deidentify/index.ts"
import type { LocalTime, Mapping } from "../../formats/fhir/deidentify/index.ts"
import type { Resource } from "../../formats/fhir/resource.ts"
import { isUnit } from "../../formats/ucum/index.ts"
import type { PersonCodes } from "./codes.ts"
import type { Project } from "./profile.ts"

/** What the resources of a project are de-identified with. */
export interface FhirPolicy extends Pick<Project, "pseudonyms" | "profile" | "issuer"> {
  /** The clock whose time of day is told; that of each text where there is none. */
  readonly local: LocalTime | undefined
  readonly retainUids: boolean
}

/** The mapping of one person's resources.
 * @param key of the person
 * @param left told of what is left out, by a code */
export function mappingOf(
  key: string,
  { pseudonyms, profile, issuer, local, retainUids }: FhirPolicy,
  { person, identifier, uid, accession }: PersonCodes,
  left: (reason: string) => void,
): Mapping {
  return {
    person,
    profile,
    shiftDays: pseudonyms.shiftDays(key),
    ...(local === undefined ? {} : { local }),
    identifier,
    uid: retainUids ? (value) => value : uid,
    accession: (system, value) => accession(issuer(system), value),
    isUnit,
    left,
  }
}

const dicomUid = "urn:dicom:uid"

/** A resource without the UIDs that it is identified by, for the search of what must not be left: a retained one is left. */
function withoutUids(resource: Resource): Resource {
  const { identifier } = resource as { readonly identifier?: unknown }
  if (!Array.isArray(identifier)) return resource
  const others = identifier.filter((each) => (each as { readonly system?: unknown } | null)?.system !== dicomUid)
  return { ...resource, identifier: others } as Resource
}

/** What is known of the person of a resource beside it. */
export interface AboutPerson {
  /** Values that must not be left. */
  readonly identifiers: readonly string[]
  /** FHIR date. */
  readonly birthDate: string | null
}

/** De-identifies a resource, and searches the result for what names its person.
 * @throws bad records `resource-type`, `not-a-resource`, `self-check` */
export function cleanResource(
  resource: Resource,
  { identifiers, birthDate }: AboutPerson,
  mapping: Mapping,
  retainUids: boolean,
): Resource {
  try {
    const own = ownOf(retainUids ? withoutUids(resource) : resource, identifiers, mapping.profile)
    const isOwn = (text: string, isSystem: boolean) => isOwnIn(text, isSystem, own)
    const output = deidentifyResource(resource, birthDate, { ...mapping, isOwn })
    if (findsOwn(output, own))
      throw refused("self-check", "the de-identified resource still holds an identifier of its person")
    return output as Resource
  } catch (error) {
    if (error instanceof FhirDeidentifyError) throw refused(error.code, error.message)
    throw error
  }
}
