import { rowIdParts } from "../../core/index.ts"
import type { Draft, PersonEvent } from "../../core/index.ts"
import type { Emitted, Fact, Row } from "./facts.ts"
import { positionOf, standsOver } from "./facts.ts"
import type { Member } from "./members.ts"
import { parts, studyNamespace } from "./members.ts"
import { personOf } from "./node.ts"
import type { Node } from "./node.ts"

type Nodes = ReadonlyMap<Member, Node>

/** The fact that stands for each person: the newest of those that are about them. */
function standing(row: Row, nodes: Nodes): ReadonlyMap<string, Fact> {
  const found = new Map<string, Fact>()
  for (const [, fact] of Object.entries(row.facts).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const person = fact.op === "upsert" ? personOf(fact.member, nodes.get(fact.member)!) : undefined
    if (person === undefined) continue
    const rival = found.get(person)
    if (rival === undefined || standsOver(fact, rival)) found.set(person, fact)
  }
  return found
}

function eventOf(id: string, fact: Fact, node: Node): PersonEvent {
  const [kind, subtype, name] = rowIdParts(id) as [string, string, string]
  const ofStudy = parts(fact.member).namespace === studyNamespace
  return {
    kind,
    subtype,
    name,
    source: fact.source,
    sourceVersion: fact.version,
    instance: fact.instance ?? null,
    body: fact.body ?? null,
    codes: [],
    identifiers: kind === "person" ? node.set.map(parts) : [],
    birthDate: kind === "instance" ? null : (node.birthDate ?? null),
    flags: [...(fact.conflict === true ? ["conflict"] : []), ...(ofStudy ? ["person-of-study"] : [])],
  }
}

/** Everything that an event is made of, short. */
const stampOf = (id: string, fact: Fact, node: Node): string =>
  [
    fact.version,
    fact.hash,
    fact.time,
    fact.conflict === true ? "conflict" : "",
    id.startsWith("instance/") ? "" : (node.birthDate ?? ""),
    id.startsWith("person/") ? node.set.join(" ") : "",
  ].join("|")

/** Diffs a row: the drafts that make what was emitted of it, for each person, what should stand; keeps their revisions in it. */
export function diffRow(id: string, row: Row, nodes: Nodes): Draft<PersonEvent>[] {
  const stands = standing(row, nodes)
  const drafts: Draft<PersonEvent>[] = []
  const next = (key: string, op: Emitted["op"], stamp: string): bigint => {
    const revision = BigInt(row.out[key]?.revision ?? "0") + 1n
    row.out[key] = { revision: String(revision), op, stamp }
    return revision
  }
  const time = Object.values(row.facts).reduce((latest, fact) => Math.max(latest, fact.time), Number.NEGATIVE_INFINITY)
  for (const [key, { op }] of Object.entries(row.out))
    if (op === "upsert" && !stands.has(key))
      drafts.push({ key, id, op: "retract", version: next(key, "retract", ""), value: null, time })
  for (const [key, fact] of stands) {
    const node = nodes.get(fact.member)!
    const stamp = stampOf(id, fact, node)
    const was = row.out[key]
    if (was?.op === "upsert" && was.stamp === stamp) continue
    const value = eventOf(id, fact, node)
    drafts.push({
      key,
      id,
      op: "upsert",
      version: next(key, "upsert", stamp),
      value,
      time: fact.time,
      origin: positionOf(fact.origin),
    })
  }
  return drafts
}

/** Marks which facts wait for their Patient; gives by how many more there are now. */
export function markWaiting(row: Row, nodes: Nodes): number {
  let more = 0
  for (const [slot, fact] of Object.entries(row.facts)) {
    const waits = fact.op === "upsert" && personOf(fact.member, nodes.get(fact.member)!) === undefined
    if (waits === (fact.waits === true)) continue
    const { waits: _, ...rest } = fact
    row.facts[slot] = waits ? { ...rest, waits } : rest
    more += waits ? 1 : -1
  }
  return more
}
