import { createHash } from "node:crypto"
import { badRecord, rowId } from "../../core/index.ts"
import type { Context, DicomInstance, FhirResource, Hl7v2Message, Rec } from "../../core/index.ts"
import { studyStarted } from "../../formats/dicom/study-time.ts"
import { clinicalTime } from "../../formats/fhir/resource.ts"
import type { Resource } from "../../formats/fhir/resource.ts"
import { interval } from "../../formats/fhir/time.ts"
import type { ZoneOffset } from "../../formats/fhir/time.ts"
import { originOf } from "./facts.ts"
import type { Fact } from "./facts.ts"
import { memberOf, nobody, patientMember, studyNamespace } from "./members.ts"
import type { Namespaces } from "./members.ts"
import { statementOf } from "./patient.ts"
import type { Statement } from "./patient.ts"

/** A record of the batch, understood. */
export interface Arrival<R> {
  readonly record: R
  /** Row id of its person event. */
  readonly row: string
  /** Which of the row's records it is: the source, or the study of an instance. */
  readonly slot: string
  readonly fact: Fact
  /** It names no person: it takes back what an older version said of one, and is otherwise dropped. */
  readonly nobody?: true
  /** Of a Patient; without names when it is retracted. */
  readonly statement?: Statement
}

/** What reading a record needs. */
export interface Reading {
  readonly namespaces: Namespaces
  /** Zone of times that state none; undefined: times are as the source read them. */
  readonly zone: ZoneOffset | undefined
  readonly count: Context["count"]
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("base64url")

/** Reads an instance. Without a patient id of a declared issuer it is about the person of its study. */
export function instanceArrival<R extends Rec<DicomInstance>>(record: R, reading: Reading): Arrival<R> {
  const value = record.value
  if (value === null) throw retractWithoutValue()
  const { namespaces, zone, count } = reading
  const known = value.patientId.trim() === "" ? undefined : namespaces.ofDicom(value.patientId, value.issuerOfPatientId)
  if (known === undefined && value.patientId.trim() !== "") count("identifiers-ignored", "undeclared-issuer")
  const { studyDate, studyTime, timezoneOffset } = value
  const started = zone === undefined ? undefined : studyStarted(studyDate, studyTime, timezoneOffset, zone)
  return {
    record,
    row: rowId(["instance", "dicom", value.sopInstanceUid.toWellFormed()]),
    slot: `study:${value.studyInstanceUid}`,
    fact: {
      version: String(record.version),
      hash: value.object.sha256,
      op: record.op,
      member: known ?? memberOf(studyNamespace, value.studyInstanceUid),
      time: started?.from ?? record.time,
      source: "dicom",
      instance: value,
      origin: originOf(record),
    },
  }
}

/** Reads a resource.
 * @throws bad record `body-not-json` */
export function resourceArrival<R extends Rec<FhirResource>>(record: R, reading: Reading): Arrival<R> {
  const value = record.value
  if (value === null) throw retractWithoutValue()
  const { source, resourceType, body } = value
  const isPatient = resourceType === "Patient"
  const subject = isPatient ? value.resourceId : /^Patient\/(.+)$/s.exec(record.key)?.[1]
  const slot = `source:${source}`
  const row = rowId([isPatient ? "person" : "resource", resourceType.toWellFormed(), value.resourceId.toWellFormed()])
  const stated = { version: String(record.version), hash: sha256(body), source, origin: originOf(record) }
  if (subject === undefined)
    return { record, row, slot, nobody: true, fact: { ...stated, op: "retract", member: nobody, time: record.time } }
  const { zone } = reading
  const resource = isPatient || zone !== undefined ? parsed(body) : undefined
  const time = resource === undefined || zone === undefined ? undefined : interval(clinicalTime(resource) ?? "", zone)
  const fact: Fact = {
    ...stated,
    op: record.op,
    member: patientMember(source, subject),
    time: time?.from ?? record.time,
    // Of what was taken back the hash is enough.
    ...(record.op === "upsert" ? { body } : {}),
  }
  if (!isPatient) return { record, row, slot, fact }
  return { record, row, slot, fact, statement: statement(resource!, record, reading) }
}

/** Reads a message. Of several declared identifiers the one of the highest-ranked namespace says who it is about.
 * @throws bad record `no-person` where none is declared */
export function messageArrival<R extends Rec<Hl7v2Message>>(record: R, { namespaces, count }: Reading): Arrival<R> {
  const value = record.value
  if (value === null) throw retractWithoutValue()
  const known = value.patientIds.flatMap(({ value: id, authority }) => {
    const member = namespaces.ofHl7v2(authority, id)
    if (member === undefined) count("identifiers-ignored", "undeclared-issuer")
    return member === undefined ? [] : [member]
  })
  const [member] = namespaces.sorted(known)
  if (member === undefined)
    throw badRecord("no-person", "no identifier of PID-3 is of an authority that is declared", {
      path: "PID-3",
      hint: "add hl7v2-authority to a namespace under identity:, then replay",
    })
  const { source, sha256: hash, body } = value
  const stated = { version: String(record.version), hash, source, origin: originOf(record) }
  return {
    record,
    row: rowId(["message", "hl7v2", hash]),
    slot: `source:${source}`,
    fact: { ...stated, op: record.op, member, time: record.time, body },
  }
}

function statement(resource: Resource, record: Rec<FhirResource>, { namespaces, count }: Reading): Statement {
  if (record.op === "retract") return { names: [] }
  return statementOf({ ...resource, id: record.value!.resourceId }, record.value!.source, namespaces, () =>
    count("identifiers-ignored", "undeclared-issuer"),
  )
}

function parsed(body: string): Resource {
  let found: unknown
  try {
    found = JSON.parse(body)
  } catch {
    // The parser's text quotes the body, so it goes nowhere.
    throw badRecord("body-not-json", "the body of a resource is not JSON", { path: "body" })
  }
  if (typeof found === "object" && found !== null && !Array.isArray(found)) return found as Resource
  throw badRecord("body-not-object", "the body of a resource is not a JSON object", { path: "body" })
}

const retractWithoutValue = () =>
  badRecord("retract-without-value", "a retract of an arrival must carry its value, which says whose it is", {
    hint: "let the source send the last value with the retract",
  })
