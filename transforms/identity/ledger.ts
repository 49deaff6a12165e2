import type { State } from "../../core/index.ts"
import type { Row } from "./facts.ts"
import type { Member, Namespaces } from "./members.ts"
import { loneNode } from "./node.ts"
import type { Node } from "./node.ts"

const nodeSort = "n"
const rowKey = (row: string): string => `row/${row}`
const listed = (row: string): string => `r/${row}`
const rowList = { from: "r/", to: "r0" }

/** The members that a row's records are about. */
export const membersOf = (row: Row): readonly Member[] => [
  ...new Set(Object.values(row.facts).flatMap(({ op, member }) => (op === "upsert" ? [member] : []))),
]

/** The objects that a row's standing facts name: their keys, and who they are about. */
const objectsOf = (row: Row): ReadonlyMap<string, Member> =>
  new Map(
    Object.values(row.facts).flatMap(({ op, instance, member }) =>
      op === "upsert" && instance !== undefined ? [[instance.object.key, member] as const] : [],
    ),
  )

/** What a step has read of shared state, all of it locked, and what it changed. Three kinds of rows: a member's node, the list of
 * rows that are about the member, and a row id with its facts and revisions. */
export class Ledger {
  readonly nodes = new Map<Member, Node>()
  readonly rows = new Map<string, Row>()
  readonly #state: State
  readonly #namespaces: Namespaces
  readonly #fresh = new Set<Member>()
  readonly #listedBefore = new Map<string, readonly Member[]>()
  readonly #objectsBefore = new Map<string, ReadonlyMap<string, Member>>()
  readonly #changedNodes = new Set<Member>()
  readonly #changedRows = new Set<string>()
  readonly #goneNodes = new Set<Member>()
  readonly #goneRows = new Set<string>()

  constructor(state: State, namespaces: Namespaces) {
    this.#state = state
    this.#namespaces = namespaces
  }

  /** Locks and reads members and rows that are not read yet, in one call each. */
  async load(members: Iterable<Member>, rows: Iterable<string> = []): Promise<void> {
    const newMembers = [...new Set(members)].filter((member) => !this.nodes.has(member))
    const newRows = [...new Set(rows)].filter((row) => !this.rows.has(row))
    if (newMembers.length + newRows.length === 0) return
    await this.#state.shared.lock([...newMembers, ...newRows.map(rowKey)])
    const found = await this.#state.shared.get<Node | Row>([
      ...newMembers.map((member) => [member, nodeSort] as const),
      ...newRows.map((row) => [rowKey(row), ""] as const),
    ])
    for (const [at, member] of newMembers.entries()) {
      if (found[at] === undefined) this.#fresh.add(member)
      this.nodes.set(member, (found[at] as Node | undefined) ?? loneNode(member, this.#namespaces))
    }
    for (const [at, row] of newRows.entries()) {
      const { facts, out } = (found[newMembers.length + at] ?? { facts: {}, out: {} }) as Row
      const copy = { facts: { ...facts }, out: { ...out } }
      this.rows.set(row, copy)
      this.#listedBefore.set(row, membersOf(copy))
      this.#objectsBefore.set(row, objectsOf(copy))
    }
    await this.load(newRows.flatMap((row) => membersOf(this.rows.get(row)!)))
  }

  setNode(member: Member, node: Node): void {
    this.nodes.set(member, node)
    this.#changedNodes.add(member)
  }

  changed(row: string): void {
    this.#changedRows.add(row)
  }

  /** Removes a row with its facts and revisions. */
  forgetRow(row: string): void {
    this.#changedRows.delete(row)
    this.#goneRows.add(row)
  }

  /** Removes a member's node and its list of rows. */
  forget(member: Member): void {
    this.#changedNodes.delete(member)
    this.#goneNodes.add(member)
  }

  /** The rows that are about members, as they were stored; members that were never stored have none. */
  async rowsAbout(members: readonly Member[]): Promise<ReadonlyMap<Member, readonly string[]>> {
    const stored = members.filter((member) => !this.#fresh.has(member))
    const found =
      stored.length === 0 ? [] : await this.#state.shared.scan<true>(stored.map((key) => ({ key, ...rowList })))
    return new Map(stored.map((member, at) => [member, found[at]!.map(([sort]) => sort.slice(2))]))
  }

  /** Hands the changes to shared state. */
  write(): void {
    const puts: [string, string, unknown][] = []
    const gone: [string, string][] = []
    for (const row of this.#changedRows) {
      const value = this.rows.get(row)!
      const [before, after] = [this.#listedBefore.get(row)!, membersOf(value)]
      puts.push([rowKey(row), "", value])
      this.#refer(row, objectsOf(value))
      for (const member of after) {
        if (!before.includes(member)) puts.push([member, listed(row), true])
        if (this.#fresh.has(member)) this.#changedNodes.add(member)
      }
      for (const member of before) if (!after.includes(member)) gone.push([member, listed(row)])
    }
    for (const row of this.#goneRows) {
      gone.push([rowKey(row), ""])
      this.#refer(row, new Map())
      for (const member of this.#listedBefore.get(row)!) gone.push([member, listed(row)])
    }
    for (const member of this.#goneNodes) gone.push([member, nodeSort])
    for (const member of this.#changedNodes) puts.push([member, nodeSort, this.nodes.get(member)])
    this.#state.shared.put(puts)
    if (gone.length > 0) this.#state.shared.delete(gone)
  }

  /** An object is its member's, not its person's: members stay what they are when persons are joined and parted, so that erasing one
   * never takes what is another's. */
  #refer(row: string, now: ReadonlyMap<string, Member>): void {
    const before = this.#objectsBefore.get(row)!
    this.#state.refer("phi", [...before.keys()], [...now.keys()])
    for (const [key, member] of now) if (before.get(key) !== member) this.#state.own("phi", member, [key])
  }
}
