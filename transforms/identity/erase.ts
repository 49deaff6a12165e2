import type { Draft, In, Out, PersonEvent, Position, SharedState, State, Timer } from "../../core/index.ts"
import type { Arrival, Reading } from "./arrival.ts"
import { diffRow } from "./emit.ts"
import { positionOf } from "./facts.ts"
import type { inputs, outputs } from "./index.ts"
import { Ledger } from "./ledger.ts"
import type { Member, Namespaces } from "./members.ts"

type Input = In<typeof inputs>
type Output = Out<Input | Timer, Input, typeof outputs>

/** The key of shared state under which `weir erase` asks for persons: a row for each of their members, which is its sort key. */
export const eraseAsked = "erase/asked"
/** There is a row under this key once anybody was erased. */
export const erasedAny = "erase/any"

/** The row that stays of an erased member: a keyed hash, by which what comes of it again is dropped. */
const erasedKey = (member: Member, namespaces: Namespaces): string => `erased/${namespaces.person([member])}`

/** Takes back everything that was emitted of a set of members, and removes their nodes, rows and bodies; a keyed hash of each member
 * stays. Gives the drafts. */
async function eraseMembers(
  members: readonly Member[],
  ledger: Ledger,
  shared: SharedState,
  { namespaces, count }: Reading,
  out: Output,
  from: Input | Timer,
): Promise<readonly Draft<PersonEvent>[]> {
  await ledger.load(members)
  const set = [...new Set(members.flatMap((member) => ledger.nodes.get(member)!.set))]
  await ledger.load(set)
  const rows = new Set([...(await ledger.rowsAbout(set)).values()].flat())
  await ledger.load([], rows)
  const drafts: Draft<PersonEvent>[] = []
  const gone = new Set(set)
  for (const id of rows) {
    const row = ledger.rows.get(id)!
    for (const [slot, fact] of Object.entries(row.facts)) {
      if (!gone.has(fact.member)) continue
      if (fact.waits === true) {
        count("waiting", "patient-unknown", -1)
        const origin = positionOf(fact.origin)
        out.dropHeld(from, { at: origin, origin }, "erased")
      }
      row.facts[slot] = { ...fact, op: "retract" }
    }
    drafts.push(...diffRow(id, row, ledger.nodes))
    for (const [slot, { member }] of Object.entries(row.facts)) if (gone.has(member)) delete row.facts[slot]
    // Another source may have a row of this id, about somebody else.
    if (Object.keys(row.facts).length > 0) ledger.changed(id)
    else ledger.forgetRow(id)
  }
  for (const member of set) ledger.forget(member)
  const keys = set.map((member) => erasedKey(member, namespaces))
  await shared.lock([...keys, erasedAny])
  shared.put([...keys, erasedAny].map((key) => [key, "", true] as const))
  return drafts
}

/** Erases the persons that were asked for; one task of the stage does it, whichever is claimed first. */
export async function eraseWhoIsAsked(out: Output, state: State, origin: Position, reading: Reading): Promise<void> {
  const { shared } = state
  await shared.lock([eraseAsked])
  const [asked] = await shared.scan<true>([{ key: eraseAsked }])
  if (asked === undefined || asked.length === 0) return
  const stem: Timer = { key: eraseAsked, name: "", due: 0, clock: "quiet", origin }
  const ledger = new Ledger(state, reading.namespaces)
  const members = asked.map(([member]) => member)
  for (const draft of await eraseMembers(members, ledger, shared, reading, out, stem)) out.emit("out", stem, draft)
  ledger.write()
  shared.delete(members.map((member) => [eraseAsked, member] as const))
  reading.count("erased", "members", members.length)
}

/** Whether anybody was erased, so that arrivals are to be looked at. */
export async function isAnyErased({ shared }: State): Promise<boolean> {
  await shared.lock([erasedAny])
  return (await shared.get<true>([[erasedAny, ""]]))[0] === true
}

/** Arrivals without those that are about an erased person. A Patient that names an erased identifier is that person: what is known
 * under its own id is erased as well. */
export async function withoutErased(
  arrivals: readonly Arrival<Input>[],
  out: Output,
  state: State,
  reading: Reading,
): Promise<readonly Arrival<Input>[]> {
  const { namespaces } = reading
  const named = ({ fact, statement, nobody }: Arrival<Input>) =>
    nobody === true ? [] : [fact.member, ...(statement?.names ?? [])]
  const members = [...new Set(arrivals.flatMap(named))]
  const keys = members.map((member) => erasedKey(member, namespaces))
  if (keys.length === 0) return arrivals
  await state.shared.lock(keys)
  const found = await state.shared.get<true>(keys.map((key) => [key, ""] as const))
  const erased = new Set(members.filter((_, at) => found[at] === true))
  // Of two Patients in one batch the second may name what the first brought in.
  for (let before = -1; before !== erased.size;) {
    before = erased.size
    for (const arrival of arrivals)
      if (named(arrival).some((member) => erased.has(member))) erased.add(arrival.fact.member)
  }
  const kept = arrivals.filter((arrival) => !named(arrival).some((member) => erased.has(member)))
  const known = new Set(members.filter((_, at) => found[at] === true))
  for (const arrival of arrivals) {
    if (kept.includes(arrival)) continue
    const { member } = arrival.fact
    const drafts = known.has(member) ? [] : await eraseNow(member, state, reading, out, arrival.record)
    known.add(member)
    for (const draft of drafts) out.emit("out", arrival.record, draft)
    if (drafts.length === 0) out.drop(arrival.record, "erased")
  }
  return kept
}

async function eraseNow(member: Member, state: State, reading: Reading, out: Output, from: Input) {
  const ledger = new Ledger(state, reading.namespaces)
  const drafts = await eraseMembers([member], ledger, state.shared, reading, out, from)
  ledger.write()
  return drafts
}
