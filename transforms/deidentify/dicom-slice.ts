import type { State } from "../../core/index.ts"
import { isSamePlace } from "./dicom-changes.ts"
import type { Output } from "./dicom-changes.ts"
import { Emitter, isUnread } from "./dicom-emit.ts"
import type { Stem } from "./dicom-emit.ts"
import { eachObject } from "./dicom-pool.ts"
import { instanceSort, partSort, partUids, partsOf, studySort } from "./dicom-rows.ts"
import type { InstanceRow, PartRow, StudyRow, Verdict } from "./dicom-rows.ts"
import { decideSeries, faceSeriesOf } from "./dicom-decide.ts"
import { isReviewable } from "./dicom-review.ts"
import { isFaceCleaned } from "./dicom-series.ts"
import type { Risk } from "./dicom-series.ts"
import { Kept } from "./dicom-store.ts"
import { curatedStudyOf, listedParts } from "./dicom-study.ts"
import type { Told } from "./dicom-policy.ts"
import { examineStated, verdictOn } from "./dicom-verdict.ts"
import type { Border } from "./dicom-verdict.ts"
import { firstOf } from "./dicom-work.ts"
import type { StudyName, WorkList } from "./dicom-work.ts"

/** What one step does at most; the next one goes on. */
export interface StepLimits {
  /** Studies that are looked at, and instances that they list together; one study at least. */
  readonly studies: number
  readonly listed: number
  readonly headers: number
  /** Objects that are made, and bytes of their originals together; one object at least. */
  readonly objects: number
  readonly bytes: number
}

/** Some seconds of work, on a slow bucket. */
export const stepLimits: StepLimits = { studies: 64, listed: 512, headers: 256, objects: 128, bytes: 256 << 20 }

/** Bytes of originals that a step keeps between their header and their verdict. */
const keptBytes = 32 << 20

/** A study of the work list. */
interface AtHand extends StudyName {
  readonly row: StudyRow
  /** undefined: it is not to be decided on now. */
  readonly listed: readonly Listed[] | undefined
}

/** An instance that a study at hand lists. */
export interface Listed {
  readonly key: string
  readonly sop: string
  readonly study: string
  readonly series: string
  /** Version of the study. */
  readonly under: string
  part: PartRow
  row: InstanceRow | undefined
  /** The row as it is stored. */
  was: InstanceRow | undefined
  changed: boolean
  risk: Risk
  verdict: Verdict | undefined
}

/** A part of the work on studies, for one step.
 *
 * Each study on the list is decided on from what is stored alone: all instances that its newest version lists, once they are there.
 * The headers of all of them are read before any series is decided, and only then is anything made. What a series turns out to
 * risk first takes back what stands of it. Work that is too much for a step is left at the head of the list; when it is taken up
 * again, everything that was done is found done. */
export class Slice {
  readonly #border: Border
  readonly #state: State
  readonly #emitter: Emitter
  readonly #most: StepLimits
  readonly #kept = new Kept(keptBytes)
  #noLongerWaiting = 0
  #decidedAgain = 0

  constructor(border: Border, most: StepLimits, from: Stem, out: Output, state: State) {
    this.#border = border
    this.#most = most
    this.#state = state
    this.#emitter = new Emitter(border.policy, out, from)
  }

  async run(work: WorkList): Promise<void> {
    const studies = await this.#atHand(work)
    await this.#border.policy.prepare(studies.map(toldOf))
    const read = await this.#readHeaders(studies)
    const decided = await this.#decide(studies.slice(0, read))
    for (const study of studies.slice(0, decided)) this.#endStudy(study)
    for (const one of studies.flatMap(({ listed }) => listed ?? [])) this.#keep(one)
    work.remove(decided)
    const { count } = this.#border
    if (this.#noLongerWaiting > 0) count("waiting", "study-not-assembled", -this.#noLongerWaiting)
    if (this.#decidedAgain > 0) count("series-decided-again", "instances", this.#decidedAgain)
  }

  async #atHand(work: WorkList): Promise<readonly AtHand[]> {
    const names = await work.first(this.#most.studies)
    const rows = await this.#state.get<StudyRow>(names.map(({ key, uid }) => [key, studySort(uid)]))
    let listed = 0
    const fitting = names.flatMap((name, at) => {
      const row = rows[at]!
      listed += row.value?.instances.length ?? 0
      return at === 0 || listed <= this.#most.listed ? [{ ...name, row }] : []
    })
    const scanned = await this.#state.scan<PartRow>(fitting.map(({ key, uid }) => partsOf(key, uid)))
    return fitting.map((study, at) => ({ ...study, listed: listedOf(study, scanned[at]!) }))
  }

  /** Reads the headers that are not known; gives how many of the first studies have all of theirs read. */
  async #readHeaders(studies: readonly AtHand[]): Promise<number> {
    const unread = studies.map(({ listed }) => (listed ?? []).filter(needsHeader))
    const { todo, whole } = firstOf(unread, this.#most.headers)
    await this.#load(todo)
    await eachObject(todo, this.#state, sizeOf, async (one) => {
      const { version, ended } = one.part
      const found = await examineStated(one.sop, one.row!.stated!, this.#border, this.#kept)
      one.changed = true
      if ("evidence" in found) {
        const { evidence } = found
        one.row = { ...one.row!, evidence }
        one.part = { version, evidence }
      } else
        one.part = { version, unread: { refusal: found, study: one.under }, ...(ended === undefined ? {} : { ended }) }
    })
    return whole
  }

  /** Decides on the series of studies, and on the instances as far as a step goes; gives how many of the studies are done. */
  async #decide(studies: readonly AtHand[]): Promise<number> {
    for (const { listed } of studies) decideSeries(listed ?? [], this.#border.policy)
    await this.#withdraw(studies)
    const { todo, whole } = firstOf(
      studies.map(({ listed }) => (listed ?? []).filter((one) => !isDecided(one))),
      this.#most.objects,
    )
    const all = studies.flatMap(({ listed }) => listed ?? [])
    const cleaned = new Set(todo.flatMap(({ risk }) => (isFaceCleaned(risk) ? [risk] : [])))
    await this.#load([...todo, ...all.filter(({ risk }) => cleaned.has(risk))])
    for (const one of todo) one.verdict = knownVerdict(one)
    const fitting = withinBytes(todo, this.#most.bytes)
    await eachObject(
      todo.slice(0, fitting).filter(({ verdict }) => verdict === undefined),
      this.#state,
      sizeOf,
      async (one) => {
        const { key, sop, risk } = one
        const face = isFaceCleaned(risk) ? faceSeriesOf(one, all, this.#border, this.#kept) : undefined
        const { stated, at } = one.row!
        one.verdict = await verdictOn({ key, sop, risk, face, stated: stated!, at }, this.#border, this.#kept)
      },
    )
    for (const one of todo.slice(0, fitting)) this.#end(one)
    await this.#endReviews(todo.slice(0, fitting))
    const left = todo[fitting]
    return left === undefined ? whole : studies.findIndex(({ listed }) => listed?.includes(left) === true)
  }

  /** What passed, whoever decided, waits for nobody. */
  async #endReviews(ended: readonly Listed[]): Promise<void> {
    const { reviews } = this.#border
    if (reviews === undefined) return
    const passed = ended.filter(({ verdict }) => verdict?.released !== undefined)
    await reviews.end(
      passed.map(({ sop, row }) => reviews.subject(sop, row!.stated!)),
      "passed",
    )
  }

  /** Takes back what stands of series that are refused now, at once. */
  async #withdraw(studies: readonly AtHand[]): Promise<void> {
    const refusing = (risk: Risk, was: Risk) =>
      risk === "burned-in-text-risk" ||
      risk === "face-and-text" ||
      (risk === "face-risk" && this.#border.policy.faces === "refuse") ||
      (isFaceCleaned(risk) && !isFaceCleaned(was))
    const standing = studies
      .flatMap(({ listed }) => listed ?? [])
      .filter(({ part: { ended }, risk }) => ended?.refused === "" && ended.risk !== risk && refusing(risk, ended.risk))
    await this.#load(standing)
    this.#decidedAgain += standing.length
    for (const one of standing) {
      // With the retract the reference to the object ended: released again it is put again.
      const { verdict: _, ...row } = one.row!
      const out = this.#emitter.takeBack("instances", one.key, row.out)
      const { ended: __, ...part } = one.part
      one.row = { ...row, ...(out === undefined ? {} : { out }) }
      one.part = part
      one.changed = true
    }
  }

  /** Emits the difference that a verdict makes, and ends the record that waits for it. */
  #end(one: Listed): void {
    const { key, part, risk, under } = one
    const { waits, verdict: _, failed: told, ...row } = one.row!
    const { released, refused } = one.verdict!
    if (part.ended !== undefined && part.ended.risk !== risk) this.#decidedAgain++
    let { out } = row
    let failed = told
    if (released !== undefined) {
      out = this.#emitter.release(key, row, released)
      if (out === row.out && waits === true && !isSamePlace(out.origin, row.origin))
        this.#emitter.drop(row, "duplicate")
    } else {
      out = this.#emitter.takeBack("instances", key, out)
      if (failed === undefined) this.#emitter.fail(row, refused!)
      failed = true
    }
    if (waits === true) this.#noLongerWaiting++
    one.row = {
      ...row,
      ...(failed === undefined ? {} : { failed }),
      ...(isUnread(refused?.reason) ? {} : { verdict: one.verdict! }),
      ...(out === undefined ? {} : { out }),
    }
    const said = released === undefined ? {} : { modality: released.modality, bodyPart: released.bodyPart }
    one.part = { ...part, ended: { risk, refused: refused?.reason ?? "", study: under, ...said } }
    one.changed = true
  }

  #endStudy({ key, uid, row, listed }: AtHand): void {
    const { policy } = this.#border
    const { queued: _, value, ...rest } = row
    const ended = listed?.map(({ part }) => part.ended!)
    let out = rest.out
    if (ended !== undefined && value !== undefined) {
      const curated = curatedStudyOf({ ...rest, value }, ended, policy, policy.person(key))
      out = this.#emitter.study(key, uid, row, curated.value, curated.time)
    }
    const kept: StudyRow = {
      ...rest,
      ...(value === undefined ? {} : { value }),
      ...(out === undefined ? {} : { out }),
    }
    this.#state.put([[key, studySort(uid), kept]])
  }

  async #load(list: readonly Listed[]): Promise<void> {
    const missing = list.filter(({ row }) => row === undefined)
    const rows = await this.#state.get<InstanceRow>(missing.map(({ key, sop }) => [key, instanceSort(sop)]))
    for (const [at, one] of missing.entries()) one.was = one.row = rows[at]!
  }

  #keep({ key, sop, study, series, part, row, was, changed }: Listed): void {
    if (!changed) return
    this.#border.refer(this.#state, was, row!)
    this.#state.put<PartRow | InstanceRow>([
      [key, partSort(study, series, sop), part],
      [key, instanceSort(sop), row!],
    ])
  }
}

/** What the record of a study tells. */
function toldOf({ key, uid, row: { value } }: AtHand): Told {
  if (value === undefined) return { key, uids: [uid] }
  return { key, uids: [uid, value.studyInstanceUid], accession: [value.accessionNumber, value.accessionIssuer] }
}

function listedOf(
  { key, uid, row: { value, version } }: StudyName & { readonly row: StudyRow },
  scanned: readonly (readonly [sort: string, part: PartRow])[],
): readonly Listed[] | undefined {
  if (value === undefined) return undefined
  const parts = scanned.map(([sort, row]) => ({ ...partUids(sort), row }))
  return listedParts(value, parts)?.map(({ sop, series, row }) => ({
    key,
    sop,
    series,
    study: uid,
    under: version,
    part: row,
    row: undefined,
    was: undefined,
    changed: false,
    risk: "none",
    verdict: undefined,
  }))
}

/** One that could not be read is tried again with the next version of its study. */
const needsHeader = ({ part: { evidence, unread }, under }: Listed): boolean =>
  evidence === undefined && (unread === undefined || (isUnread(unread.refusal.reason) && unread.study !== under))

const isDecided = ({ part: { ended }, risk, under }: Listed): boolean =>
  ended !== undefined && ended.risk === risk && (!isUnread(ended.refused) || ended.study === under)

/** What is known without reading: the same bytes were decided on under the same decision, or their header could not be read. */
function knownVerdict({ part: { unread, evidence }, row, risk }: Listed): Verdict | undefined {
  if (evidence === undefined) return { risk, refused: unread!.refusal }
  const known = row!.verdict
  // A person may have decided since.
  const open = known?.refused !== undefined && isReviewable(known.refused.reason)
  return known?.risk === risk && !open ? known : undefined
}

/** How many of the first have originals of so many bytes; at least one. */
function withinBytes(todo: readonly Listed[], most: number): number {
  let bytes = 0
  const over = todo.findIndex((one, at) => {
    if (one.verdict === undefined) bytes += sizeOf(one)
    return at > 0 && bytes > most
  })
  return over < 0 ? todo.length : over
}

const sizeOf = ({ row }: Listed): number => row!.stated!.object.size
