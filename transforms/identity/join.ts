import type { Ledger } from "./ledger.ts"
import type { Member, Namespaces } from "./members.ts"
import { birthDateOf, componentOf, personOf } from "./node.ts"
import type { Node } from "./node.ts"
import type { Statement } from "./patient.ts"

/** What a Patient now says, and the record that says it. */
export interface Told<R> {
  readonly member: Member
  /** undefined: the Patient is gone. */
  readonly statement: Statement | undefined
  readonly stem: R
}

/** Members whose events change, each with the record that changed them. */
export interface Moved<R> {
  /** The person, or whether it is known, is another one: every event of the member. */
  readonly person: Map<Member, R>
  /** The birth date is another one: the events of resources. */
  readonly birthDate: Map<Member, R>
  /** The set of identifiers is another one: the events of Patients. */
  readonly set: Map<Member, R>
}

/** Locks and reads the whole components that Patients' statements touch. A stored set is right while any of its members is
 * locked, because whoever changes it locks them all. */
export async function loadComponents<R>(told: readonly Told<R>[], ledger: Ledger): Promise<void> {
  const named = told.flatMap(({ member, statement }) => [member, ...(statement?.names ?? [])])
  await ledger.load(named)
  await ledger.load(named.flatMap((member) => ledger.nodes.get(member)!.set))
}

/** Writes what Patients state into their nodes; gives each touched member with the record that touched it. */
function state<R>({ member, statement, stem }: Told<R>, ledger: Ledger, touched: Map<Member, R>): void {
  const node = ledger.nodes.get(member)!
  const names = statement?.names ?? []
  for (const other of node.states)
    if (!names.includes(other)) {
      const named = ledger.nodes.get(other)!
      ledger.setNode(other, { ...named, statedBy: named.statedBy.filter((by) => by !== member) })
      touched.set(other, stem)
    }
  for (const other of names) {
    const named = ledger.nodes.get(other)!
    if (!named.statedBy.includes(member))
      ledger.setNode(other, { ...named, statedBy: [...named.statedBy, member].sort() })
    touched.set(other, stem)
  }
  const { patient: _, ...rest } = ledger.nodes.get(member)!
  const { names: __, ...patient } = statement ?? { names: [] }
  ledger.setNode(member, { ...rest, states: names, ...(statement === undefined ? {} : { patient }) })
  touched.set(member, stem)
}

/** Applies statements, recomputes the components they touch, and tells which members changed. The components must be loaded. */
export function join<R>(told: readonly Told<R>[], ledger: Ledger, namespaces: Namespaces): Moved<R> {
  const before = new Map(ledger.nodes)
  const touched = new Map<Member, R>()
  for (const one of told) state(one, ledger, touched)
  const moved: Moved<R> = { person: new Map(), birthDate: new Map(), set: new Map() }
  const done = new Set<Member>()
  for (const [seed, stem] of touched) {
    if (done.has(seed)) continue
    const sorted = namespaces.sorted(componentOf(seed, ledger.nodes))
    const person = namespaces.person(sorted)
    const birthDate = birthDateOf(sorted, ledger.nodes)
    for (const member of sorted) {
      done.add(member)
      const { birthDate: _, ...rest } = ledger.nodes.get(member)!
      const next: Node = { ...rest, set: sorted, person, ...(birthDate === undefined ? {} : { birthDate }) }
      const was = before.get(member)!
      if (personOf(member, was) !== personOf(member, next)) moved.person.set(member, stem)
      if (was.birthDate !== birthDate) moved.birthDate.set(member, stem)
      if (was.set.join(" ") !== sorted.join(" ")) moved.set.set(member, stem)
      ledger.setNode(member, next)
    }
  }
  return moved
}
