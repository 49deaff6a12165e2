import { fatal } from "../../core/index.ts"
import type { State, Timer } from "../../core/index.ts"
import { isSamePlace, readChanges } from "./dicom-changes.ts"
import type { ChangedInstance, ChangedStudy, Changes, Input, Output } from "./dicom-changes.ts"
import { Emitter, heldOf } from "./dicom-emit.ts"
import { instanceSort, partSort, policyRow, studySort } from "./dicom-rows.ts"
import type { InstanceRow, PartRow, StudyRow } from "./dicom-rows.ts"
import { Slice, stepLimits } from "./dicom-slice.ts"
import type { StepLimits } from "./dicom-slice.ts"
import type { Border } from "./dicom-verdict.ts"
import { WorkList } from "./dicom-work.ts"
import type { StudyName } from "./dicom-work.ts"

/** Steps of deidentify-dicom.
 *
 * An instance is held until a version of its study has come that lists it: assembly says so when the study is quiet or complete.
 * Then its series is decided on from the headers of all instances that the study lists, an instance's verdict from its bytes, its
 * person, the policy and that decision, and only then is an object made and written. An instance that comes later waits for the
 * next version of the study; one that leaves is taken back at once. So what stands below is a function of the newest records,
 * whatever their order. See {@link Slice} for how the work is done. */
export class BorderStep {
  readonly #border: Border
  readonly #limits: StepLimits
  #policyChecked = false

  constructor(border: Border, limits = stepLimits) {
    this.#border = border
    this.#limits = limits
  }

  async apply(batch: readonly Input[], out: Output, state: State): Promise<void> {
    await this.#checkPolicy(state)
    const { instances, studies, overtaken } = await readChanges(batch, out, state)
    await this.#endOvertaken(overtaken)
    const from = (instances[0] ?? studies[0])?.record
    if (from === undefined) return
    await this.#border.policy.prepare([...instances, ...studies].map(({ key }) => ({ key, uids: [] })))
    const work = await WorkList.open(state)
    const emitter = new Emitter(this.#border.policy, out, from)
    let waiting = 0
    for (const change of instances) waiting += this.#foldInstance(change, emitter, out, state)
    if (waiting !== 0) this.#border.count("waiting", "study-not-assembled", waiting)
    await this.#endReviews(instances)
    for (const change of studies) this.#foldStudy(change, emitter, out, state, work)
    await this.#queueListed(instances, state, work)
    // A part of the work in each step: timers only fire while there is nothing to read.
    await new Slice(this.#border, this.#limits, from, out, state).run(work)
    work.close(from)
  }

  async onTimer(fired: readonly Timer[], out: Output, state: State): Promise<void> {
    await this.#checkPolicy(state)
    const work = await WorkList.open(state)
    await new Slice(this.#border, this.#limits, fired[0]!, out, state).run(work)
    work.close(fired[0]!)
  }

  /** Verdicts are kept, so all of a task's state is made under one policy. */
  async #checkPolicy(state: State): Promise<void> {
    if (this.#policyChecked) return
    const { fingerprint } = this.#border.policy
    const [known] = await state.get<string>([policyRow])
    if (known !== undefined && known !== fingerprint)
      throw fatal(
        "policy-changed",
        "the project key or the options are others than those of what this stage released",
        {
          hint: "put the key and options back, or give the stage and its outputs new names to release everything anew",
        },
      )
    if (known === undefined) state.put([[...policyRow, fingerprint]])
    this.#policyChecked = true
  }

  /** A decision may be taken back of bytes that are not there any more: nobody has to look at them. */
  async #endOvertaken(overtaken: Changes["overtaken"]): Promise<void> {
    const { reviews } = this.#border
    if (reviews === undefined || overtaken.length === 0) return
    await reviews.end(
      overtaken.map(({ sop, stated }) => reviews.subject(sop, stated)),
      "gone",
    )
  }

  /** What was held of instances that left, or came with other bytes, waits for nobody. */
  async #endReviews(changes: readonly ChangedInstance[]): Promise<void> {
    const { reviews } = this.#border
    if (reviews === undefined) return
    const gone = changes.filter(({ was, row }) => {
      const before = was?.failed === true ? was.stated : undefined
      return before !== undefined && before.object.sha256 !== row.stated?.object.sha256
    })
    await reviews.end(
      gone.map(({ sop, was }) => reviews.subject(sop, was!.stated!)),
      "gone",
    )
  }

  /** Keeps what an instance states now; gives by how many more or fewer wait. */
  #foldInstance({ key, sop, record, was, row }: ChangedInstance, emitter: Emitter, out: Output, state: State): number {
    const { stated, evidence, version } = row
    out.hold(record)
    if (was?.waits === true && stated !== undefined && !isSamePlace(was.origin, row.origin))
      out.dropHeld(record, heldOf(was), "older-version")
    const old = was?.stated
    if (old !== undefined && (old.study !== stated?.study || old.series !== stated.series))
      state.delete([[key, partSort(old.study, old.series, sop)]])
    const emitted = stated === undefined ? emitter.takeBack("instances", key, row.out) : row.out
    const kept: InstanceRow = { ...row, ...(emitted === undefined ? {} : { out: emitted }) }
    state.put<InstanceRow>([[key, instanceSort(sop), kept]])
    this.#border.refer(state, was, kept)
    if (stated !== undefined) {
      const part: PartRow = { version, ...(evidence === undefined ? {} : { evidence }) }
      state.put([[key, partSort(stated.study, stated.series, sop), part]])
    }
    return Number(row.waits === true) - Number(was?.waits === true)
  }

  #foldStudy(change: ChangedStudy, emitter: Emitter, out: Output, state: State, work: WorkList): void {
    const { key, uid, record, row } = change
    out.hold(record)
    if (row.value !== undefined) {
      queue(change, row, state, work)
      return
    }
    const emitted = emitter.takeBack("studies", key, row.out)
    state.put([[key, studySort(uid), { ...row, ...(emitted === undefined ? {} : { out: emitted }) }]])
  }

  /** Looks again at the studies whose newest version lists instances that only came now. */
  async #queueListed(instances: readonly ChangedInstance[], state: State, work: WorkList): Promise<void> {
    const here = instances.filter(({ row }) => row.stated !== undefined)
    const byStudy = [...groupBy(here, ({ key, row }) => `${key} ${row.stated!.study}`).values()]
    const names = byStudy.map(([one]) => ({ key: one!.key, uid: one!.row.stated!.study }))
    const rows = await state.get<StudyRow>(names.map(({ key, uid }) => [key, studySort(uid)]))
    for (const [at, name] of names.entries()) {
      const row = rows[at]
      if (row?.value === undefined || row.queued === true) continue
      const listed = new Map(
        row.value.instances.map(({ sopInstanceUid, revision }) => [sopInstanceUid.toWellFormed(), revision]),
      )
      if (byStudy[at]!.some((one) => String(listed.get(one.sop)) === one.row.version)) queue(name, row, state, work)
    }
  }
}

function queue({ key, uid }: StudyName, row: StudyRow, state: State, work: WorkList): void {
  if (row.queued !== true) work.push({ key, uid })
  state.put([[key, studySort(uid), { ...row, queued: true } satisfies StudyRow]])
}

/** Items by what `of` tells of them, in their order. */
function groupBy<K, T>(items: Iterable<T>, of: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) groups.set(of(item), [...(groups.get(of(item)) ?? []), item])
  return groups
}
