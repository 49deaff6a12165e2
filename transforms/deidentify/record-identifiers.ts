import type { Pseudonymizer } from "../../core/index.ts"

/** The strings that stand beside a field, by field name: its siblings in the same nested record, or the other parts of a row id. */
export type Beside = (field: string) => string | undefined

/** How values marked as identifiers are mapped. */
export interface Identifiers {
  readonly pseudonyms: Pick<Pseudonymizer, "identifier" | "accession">
  /** A UID as de-identified images have it. */
  readonly uid: (uid: string) => string
  /** The one name of an issuer of accession numbers that has several. */
  readonly issuer: (issuer: string) => string
}

/** Fields whose string names the kind of thing that an identifier beside it means, and so its namespace. */
const kinds = ["resourceType", "subtype", "namespace"]
/** Kinds of things whose id is a UID. */
const uidKinds: ReadonlySet<string> = new Set(["Study", "dicom"])

/** The pseudonym of a value marked `identifier`. The same thing has the same pseudonym wherever it is met, also in what
 * deidentify-dicom and deidentify-fhir make, so the namespace follows from the record, by the first of these that applies:
 * 1. `accessionNumber` beside `accessionIssuer`: the accession pseudonym of both.
 * 2. beside `resourceType`, `subtype` or `namespace`: that text is the namespace; where it is `Study` or `dicom` the value is a
 *    UID and is mapped as one.
 * 3. else the field's own name is the namespace.
 * An empty value stays empty. */
export function mapIdentifier(
  field: string,
  value: string,
  beside: Beside,
  { pseudonyms, uid, issuer }: Identifiers,
): string {
  if (value === "") return ""
  const accessionIssuer = field === "accessionNumber" ? beside("accessionIssuer") : undefined
  if (accessionIssuer !== undefined) return pseudonyms.accession(issuer(accessionIssuer), value)
  const kind = kindBeside(field, beside)
  if (kind !== undefined && uidKinds.has(kind)) return uid(value)
  return pseudonyms.identifier(kind ?? field, value)
}

/** The text beside an identifier that names its kind. */
export function kindBeside(field: string, beside: Beside): string | undefined {
  for (const name of kinds) {
    const kind = name === field ? undefined : beside(name)
    if (kind !== undefined && kind !== "") return kind
  }
  return undefined
}
