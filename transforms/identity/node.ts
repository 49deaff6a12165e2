import type { Member, Namespaces } from "./members.ts"
import { isLogicalId } from "./members.ts"

/** What is kept of a member. Its rows are listed beside it in shared state, so that a person's change finds them. */
export interface Node {
  /** The connected component that it is in, key member first. */
  set: readonly Member[]
  person: string
  /** Birth date of the person as known. */
  birthDate?: string
  /** What the Patient with this logical id says; absent while no such Patient is known. */
  patient?: { readonly birthDate?: string; readonly replaced?: true }
  /** Members that this Patient names. */
  states: readonly Member[]
  /** Patients that name this member. */
  statedBy: readonly Member[]
}

/** A member of which nobody has said anything. */
export function loneNode(member: Member, namespaces: Namespaces): Node {
  return { set: [member], person: namespaces.person([member]), states: [], statedBy: [] }
}

/** The members that are connected with `from`, found over what Patients state. */
export function componentOf(from: Member, nodes: ReadonlyMap<Member, Node>): readonly Member[] {
  const found = new Set([from])
  for (const member of found) {
    const node = nodes.get(member)!
    for (const next of node.states) found.add(next)
    for (const next of node.statedBy) found.add(next)
  }
  return [...found]
}

/** The birth date of a component: of its first Patient, in the set's order, that states one; Patients that were replaced come
 * last. */
export function birthDateOf(sorted: readonly Member[], nodes: ReadonlyMap<Member, Node>): string | undefined {
  const patients = sorted.flatMap((member) => nodes.get(member)!.patient ?? [])
  const stated = patients.filter(({ birthDate }) => birthDate !== undefined)
  return (stated.find(({ replaced }) => replaced !== true) ?? stated[0])?.birthDate
}

/** The person that a member means now; undefined for a logical id whose Patient is not known. */
export const personOf = (member: Member, node: Node): string | undefined =>
  isLogicalId(member) && node.patient === undefined ? undefined : node.person
