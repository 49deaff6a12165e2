import { badRecord, refused, rowIdParts } from "../../core/index.ts"
import type { DicomInstance, In, Out, State, Study, Timer } from "../../core/index.ts"
import type { inputs, outputs } from "./dicom.ts"
import { instanceSort, storedPosition, studySort } from "./dicom-rows.ts"
import type { InstanceRow, StudyRow } from "./dicom-rows.ts"

export type Input = In<typeof inputs>
export type Output = Out<Input | Timer, Input, typeof outputs>

/** Rows of one SOP instance in a step: as it was and as it is now. */
export interface TouchedInstance {
  readonly key: string
  readonly sop: string
  /** What changed it; undefined for one whose series changed. */
  readonly record: Input | undefined
  readonly was: InstanceRow | undefined
  row: InstanceRow
}

export interface TouchedStudy {
  readonly key: string
  readonly uid: string
  readonly record: Input | undefined
  row: StudyRow
}

export interface Changes {
  readonly instances: readonly TouchedInstance[]
  readonly studies: readonly TouchedStudy[]
}

const uidOf = (record: Input): string | undefined => {
  try {
    const parts = rowIdParts(record.id)
    return parts.length === 1 ? parts[0] : undefined
  } catch {
    // Malformed percent-encoding; the error would quote the id.
    return undefined
  }
}

/** A record that can never be read ends here; gives the UID that it is about otherwise. */
function readable(record: Input, out: Output): string | undefined {
  const uid = uidOf(record)
  if (record.key === "") out.fail(record, refused("no-person", "a record without a person does not pass"))
  else if (uid === undefined) out.fail(record, refused("id-shape", "the row id is not one UID"))
  else if (record.op === "upsert" && record.value === null)
    out.fail(record, badRecord("value-missing", "an upsert has no value"))
  else return uid
  return undefined
}

/** The newest record of each row in the batch; all others end here. */
function newestOf(batch: readonly Input[], out: Output): (readonly [record: Input, uid: string])[] {
  const newest = new Map<string, readonly [Input, string]>()
  for (const record of batch) {
    const uid = readable(record, out)
    if (uid === undefined) continue
    const slot = `${record.input} ${record.key} ${uid}`
    const rival = newest.get(slot)?.[0]
    if (rival !== undefined && record.version <= rival.version) {
      out.drop(record, record.version === rival.version ? "duplicate" : "older-version")
      continue
    }
    if (rival !== undefined) out.drop(rival, "older-version")
    newest.set(slot, [record, uid])
  }
  return [...newest.values()]
}

function isNewer(record: Input, known: { readonly version: string } | undefined, out: Output): boolean {
  const version = known === undefined ? -1n : BigInt(known.version)
  if (record.version > version) return true
  out.drop(record, record.version === version ? "duplicate" : "older-version")
  return false
}

function instanceRow(record: Input, was: InstanceRow | undefined): InstanceRow {
  const row = { version: String(record.version), origin: storedPosition(record.origin) }
  const out = was?.out === undefined ? {} : { out: was.out }
  if (record.op === "retract") return { ...row, ...out }
  const { studyInstanceUid: study, seriesInstanceUid: series, object } = record.value as DicomInstance
  const { key, size, sha256 } = object
  const stated = { study, series, object: { key, size, sha256 }, time: record.time }
  const same = was?.stated?.object.sha256 === sha256 && was.stated.object.key === key
  const known = same && was !== undefined ? was : undefined
  return {
    ...row,
    stated,
    ...(known?.evidence === undefined ? {} : { evidence: known.evidence }),
    ...(known?.verdict === undefined ? {} : { verdict: known.verdict }),
    ...out,
  }
}

function studyRow(record: Input, was: StudyRow | undefined): StudyRow {
  const row = { version: String(record.version), origin: storedPosition(record.origin), time: record.time }
  const out = was?.out === undefined ? {} : { out: was.out }
  return record.op === "retract" ? { ...row, ...out } : { ...row, value: record.value as Study, ...out }
}

/** The records of a batch that are newer than what is known, one a row; all others end here. */
export async function readChanges(batch: readonly Input[], out: Output, state: State): Promise<Changes> {
  const newest = newestOf(batch, out)
  const found = await state.get<InstanceRow | StudyRow>(
    newest.map(([{ input, key }, uid]) => [key, input === "instances" ? instanceSort(uid) : studySort(uid)]),
  )
  const instances: TouchedInstance[] = []
  const studies: TouchedStudy[] = []
  for (const [at, [record, uid]] of newest.entries()) {
    const was = found[at]
    if (!isNewer(record, was, out)) continue
    const { key } = record
    if (record.input === "instances") {
      const known = was as InstanceRow | undefined
      instances.push({ key, sop: uid, record, was: known, row: instanceRow(record, known) })
    } else studies.push({ key, uid, record, row: studyRow(record, was as StudyRow | undefined) })
  }
  return { instances, studies }
}
