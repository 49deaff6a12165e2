import type { Canary } from "../../core/canary/canary.ts"
import { buildPart10 } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"

/** Under which issuers a canary's number is known; those of the pipeline's highest namespace. */
export interface Issuers {
  readonly dicom: string | undefined
  readonly fhir: string | undefined
  readonly hl7v2: string | undefined
}

/** One visit of a canary: another each time, at `time` (ms since 1970, UTC). */
export interface Visit {
  readonly canary: Canary
  readonly issuers: Issuers
  readonly time: number
}

const seconds = ({ time }: Visit): number => Math.floor(time / 1000)
/** Fits SH: nine characters of the canary's, seven of the visit. */
const accessionOf = (visit: Visit): string =>
  visit.canary.identifiers.accession + String(seconds(visit) % 1e7).padStart(7, "0")
const uidOf = (visit: Visit, what: number): string => `${visit.canary.identifiers.uid}.${seconds(visit)}.${what}`
const day = ({ time }: Visit): string => new Date(time).toISOString().slice(0, 10).replaceAll("-", "")
const clock = ({ time }: Visit): string => new Date(time).toISOString().slice(11, 19).replaceAll(":", "")

/** What a person writes of the patient, with all that must not be in it. */
function note({ canary: { identifiers } }: Visit): string {
  const { "family-name": family, "given-name": given } = identifiers
  return `${given} ${family} (MRN ${identifiers.mrn}), born ${identifiers["birth-date"]}, lives at ${identifiers.street}, phone ${identifiers.phone}. No acute finding.`
}

/** The lines of FHIR R4 resources of a visit: the Patient, an observation with a note, a report. */
export function fhirLines(visit: Visit): string {
  const { canary, issuers, time } = visit
  const { identifiers: own } = canary
  const meta = { lastUpdated: new Date(time).toISOString() }
  const subject = { reference: `Patient/${own["patient-id"]}`, display: `${own["given-name"]} ${own["family-name"]}` }
  const identifier = [{ system: "urn:ietf:rfc:3986", value: `urn:oid:${uidOf(visit, 1)}` }]
  const code = { coding: [{ system: "http://loinc.org", code: "24627-2", display: "CT Chest" }] }
  const resources = [
    {
      resourceType: "Patient",
      id: own["patient-id"],
      meta,
      ...(issuers.fhir === undefined ? {} : { identifier: [{ system: issuers.fhir, value: own.mrn }] }),
      name: [{ family: own["family-name"], given: [own["given-name"]] }],
      birthDate: own["birth-date"],
      telecom: [{ system: "phone", value: own.phone }],
      address: [{ line: [own.street] }],
      gender: "unknown",
    },
    {
      resourceType: "Observation",
      id: `${own["patient-id"]}-o${seconds(visit)}`,
      meta,
      status: "final",
      subject,
      code: { coding: [{ system: "http://loinc.org", code: "8867-4", display: "Heart rate" }] },
      effectiveDateTime: new Date(time).toISOString(),
      valueQuantity: { value: 60, unit: "/min", system: "http://unitsofmeasure.org", code: "/min" },
      note: [{ text: note(visit) }],
    },
    {
      resourceType: "DiagnosticReport",
      id: `${own["patient-id"]}-r${seconds(visit)}`,
      meta,
      identifier: [...identifier, { value: accessionOf(visit) }],
      status: "final",
      subject,
      code,
      effectiveDateTime: new Date(time).toISOString(),
      conclusion: note(visit),
    },
  ]
  return resources.map((resource) => `${JSON.stringify(resource)}\n`).join("")
}

/** A CT image of a visit, of the chest, as a DICOM file (PS3.10): its picture is empty. */
export function dicomFile(visit: Visit): Uint8Array {
  const { identifiers: own } = visit.canary
  const el = (tag: string, vr: string, value: NonNullable<DataElement["value"]>): DataElement => ({ tag, vr, value })
  const size = 32
  return buildPart10(
    [
      el("00080005", "CS", "ISO_IR 192"),
      el("00080008", "CS", ["ORIGINAL", "PRIMARY", "AXIAL"]),
      el("00080016", "UI", "1.2.840.10008.5.1.4.1.1.2"),
      el("00080018", "UI", uidOf(visit, 3)),
      el("00080020", "DA", day(visit)),
      el("00080030", "TM", clock(visit)),
      el("00080050", "SH", accessionOf(visit)),
      el("00080060", "CS", "CT"),
      el("00080070", "LO", "WEIR"),
      el("00081030", "LO", `Chest ${own["family-name"]}`),
      el("00100010", "PN", `${own["family-name"]}^${own["given-name"]}`),
      el("00100020", "LO", own.mrn),
      ...(visit.issuers.dicom === undefined || visit.issuers.dicom === ""
        ? []
        : [el("00100021", "LO", visit.issuers.dicom)]),
      el("00100030", "DA", own["birth-date"].replaceAll("-", "")),
      el("00100040", "CS", "O"),
      el("00101040", "LO", own.street),
      el("00102154", "SH", own.phone.slice(0, 16)),
      el("00104000", "LT", note(visit)),
      el("00180015", "CS", "CHEST"),
      el("00180050", "DS", "2.5"),
      el("00180060", "DS", "120"),
      el("0020000D", "UI", uidOf(visit, 1)),
      el("0020000E", "UI", uidOf(visit, 2)),
      el("00200010", "SH", accessionOf(visit)),
      el("00200011", "IS", "1"),
      el("00200012", "IS", "1"),
      el("00200013", "IS", "1"),
      el("00200032", "DS", ["0", "0", "0"]),
      el("00200037", "DS", ["1", "0", "0", "0", "1", "0"]),
      el("00200052", "UI", uidOf(visit, 4)),
      el("00201208", "IS", "1"),
      el("00201209", "IS", "1"),
      el("00280002", "US", 1),
      el("00280004", "CS", "MONOCHROME2"),
      el("00280010", "US", size),
      el("00280011", "US", size),
      el("00280030", "DS", ["1", "1"]),
      el("00280100", "US", 16),
      el("00280101", "US", 16),
      el("00280102", "US", 15),
      el("00280103", "US", 0),
      el("00281052", "DS", "0"),
      el("00281053", "DS", "1"),
      el("7FE00010", "OW", new Uint8Array(size * size * 2)),
    ],
    { transferSyntax: "1.2.840.10008.1.2.1" },
  )
}

/** An ORU^R01 of a visit (HL7 v2.5.1), its segments ended by carriage returns. */
export function hl7v2Message(visit: Visit): string {
  const { identifiers: own } = visit.canary
  const at = `${day(visit)}${clock(visit)}`
  const born = own["birth-date"].replaceAll("-", "")
  return [
    `MSH|^~\\&|CANARY|WEIR|||${at}+0000||ORU^R01^ORU_R01|${accessionOf(visit)}|P|2.5.1||||||UNICODE UTF-8`,
    `PID|1||${own.mrn}^^^${visit.issuers.hl7v2 ?? ""}^MR||${own["family-name"]}^${own["given-name"]}||${born}|O|||${own.street}||${own.phone}`,
    `OBR|1|${accessionOf(visit)}||24627-2^CT Chest^LN|||${at}`,
    `OBX|1|TX|24627-2^CT Chest^LN||${note(visit)}||||||F|||${at}`,
    "",
  ].join("\r")
}
