import { at, items, object, referenced, text } from "./json.ts"
import type { Json } from "./json.ts"

/** Gives the namespace of an issuer of accession numbers; an undeclared issuer is its own. */
export type AccessionNamespace = (issuer: string) => string

/** A Study Instance UID out of an identifier: `urn:dicom:uid` (FHIR R4, ImagingStudy) or an OID as URI. */
export function studyUid(identifier: unknown): string | undefined {
  const { system, value } = object(identifier)
  const uid = text(value)
  if (uid === undefined || (system !== "urn:dicom:uid" && system !== "urn:ietf:rfc:3986")) return undefined
  const bare = uid.startsWith("urn:oid:") ? uid.slice(8) : system === "urn:dicom:uid" ? uid : ""
  return /^[0-9.]{1,64}$/.test(bare) ? bare : undefined
}

/** Identifiers of type ACSN (HL7 v2-0203), as `namespace|number`. */
export const accessionsOf = (resource: Json, namespace: AccessionNamespace): readonly string[] => {
  const found = items(resource["identifier"]).flatMap((identifier) => {
    const value = text(identifier["value"])
    const isAccession = items(at(identifier, ["type", "coding"])).some(({ code }) => code === "ACSN")
    return isAccession && value !== undefined ? [`${namespace(text(identifier["system"]) ?? "")}|${value}`] : []
  })
  return [...new Set(found)].sort()
}

export const encounterOf = (resource: Json): string | undefined => referenced(resource["encounter"])?.id

/** What a resource names of the study that it is about: UIDs, ImagingStudy ids, ServiceRequest ids, accession numbers. */
export function linksOf(resource: Json, namespace: AccessionNamespace) {
  const named = ["imagingStudy", "derivedFrom", "partOf"].flatMap((element) => {
    const value = resource[element]
    return Array.isArray(value) ? value : value === undefined ? [] : [value]
  })
  const uids = named.flatMap((reference) => studyUid(at(reference, ["identifier"])) ?? [])
  const ids = named.flatMap((reference) => {
    const target = referenced(reference)
    const about = target?.type === "ImagingStudy" || (target !== undefined && target.type === undefined)
    return about ? [target.id] : []
  })
  const requests = (Array.isArray(resource["basedOn"]) ? resource["basedOn"] : []).flatMap(
    (reference) => referenced(reference)?.id ?? [],
  )
  const accessions = accessionsOf(resource, namespace)
  return {
    ...(uids.length > 0 ? { uids } : {}),
    ...(ids.length > 0 ? { imagingStudies: ids } : {}),
    ...(requests.length > 0 ? { requests } : {}),
    ...(accessions.length > 0 ? { accessions } : {}),
  }
}
