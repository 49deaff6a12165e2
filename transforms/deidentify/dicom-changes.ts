import { badRecord, refused, rowIdParts } from "../../core/index.ts"
import type { DicomInstance, In, Out, State, Study, Timer } from "../../core/index.ts"
import type { inputs, outputs } from "./dicom.ts"
import { reviewedWord } from "./dicom-policy.ts"
import { instanceSort, placeOf, studySort } from "./dicom-rows.ts"
import type { InstanceRow, Place, Stated, StudyRow } from "./dicom-rows.ts"

export type Input = In<typeof inputs>
export type Output = Out<Input | Timer, Input, typeof outputs>

/** Rows of one SOP instance that a record changes: as it was and as it is now. */
export interface ChangedInstance {
  readonly key: string
  readonly sop: string
  readonly record: Input
  readonly was: InstanceRow | undefined
  readonly row: InstanceRow
}

export interface ChangedStudy {
  readonly key: string
  readonly uid: string
  readonly record: Input
  readonly row: StudyRow
}

export interface Changes {
  readonly instances: readonly ChangedInstance[]
  readonly studies: readonly ChangedStudy[]
  /** What older records state of instances that have other bytes by now, or left. */
  readonly overtaken: readonly { readonly sop: string; readonly stated: Stated }[]
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

/** Ends a record for a newer one of its row. What tells of the same arrival as the newer one, of an instance that only left (for
 * another person), or of a study, which is made of many arrivals, is not the end of one. */
function overtaken(record: Input, by: Input, out: Output): void {
  const goesOn = by.op === "retract" || isSamePlace(placeOf(record.origin), placeOf(by.origin))
  if (record.input === "studies" || goesOn) out.hold(record)
  else out.drop(record, "older-version")
}

const slotOf = ({ input, key }: Input, uid: string): string => `${input} ${key} ${uid}`

type Named = readonly [record: Input, uid: string]

/** The newest record of each row in the batch; all others end here.
 * @param older is given those that are of another version */
function newestOf(batch: readonly Input[], out: Output, older: Named[]): readonly Named[] {
  const newest = new Map<string, Named>()
  for (const record of batch) {
    const uid = readable(record, out)
    if (uid === undefined) continue
    const slot = slotOf(record, uid)
    const rival = newest.get(slot)?.[0]
    if (rival !== undefined && record.version <= rival.version) {
      if (record.version === rival.version) out.drop(record, "duplicate")
      else {
        overtaken(record, rival, out)
        older.push([record, uid])
      }
      continue
    }
    if (rival !== undefined) {
      overtaken(rival, record, out)
      older.push([rival, uid])
    }
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

export const isSamePlace = (a: Place, b: Place): boolean => a.every((part, at) => part === b[at])

const isSameObject = (a: Stated, b: Stated): boolean =>
  a.study === b.study && a.series === b.series && a.object.key === b.object.key && a.object.sha256 === b.object.sha256

function statedOf({ value, time }: Input): Stated {
  const { studyInstanceUid: study, seriesInstanceUid: series, object } = value as DicomInstance
  const { key, size, sha256 } = object
  return { study, series, object: { key, size, sha256 }, time }
}

function instanceRow(record: Input, was: InstanceRow | undefined): InstanceRow {
  const row = {
    version: String(record.version),
    at: placeOf(record.at),
    origin: placeOf(record.origin),
    ...(was?.out === undefined ? {} : { out: was.out }),
  }
  if (record.op === "retract") return row
  const stated = statedOf(record)
  const same = was?.stated !== undefined && isSameObject(was.stated, stated) ? was : undefined
  const failed = was?.failed === true && isSamePlace(was.origin, row.origin)
  return {
    ...row,
    stated,
    waits: true,
    ...(failed ? { failed } : {}),
    ...(same?.evidence === undefined ? {} : { evidence: same.evidence }),
    ...(same?.verdict === undefined ? {} : { verdict: same.verdict }),
  }
}

function studyRow(record: Input, was: StudyRow | undefined): StudyRow {
  return {
    version: String(record.version),
    origin: placeOf(record.origin),
    time: record.time,
    ...(record.op === "retract" ? {} : { value: record.value as Study }),
    ...(was?.queued === undefined ? {} : { queued: was.queued }),
    ...(was?.out === undefined ? {} : { out: was.out }),
  }
}

/** A row of which nothing is known but what was emitted. */
const emittedOf = ({ version, at, origin, out }: InstanceRow): InstanceRow =>
  out === undefined ? { version, at, origin } : { version, at, origin, out }

/** Whether a person let it pass. */
const isReviewed = ({ verdict }: InstanceRow): boolean =>
  verdict?.released?.profile.split(" ").includes(reviewedWord) === true

/** A refused instance, or one that a person let pass, that is read at another place: its dead letter is replayed, or what the person
 * decided was taken back, and everything is tried anew. */
const isReplay = (record: Input, row: InstanceRow): boolean =>
  (row.failed === true || isReviewed(row)) &&
  String(record.version) === row.version &&
  !isSamePlace(row.at, placeOf(record.at))

/** The records of a batch that are newer than what is known, one a row; all others end here. */
export async function readChanges(batch: readonly Input[], out: Output, state: State): Promise<Changes> {
  const older: Named[] = []
  const newest = newestOf(batch, out, older)
  const found = await state.get<InstanceRow | StudyRow>(
    newest.map(([{ input, key }, uid]) => [key, input === "instances" ? instanceSort(uid) : studySort(uid)]),
  )
  const instances: ChangedInstance[] = []
  const studies: ChangedStudy[] = []
  /** SHA-256 of what stands of an instance after the batch. */
  const standing = new Map<string, string | undefined>()
  for (const [at, [record, uid]] of newest.entries()) {
    const was = found[at]
    const { key } = record
    if (record.input === "instances") {
      const known = was as InstanceRow | undefined
      const again = known !== undefined && isReplay(record, known)
      if (!again && !isNewer(record, known, out)) {
        standing.set(slotOf(record, uid), known?.stated?.object.sha256)
        older.push([record, uid])
        continue
      }
      const row = instanceRow(record, again ? emittedOf(known) : known)
      instances.push({ key, sop: uid, record, was: known, row })
      standing.set(slotOf(record, uid), row.stated?.object.sha256)
    } else if (isNewer(record, was, out))
      studies.push({ key, uid, record, row: studyRow(record, was as StudyRow | undefined) })
  }
  const overtaken = older
    .filter(([{ input, op }]) => input === "instances" && op === "upsert")
    .map(([record, uid]) => ({ sop: uid, stated: statedOf(record), sha256: standing.get(slotOf(record, uid)) }))
    .filter(({ stated, sha256 }) => stated.object.sha256 !== sha256)
  return { instances, studies, overtaken }
}
