import { rowId } from "../../core/index.ts"
import type { DicomInstance, In, Out, State, Timer } from "../../core/index.ts"
import { studyStarted } from "../../formats/dicom/study-time.ts"
import type { Started } from "../../formats/dicom/study-time.ts"
import type { ZoneOffset } from "../../formats/fhir/time.ts"
import { readChanges } from "./changes.ts"
import type { Change } from "./changes.ts"
import { expectedOf, studyOf } from "./derive.ts"
import type { inputs, outputs } from "./index.ts"
import { partOf } from "./instance.ts"
import type { Held, Part } from "./instance.ts"
import { assemblySort, hashOf, heldSort, noAssembly, partSort, partsOf } from "./rows.ts"
import type { Assembly } from "./rows.ts"

type Input = In<typeof inputs>
type Output = Out<Input | Timer, Input, typeof outputs>

export interface Settings {
  readonly quiet: number
  /** Zone of study times that state none; undefined: times are as the source read them. */
  readonly zone: ZoneOffset | undefined
  readonly count: (name: string, label: string, by?: number) => void
}

function startedOf(value: DicomInstance, time: number, zone: ZoneOffset | undefined): Started | undefined {
  const started = studyStarted(value.studyDate, value.studyTime, value.timezoneOffset, zone ?? 0)
  return started !== undefined && zone === undefined ? { ...started, from: time } : started
}

/** How many instance rows are read at once when timers fire. */
const rowsAtOnce = 50_000

interface Touched {
  readonly key: string
  readonly stem: Input | Timer
  readonly assembly: Assembly
}

/** Folds instances into their studies and emits them; derives a study when its expected count is reached or nothing is left of
 * it, and otherwise when it has been quiet. */
export class Assembler {
  readonly #settings: Settings

  constructor(settings: Settings) {
    this.#settings = settings
  }

  async apply(batch: readonly Input[], out: Output, state: State): Promise<void> {
    const changes = await readChanges(batch, out, state)
    if (changes.length === 0) return
    const touched = await this.#load(changes, state)
    const before = new Map([...touched].map(([slot, { assembly }]) => [slot, assembly.count]))
    for (const change of changes) this.#fold(change, touched, out, state)
    const due: Touched[] = []
    for (const [slot, one] of touched) {
      const { count, expected } = one.assembly
      const reached =
        expected !== null && count >= expected && (before.get(slot)! < expected || one.assembly.revision === "0")
      if (reached || count === 0) due.push(one)
      else this.#wait(one, state)
    }
    await this.#derive(due, out, state)
    for (const { key, assembly } of touched.values()) state.put([[key, assemblySort(assembly.uid), assembly]])
  }

  async onTimer(fired: readonly Timer[], out: Output, state: State): Promise<void> {
    const found = await state.get<Assembly>(fired.map(({ key, name }) => [key, assemblySort(name)]))
    const due: Touched[] = []
    for (const [at, timer] of fired.entries()) {
      const { armed: _, ...assembly } = found[at]!
      const one: Touched = { key: timer.key, stem: timer, assembly }
      if (assembly.changed !== undefined && timer.due < assembly.changed + this.#settings.quiet)
        this.#wait(one, state, assembly.changed)
      else if (assembly.changed !== undefined) due.push(one)
      state.put([[timer.key, assemblySort(assembly.uid), assembly]])
    }
    for (let from = 0; from < due.length;) {
      let rows = 0
      let to = from
      while (to < due.length && (to === from || rows < rowsAtOnce)) rows += due[to++]!.assembly.count
      await this.#derive(due.slice(from, to), out, state)
      from = to
    }
    for (const { key, assembly } of due) state.put([[key, assemblySort(assembly.uid), assembly]])
  }

  /** The assemblies of the studies that the changes leave and enter. */
  async #load(changes: readonly Change[], state: State): Promise<Map<string, Touched>> {
    const wanted = new Map<string, { readonly key: string; readonly uid: string; readonly stem: Input }>()
    for (const { record, held, value, hash } of changes) {
      if (held?.hash === hash) continue
      const uids = [held?.hash ? held.study : undefined, value?.studyInstanceUid]
      for (const uid of uids)
        if (uid !== undefined) wanted.set(`${record.key} ${uid}`, { key: record.key, uid, stem: record })
    }
    const list = [...wanted]
    const found = await state.get<Assembly>(list.map(([, { key, uid }]) => [key, assemblySort(uid)]))
    return new Map(
      list.map(([slot, { key, uid, stem }], at) => {
        return [slot, { key, stem, assembly: { ...(found[at] ?? noAssembly(uid)) } }]
      }),
    )
  }

  #fold({ record, sop, held, value, hash }: Change, touched: Map<string, Touched>, out: Output, state: State): void {
    const { key } = record
    const version = String(record.version)
    const there = held !== undefined && held.hash !== ""
    if ((held?.hash ?? "") === hash) {
      state.put([[key, heldSort(sop), { ...(held ?? { study: "", revision: "0" }), version, hash } satisfies Held]])
      out.hold(record)
      return
    }
    const revision = String(BigInt(held?.revision ?? "0") + 1n)
    if (there) {
      if (value !== undefined) this.#settings.count("instances-replaced", "different-content")
      touched.get(`${key} ${held.study}`)!.assembly.count--
      if (held.study !== value?.studyInstanceUid) state.delete([[key, partSort(held.study, sop)]])
    }
    const draft = { key, id: rowId([sop]), version: BigInt(revision), time: record.time }
    if (value === undefined) {
      state.put([[key, heldSort(sop), { version, hash: "", study: held!.study, revision } satisfies Held]])
      out.emit("instances", record, { ...draft, op: "retract", value: null })
      return
    }
    const { assembly } = touched.get(`${key} ${value.studyInstanceUid}`)!
    assembly.count++
    assembly.expected = expectedOf([assembly, { expected: value.expectedInstances }])
    const started = startedOf(value, record.time, this.#settings.zone)
    state.put<Held | Part>([
      [key, heldSort(sop), { version, hash, study: value.studyInstanceUid, revision }],
      [key, partSort(value.studyInstanceUid, sop), partOf(value, revision, started, record.time)],
    ])
    out.emit("instances", record, { ...draft, op: "upsert", value })
  }

  /** Notes a change, and arms a timer only where none is: one that fires too early is armed again. */
  #wait({ key, stem, assembly }: Touched, state: State, since = state.now): void {
    assembly.since ??= assembly.changed ?? since
    assembly.changed = since
    if (assembly.armed !== undefined) return
    assembly.armed = since + this.#settings.quiet
    const timer = { key, name: assembly.uid, due: assembly.armed, clock: "quiet", since: assembly.since } as const
    state.timer(timer, stem)
  }

  async #derive(due: readonly Touched[], out: Output, state: State): Promise<void> {
    const filled = due.filter(({ assembly }) => assembly.count > 0)
    const found = await state.scan<Part>(filled.map(({ key, assembly }) => partsOf(key, assembly.uid)))
    const parts = new Map(filled.map((one, at) => [one, found[at]!.map(([, part]) => part)]))
    for (const one of due) {
      const { key, stem, assembly } = one
      const of = parts.get(one) ?? []
      delete assembly.changed
      delete assembly.since
      if (assembly.armed !== undefined) {
        delete assembly.armed
        state.cancel(key, assembly.uid)
      }
      assembly.expected = expectedOf(of)
      const value = of.length === 0 ? null : studyOf(assembly.uid, of)
      const hash = value === null ? "" : hashOf(value)
      if (hash === assembly.hash) continue
      assembly.hash = hash
      assembly.revision = String(BigInt(assembly.revision) + 1n)
      const time = value?.started ?? of.reduce((first, part) => Math.min(first, part.time), Number.MAX_SAFE_INTEGER)
      const draft = { key, id: rowId([assembly.uid]), version: BigInt(assembly.revision) }
      if (value === null) {
        const at = "due" in stem ? stem.due : stem.time
        out.emit("studies", stem, { ...draft, op: "retract", value, time: at })
      } else out.emit("studies", stem, { ...draft, op: "upsert", value, time })
    }
  }
}
