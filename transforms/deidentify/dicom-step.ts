import { createHash } from "node:crypto"
import { badRecord, fatal, refused, rowId } from "../../core/index.ts"
import type { CuratedInstance, CuratedStudy, Position, State, Study, Timer, WeirError } from "../../core/index.ts"
import { readChanges } from "./dicom-changes.ts"
import type { Input, Output, TouchedInstance, TouchedStudy } from "./dicom-changes.ts"
import { eachObject } from "./dicom-pool.ts"
import { instanceSort, partSort, partsOf, policyRow, positionOf, seriesSort, sopOf, studySort } from "./dicom-rows.ts"
import type { Emitted, InstanceRow, PartRow, Refusal, StudyRow } from "./dicom-rows.ts"
import { addEvidence, noInstances, seriesRiskOf } from "./dicom-series.ts"
import type { Risk, SeriesCounts } from "./dicom-series.ts"
import { countedParts, curatedStudyOf } from "./dicom-study.ts"
import { examineStated, idOf, verdictOn } from "./dicom-verdict.ts"
import { Kept } from "./dicom-store.ts"
import type { Border } from "./dicom-verdict.ts"

/** Bytes of originals that a step keeps between their header and their verdict. */
const keptBytes = 32 << 20

interface Series {
  readonly key: string
  readonly study: string
  readonly uid: string
  readonly counts: SeriesCounts
  readonly before: Risk
}

const seriesSlot = (key: string, { study, series }: { readonly study: string; readonly series: string }): string =>
  `${key} ${seriesSort(study, series)}`

const stampOf = (value: unknown): string => createHash("sha256").update(JSON.stringify(value)).digest("base64url")

/** Something that stems from an earlier record, whose origin is kept. */
const stemOf = (key: string, name: string, origin: Position): Timer => ({ key, name, due: 0, clock: "quiet", origin })

const after = (out: Emitted | undefined): bigint => BigInt(out?.revision ?? "0") + 1n

/** One step of deidentify-dicom.
 *
 * The decision on a series is a function of the headers of all instances of (person, study, series) that stand now, whatever
 * their order: `formats/dicom`'s `seriesRisk`. An instance's verdict is a function of its bytes, its person, the policy and the
 * decision on its series. So each batch is folded whole before anything is decided: headers are read, then series decided, and
 * only then is an object made and written. When a decision changes (a region becomes known, a volume or a burned-in text
 * appears, the instance that said so leaves), each instance of the series is decided again: what was released is retracted or
 * made anew, what was refused may be released. */
export class BorderStep {
  readonly #border: Border
  #policyChecked = false

  constructor(border: Border) {
    this.#border = border
  }

  async apply(batch: readonly Input[], out: Output, state: State): Promise<void> {
    await this.#checkPolicy(state)
    const { instances, studies } = await readChanges(batch, out, state)
    if (instances.length === 0 && studies.length === 0) return
    const kept = new Kept(keptBytes)
    const unread = await this.#examine(instances, kept, state)
    const series = await this.#countSeries(instances, state)
    const touched = [...instances, ...(await this.#peers(series, instances, state))]
    await this.#decide(touched, series, unread, kept, state)
    for (const one of touched) this.#emitInstance(one, out, state)
    for (const { key, study, uid, counts } of series.values()) state.put([[key, seriesSort(study, uid), counts]])
    await this.#studies(studies, touched, out, state)
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

  /** Reads the headers that are not known; gives why those could not be read that cannot. */
  async #examine(
    instances: readonly TouchedInstance[],
    kept: Kept,
    state: State,
  ): Promise<ReadonlyMap<TouchedInstance, Refusal>> {
    const unread = new Map<TouchedInstance, Refusal>()
    const todo = instances.filter(({ row }) => row.stated !== undefined && row.evidence === undefined)
    await eachObject(todo, state, async (one) => {
      const found = await examineStated(one.sop, one.row.stated!, this.#border, kept)
      if ("evidence" in found) one.row = { ...one.row, evidence: found.evidence }
      else unread.set(one, found)
    })
    return unread
  }

  /** The series that instances leave and enter, recounted. */
  async #countSeries(instances: readonly TouchedInstance[], state: State): Promise<ReadonlyMap<string, Series>> {
    const wanted = new Map<string, { readonly key: string; readonly study: string; readonly uid: string }>()
    for (const { key, was, row } of instances)
      for (const stated of [was?.stated, row.stated])
        if (stated !== undefined) wanted.set(seriesSlot(key, stated), { key, study: stated.study, uid: stated.series })
    const list = [...wanted]
    const found = await state.get<SeriesCounts>(list.map(([, { key, study, uid }]) => [key, seriesSort(study, uid)]))
    const series = new Map(
      list.map(([slot, one], at): [string, Series] => {
        const counts = { ...(found[at] ?? noInstances()) }
        return [slot, { ...one, counts, before: seriesRiskOf(counts) }]
      }),
    )
    for (const { key, was, row } of instances) {
      if (was?.stated !== undefined && was.evidence !== undefined)
        addEvidence(series.get(seriesSlot(key, was.stated))!.counts, was.evidence, -1)
      if (row.stated !== undefined && row.evidence !== undefined)
        addEvidence(series.get(seriesSlot(key, row.stated))!.counts, row.evidence, 1)
    }
    return series
  }

  /** The other instances of the series whose decision changed. */
  async #peers(
    series: ReadonlyMap<string, Series>,
    instances: readonly TouchedInstance[],
    state: State,
  ): Promise<TouchedInstance[]> {
    const moved = [...series.values()].filter(({ counts, before }) => seriesRiskOf(counts) !== before)
    if (moved.length === 0) return []
    const known = new Set(instances.map(({ key, sop }) => `${key} ${sop}`))
    const parts = await state.scan<PartRow>(moved.map(({ key, study, uid }) => partsOf(key, study, uid)))
    const others = moved.flatMap(({ key }, at) =>
      parts[at]!.map(([sort]) => ({ key, sop: sopOf(sort) })).filter(({ sop }) => !known.has(`${key} ${sop}`)),
    )
    const rows = await state.get<InstanceRow>(others.map(({ key, sop }) => [key, instanceSort(sop)]))
    if (others.length > 0) this.#border.count("series-decided-again", "instances", others.length)
    return others.map(({ key, sop }, at) => ({ key, sop, record: undefined, was: rows[at], row: rows[at]! }))
  }

  async #decide(
    touched: readonly TouchedInstance[],
    series: ReadonlyMap<string, Series>,
    unread: ReadonlyMap<TouchedInstance, Refusal>,
    kept: Kept,
    state: State,
  ): Promise<void> {
    const todo: { readonly one: TouchedInstance; readonly risk: Risk }[] = []
    for (const one of touched) {
      const { stated, evidence, verdict } = one.row
      if (stated === undefined) continue
      const risk = seriesRiskOf(series.get(seriesSlot(one.key, stated))!.counts)
      const decided = verdict?.risk === risk && !isUnread(verdict.refused)
      // Without evidence the header could not be read, in this step or an earlier one.
      if (evidence === undefined)
        one.row = { ...one.row, verdict: { risk, refused: (unread.get(one) ?? verdict?.refused)! } }
      else if (!decided) todo.push({ one, risk })
    }
    await eachObject(todo, state, async ({ one, risk }) => {
      one.row = { ...one.row, verdict: await verdictOn(one.key, one.row.stated!, risk, this.#border, kept) }
    })
  }

  /** Ends the record, emits the difference from what was emitted before, and keeps the rows. */
  #emitInstance(one: TouchedInstance, out: Output, state: State): void {
    const { key, sop, record, was, row } = one
    const { stated, verdict } = row
    const released = stated === undefined ? undefined : verdict?.released
    const failing = record !== undefined && stated !== undefined && released === undefined
    // What a record that is refused takes back cannot be emitted from it.
    const stem = record === undefined || failing ? stemOf(key, sop, positionOf(row.origin)) : record
    const emitted =
      released === undefined ? this.#takeBack(key, row, stem, out) : this.#release(key, row, released, stem, out)
    if (failing) out.fail(record, errorOf(verdict!.refused!))
    else if (record !== undefined && emitted === row.out) out.hold(record)
    state.put([[key, instanceSort(sop), { ...row, ...(emitted === undefined ? {} : { out: emitted }) }]])
    const old = was?.stated
    if (old !== undefined && (old.study !== stated?.study || old.series !== stated.series))
      state.delete([[key, partSort(old.study, old.series, sop)]])
    if (stated !== undefined) state.put([[key, partSort(stated.study, stated.series, sop), partOf(row)]])
  }

  #release(
    key: string,
    { out: before, stated }: InstanceRow,
    value: CuratedInstance,
    stem: Input | Timer,
    out: Output,
  ): Emitted {
    const person = this.#border.policy.person(key)
    const time = this.#border.policy.time(stated!.time, person) ?? 0
    const stamp = stampOf([value, time])
    if (before?.op === "upsert" && before.stamp === stamp) return before
    const version = after(before)
    const id = idOf(value)
    out.emit("instances", stem, { key: person.pseudonym, id, op: "upsert", version, value, time })
    return { id, revision: String(version), op: "upsert", stamp }
  }

  /** A retract happens when something is learnt; beside its arrival the time would tell the shift. */
  #takeBack(key: string, { out: before }: InstanceRow, stem: Input | Timer, out: Output): Emitted | undefined {
    if (before?.op !== "upsert") return before
    const version = after(before)
    const { id } = before
    const { pseudonym } = this.#border.policy.person(key)
    out.emit("instances", stem, { key: pseudonym, id, op: "retract", version, value: null, time: 0 })
    return { id, revision: String(version), op: "retract", stamp: "" }
  }

  async #studies(
    changed: readonly TouchedStudy[],
    instances: readonly TouchedInstance[],
    out: Output,
    state: State,
  ): Promise<void> {
    const all = [...changed, ...(await this.#studiesOf(instances, changed, state))]
    const standing = all.filter(({ row }) => row.value !== undefined)
    const scanned = await state.scan<PartRow>(standing.map(({ key, uid }) => partsOf(key, uid)))
    const parts = new Map(
      standing.map((one, at) => [one, new Map(scanned[at]!.map(([sort, part]) => [sopOf(sort), part]))]),
    )
    const elsewhere = await versionsElsewhere(parts, state)
    for (const one of all) {
      const found = parts.get(one)
      const derived =
        found === undefined
          ? undefined
          : countedParts(one.row.value!, found, (sop, revision) => elsewhere(one.key, sop) >= revision)
      this.#emitStudy(one, derived, out, state)
    }
  }

  /** The studies that the instances were and are in, besides those at hand. */
  async #studiesOf(
    instances: readonly TouchedInstance[],
    changed: readonly TouchedStudy[],
    state: State,
  ): Promise<TouchedStudy[]> {
    const known = new Set(changed.map(({ key, uid }) => `${key} ${uid}`))
    const wanted = new Map<string, { readonly key: string; readonly uid: string }>()
    for (const { key, was, row } of instances)
      for (const uid of [was?.stated?.study, row.stated?.study])
        if (uid !== undefined && !known.has(`${key} ${uid}`)) wanted.set(`${key} ${uid}`, { key, uid })
    const list = [...wanted.values()]
    const rows = await state.get<StudyRow>(list.map(({ key, uid }) => [key, studySort(uid)]))
    return list.flatMap((one, at) => (rows[at] === undefined ? [] : [{ ...one, record: undefined, row: rows[at] }]))
  }

  #emitStudy(
    { key, uid, record, row }: TouchedStudy,
    derived: readonly PartRow[] | "waiting" | undefined,
    out: Output,
    state: State,
  ): void {
    const { policy } = this.#border
    const person = policy.person(key)
    const stem = record ?? stemOf(key, uid, positionOf(row.origin))
    const id = rowId([policy.uid(uid)])
    const before = row.out
    let emitted = before
    const emit = (op: "upsert" | "retract", value: CuratedStudy | null, time: number, stamp: string) => {
      const version = after(before)
      out.emit("studies", stem, { key: person.pseudonym, id, op, version, value, time })
      emitted = { id, revision: String(version), op, stamp }
    }
    if (derived === undefined) {
      if (before?.op === "upsert") emit("retract", null, 0, "")
    } else if (derived !== "waiting") {
      const { value, time } = curatedStudyOf(row as StudyRow & { readonly value: Study }, derived, policy, person)
      const stamp = stampOf([value, time])
      if (before?.op !== "upsert" || before.stamp !== stamp) emit("upsert", value, time, stamp)
    }
    if (record !== undefined && emitted === before) out.hold(record)
    state.put([[key, studySort(uid), { ...row, ...(emitted === undefined ? {} : { out: emitted }) }]])
  }
}

/** The newest versions of the instances that studies list but do not have. */
async function versionsElsewhere(
  parts: ReadonlyMap<TouchedStudy, ReadonlyMap<string, PartRow>>,
  state: State,
): Promise<(key: string, sop: string) => bigint> {
  const missing = [...parts].flatMap(([{ key, row }, found]) =>
    row
      .value!.instances.filter(({ sopInstanceUid }) => !found.has(sopInstanceUid))
      .map(({ sopInstanceUid }) => ({ key, sop: sopInstanceUid })),
  )
  const rows = await state.get<InstanceRow>(missing.map(({ key, sop }) => [key, instanceSort(sop)]))
  const versions = new Map(missing.map(({ key, sop }, at) => [`${key} ${sop}`, rows[at]?.version]))
  return (key, sop) => BigInt(versions.get(`${key} ${sop}`) ?? "-1")
}

function partOf({ version, verdict }: InstanceRow): PartRow {
  if (verdict?.released === undefined) return { version, refused: verdict!.refused!.reason }
  const { modality, bodyPart } = verdict.released
  return { version, refused: "", modality, bodyPart }
}

/** Codes of originals that could not be read as objects: no decision of privacy, and another one when they can be read. */
const ofObjects: ReadonlySet<string> = new Set(["object-missing", "object-key", "object-changed"])
const isUnread = (refusal: Refusal | undefined): boolean => refusal !== undefined && ofObjects.has(refusal.reason)

function errorOf(refusal: Refusal): WeirError {
  const { reason, path, detail } = refusal
  const where = path === undefined ? {} : { path }
  if (isUnread(refusal)) return badRecord(reason, `the original of the instance cannot be read (${reason})`, where)
  return refused(
    reason,
    `the instance is not released (${detail === undefined ? reason : `${reason}: ${detail}`})`,
    where,
  )
}
