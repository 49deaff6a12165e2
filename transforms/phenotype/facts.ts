import { badRecord, rowIdParts } from "../../core/index.ts"
import type { Fact, PersonEvent, Rec, Row, Study } from "../../core/index.ts"
import { codedRows } from "./coded-facts.ts"
import type { Reading } from "./coded-facts.ts"
import type { FactType } from "./definition.ts"
import { eventTime, surePeriod, visitEnd } from "./fact-time.ts"
import { at, object } from "./json.ts"
import type { Json } from "./json.ts"
import { accessionsOf } from "./links.ts"
import { eventSorts, periodSort, requestSort, visitSort } from "./sorts.ts"
import { isEvent } from "./status.ts"
import type { StoredPeriod, StoredVisit } from "./stored.ts"
import { imagingStudyRows, studyRow, studySpan } from "./study-facts.ts"

const coded: ReadonlySet<string> = new Set<FactType>(["Observation", "Condition", "DiagnosticReport"])

function withEvent(id: string, rows: readonly Row[], time: number | undefined): Fact {
  if (time === undefined) return { id, rows }
  const { sort, counts } = eventSorts(time, id)
  return { id, rows: [...rows, [sort, 1]], counts }
}

/** What to keep of an assembled study. */
export function factOfStudy(record: Rec<Study>, reading: Reading): Fact {
  const id = `study/${record.id}`
  if (record.value === null) return { id, rows: [] }
  return withEvent(id, [studyRow(record.value, record.version, reading)], studySpan(record.value)?.from)
}

/** What to keep of a person's record; undefined for kinds that no phenotype reads (persons, instances: their studies are). */
export function factOfEvent(record: Rec<PersonEvent>, reading: Reading): Fact | undefined {
  const [kind, type] = rowIdParts(record.id)
  if (kind !== "resource") return undefined
  const event = record.value
  if (event === null) return { id: record.id, rows: [] }
  const resource = parsed(event)
  if (!isEvent(resource)) return { id: record.id, rows: [] }
  const rows = rowsOf(type ?? "", event, record.version, resource, reading)
  return withEvent(record.id, rows, eventTime(type ?? "", resource, reading.zone))
}

function parsed(event: PersonEvent): Json {
  try {
    return object(JSON.parse(event.body ?? "{}"))
  } catch {
    // The parser's text quotes the body, so it goes nowhere.
    throw badRecord("body-not-json", "the body of a resource is not JSON", { path: "body" })
  }
}

function rowsOf(type: string, event: PersonEvent, version: bigint, resource: Json, reading: Reading): Row[] {
  if (coded.has(type)) return codedRows(type as FactType, event, version, resource, reading)
  if (type === "ImagingStudy") return imagingStudyRows(event, version, resource, reading)
  if (type === "Encounter") {
    const visit: StoredVisit = { last: visitEnd(resource, reading.zone) ?? null }
    return [[visitSort(event.name), visit]]
  }
  if (type === "ServiceRequest")
    return accessionsOf(resource, reading.namespace).map((accession) => [
      requestSort(accession, event.name),
      event.name,
    ])
  if (type === "EpisodeOfCare") {
    const period = surePeriod(at(resource, ["period"]), reading.zone)
    return period === undefined ? [] : [[periodSort(event.name), period satisfies StoredPeriod]]
  }
  return []
}
