import { WeirError, classify, rowId } from "../../core/index.ts"
import type { DicomInstance, FhirResource, Hl7v2Message, In, Out, Rec, State, Timer } from "../../core/index.ts"
import { instanceArrival, messageArrival, resourceArrival } from "./arrival.ts"
import type { Arrival, Reading } from "./arrival.ts"
import { diffRow, markWaiting } from "./emit.ts"
import { withoutErased } from "./erase.ts"
import { folded, orderOf, positionOf } from "./facts.ts"
import type { inputs, outputs } from "./index.ts"
import { join, loadComponents } from "./join.ts"
import type { Moved, Told } from "./join.ts"
import { Ledger } from "./ledger.ts"
import type { Member } from "./members.ts"
import { isLogicalId, parts } from "./members.ts"

type Input = In<typeof inputs>
type Output = Out<Input | Timer, Input, typeof outputs>

/** One step: what is about erased persons ends; fold the batch into facts, join what its Patients state, emit what differs. Reads shared state in at most four
 * rounds of one lock and one get: the batch's rows and members; the rest of the components; after a move, the rows that are
 * about those who moved, and those who else these are about. */
export async function resolve(
  batch: readonly Input[],
  out: Output,
  state: State,
  reading: Reading,
  anyErased = false,
): Promise<void> {
  const all = read(batch, out, reading)
  state.read(
    "phi",
    all.flatMap(({ fact }) => (fact.instance === undefined ? [] : [fact.instance.object.key])),
  )
  const arrivals = anyErased ? await withoutErased(all, out, state, reading) : all
  if (arrivals.length === 0) return
  for (const { fact, nobody, record } of arrivals) if (nobody !== true) state.ownRecords(fact.member, [record])
  const ledger = new Ledger(state, reading.namespaces)
  await ledger.load(
    arrivals.flatMap(({ fact, nobody, statement }) =>
      nobody === true ? [] : [fact.member, ...(statement?.names ?? [])],
    ),
    arrivals.map(({ row }) => row),
  )
  const standing = fold(arrivals, out, ledger)
  const told = tellings(standing, ledger)
  await loadComponents(told, ledger)
  const moved = join(told, ledger, reading.namespaces)
  const rows = new Map(standing.map(({ row, record }) => [row, record]))
  await addMoved(moved, rows, ledger)
  const emitted = emit(rows, out, ledger, reading)
  for (const { record } of standing) if (!emitted.has(record)) out.hold(record)
  ledger.write()
}

function read(batch: readonly Input[], out: Output, reading: Reading): Arrival<Input>[] {
  return batch.flatMap((record) => {
    try {
      return [arrivalOf(record, reading) as Arrival<Input>]
    } catch (error) {
      if (!(error instanceof WeirError)) throw classify(error)
      out.fail(record, error)
      return []
    }
  })
}

function arrivalOf(record: Input, reading: Reading): Arrival<Rec> {
  if (record.input === "dicom") return instanceArrival<Rec<DicomInstance>>(record as Rec<DicomInstance>, reading)
  if (record.input === "hl7v2") return messageArrival<Rec<Hl7v2Message>>(record as Rec<Hl7v2Message>, reading)
  return resourceArrival<Rec<FhirResource>>(record as Rec<FhirResource>, reading)
}

/** Folds arrivals into facts; gives those that changed theirs and are not ended yet, one a fact. All others end here. */
function fold(arrivals: readonly Arrival<Input>[], out: Output, ledger: Ledger): readonly Arrival<Input>[] {
  const changers = new Map<string, Arrival<Input>>()
  for (const arrival of arrivals) {
    const { record, row: id, slot, fact } = arrival
    const row = ledger.rows.get(id)!
    const standing = row.facts[slot]
    const order = orderOf(fact, standing)
    const next = folded(fact, standing, order)
    if (next !== standing) ledger.changed(id)
    row.facts[slot] = next
    const which = `${id} ${slot}`
    // Nothing was said of a person, so there is nothing to take back; the fact stays, or an older version would stand.
    if (arrival.nobody === true && order !== "older" && standing?.op !== "upsert") {
      out.drop(record, "no-person")
      continue
    }
    const flags = order === "conflict" && standing?.conflict !== true && !changers.has(which)
    // The same content under a newer version, of which there is only one.
    const unflags = standing?.conflict === true && next.conflict !== true
    if (order !== "newest" && !flags && !unflags) {
      out.drop(record, order === "duplicate" ? "duplicate" : "older-version")
      continue
    }
    if (standing?.waits === true && next.waits !== true) {
      const origin = positionOf(standing.origin)
      out.dropHeld(record, { at: origin, origin }, "older-version")
    }
    const beaten = changers.get(which)
    if (beaten !== undefined) out.drop(beaten.record, "older-version")
    changers.set(which, arrival)
  }
  return [...changers.values()]
}

/** What the Patients among the changed facts state now. */
function tellings(standing: readonly Arrival<Input>[], ledger: Ledger): Told<Input>[] {
  return standing.flatMap(({ row, slot, statement, fact, record }) => {
    const { hash, op } = ledger.rows.get(row)!.facts[slot]!
    // The lesser of two of one version changes the flag of the row, not what is stated.
    if (statement === undefined || hash !== fact.hash) return []
    return [{ member: fact.member, statement: op === "retract" ? undefined : statement, stem: record }]
  })
}

/** Adds the rows of those who moved, and loads them. */
async function addMoved(moved: Moved<Input>, rows: Map<string, Input>, ledger: Ledger): Promise<void> {
  const add = (row: string, stem: Input) => {
    if (!rows.has(row)) rows.set(row, stem)
  }
  const whole = new Map([...moved.person, ...[...moved.birthDate].filter(([member]) => isLogicalId(member))])
  const about = await ledger.rowsAbout([...whole.keys()])
  for (const [member, list] of about) for (const row of list) add(row, whole.get(member)!)
  for (const [member, stem] of moved.set) if (isPatient(member, ledger)) add(patientRow(member), stem)
  await ledger.load([], rows.keys())
}

const isPatient = (member: Member, ledger: Ledger): boolean => ledger.nodes.get(member)!.patient !== undefined
const patientRow = (member: Member): string => rowId(["person", "Patient", parts(member).value])

/** Emits what differs; gives the records from which it emitted. */
function emit(rows: ReadonlyMap<string, Input>, out: Output, ledger: Ledger, reading: Reading): ReadonlySet<Input> {
  const emitted = new Set<Input>()
  let waiting = 0
  for (const [id, stem] of rows) {
    const row = ledger.rows.get(id)!
    waiting += markWaiting(row, ledger.nodes)
    for (const draft of diffRow(id, row, ledger.nodes)) {
      out.emit("out", stem, draft)
      emitted.add(stem)
    }
    ledger.changed(id)
  }
  if (waiting !== 0) reading.count("waiting", "patient-unknown", waiting)
  return emitted
}
