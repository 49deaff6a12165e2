import type { PersonEvent, Row, Study } from "../../core/index.ts"
import type { Reading } from "./coded-facts.ts"
import { factTime, moment } from "./fact-time.ts"
import type { Span } from "./fact-time.ts"
import { at, items, text } from "./json.ts"
import type { Json } from "./json.ts"
import { accessionsOf, encounterOf, studyUid } from "./links.ts"
import { imagingStudySort, studySort } from "./sorts.ts"
import { lastUpdated } from "./status.ts"
import type { StoredStudy } from "./stored.ts"

const widths: Readonly<Record<string, number>> = { second: 1, minute: 60_000, hour: 3_600_000, day: 86_400_000 }

/** When an assembled study started, as far as it is known. */
export function studySpan({ started, startedPrecision }: Study): Span | undefined {
  const width = widths[startedPrecision]
  return started === null || width === undefined ? undefined : { from: started, last: started + width - 1 }
}

const distinct = (values: readonly (string | undefined)[]): readonly string[] =>
  [...new Set(values.flatMap((value) => (value === undefined || value === "" ? [] : [value.toUpperCase()])))].sort()

/** The row of an assembled study. */
export function studyRow(study: Study, version: bigint, { namespace }: Reading): Row {
  const span = studySpan(study)
  const stored: StoredStudy = {
    uid: study.studyInstanceUid,
    revision: String(version),
    from: span?.from ?? null,
    last: span?.last ?? null,
    modalities: distinct(study.modalities),
    bodyParts: distinct(study.bodyParts),
    accessions: study.accessionNumber === "" ? [] : [`${namespace(study.accessionIssuer)}|${study.accessionNumber}`],
  }
  return [studySort(study.studyInstanceUid), stored]
}

/** The row of an ImagingStudy; none when it states no Study Instance UID. Body parts are codes and displays of its series. */
export function imagingStudyRows(event: PersonEvent, version: bigint, resource: Json, reading: Reading): Row[] {
  const uid = items(resource["identifier"])
    .map(studyUid)
    .find((found) => found !== undefined)
  if (uid === undefined) return []
  const span = factTime("ImagingStudy", resource, reading.zone)
  const series = items(resource["series"])
  const updated = moment(lastUpdated(resource))
  const encounter = encounterOf(resource)
  const stored: StoredStudy = {
    uid,
    id: event.name,
    revision: String(version),
    from: span?.from ?? null,
    last: span?.last ?? null,
    modalities: distinct([
      ...items(resource["modality"]).map(({ code }) => text(code)),
      ...series.map((one) => text(at(one, ["modality", "code"]))),
    ]),
    bodyParts: distinct(
      series.flatMap((one) => [text(at(one, ["bodySite", "code"])), text(at(one, ["bodySite", "display"]))]),
    ),
    accessions: accessionsOf(resource, reading.namespace),
    ...(encounter === undefined ? {} : { encounter }),
    ...(updated === undefined ? {} : { updated }),
  }
  return [[imagingStudySort(uid, event.name), stored]]
}
