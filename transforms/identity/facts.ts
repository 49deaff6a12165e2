import type { DicomInstance, Op, Position } from "../../core/index.ts"
import { canonical } from "./canonical.ts"
import type { Member } from "./members.ts"

/** Where the record's chain began, as JSON holds it. */
export type Origin = readonly [topic: string, partition: number, offset: string]

export const originOf = ({ origin }: { readonly origin: Position }): Origin => [
  origin.topic,
  origin.partition,
  String(origin.offset),
]

export const positionOf = ([topic, partition, offset]: Origin): Position => ({
  topic,
  partition,
  offset: BigInt(offset),
})

/** The newest version of one record, as shared state keeps it. */
export interface Fact {
  /** Decimal. */
  readonly version: string
  /** Of the content: the body's text, or the object's bytes. */
  readonly hash: string
  readonly op: Op
  /** Who it is about. */
  readonly member: Member
  /** Event time, ms. */
  readonly time: number
  /** Name of the source. */
  readonly source: string
  /** Of a resource that stands. */
  readonly body?: string
  readonly instance?: DicomInstance
  /** Two records of this version had different content. */
  readonly conflict?: true
  /** Its Patient is not known yet. */
  readonly waits?: true
  readonly origin: Origin
}

/** What was last emitted of a row for one person; kept for ever, because revisions go on past a retract. */
export interface Emitted {
  /** Decimal. */
  readonly revision: string
  readonly op: Op
  /** Tells whether what should stand differs from what was emitted. */
  readonly stamp: string
}

/** All that is known of one row id: the records of it, by where they come from (two sources may both have Observation/1), and
 * what was emitted of it, by person. */
export interface Row {
  facts: Record<string, Fact>
  out: Record<string, Emitted>
}

/** What a record is to the fact that stands: `newest` replaces it, `conflict` is the lesser of two of one version. */
export type Order = "newest" | "conflict" | "duplicate" | "older"

/** Compares by version, then by content: of equal versions the greater canonical body stands. */
export function orderOf(next: Fact, standing: Fact | undefined): Order {
  if (standing === undefined) return "newest"
  if (next.op === standing.op && next.hash === standing.hash && next.member === standing.member) return "duplicate"
  const [a, b] = [BigInt(next.version), BigInt(standing.version)]
  if (a !== b) return a > b ? "newest" : "older"
  const content = compareContent(next, standing)
  return content === 0 ? "duplicate" : content > 0 ? "newest" : "conflict"
}

/** True when `a` stands over `b` where two sources have the same row. */
export function standsOver(a: Fact, b: Fact): boolean {
  const [one, other] = [BigInt(a.version), BigInt(b.version)]
  return one === other ? compareContent(a, b) > 0 : one > other
}

function compareContent(a: Fact, b: Fact): number {
  if (a.op !== b.op) return a.op === "upsert" ? 1 : -1
  const [one, other] = [contentOf(a), contentOf(b)]
  return one === other ? 0 : one > other ? 1 : -1
}

const contentOf = (fact: Fact): string => `${fact.body === undefined ? fact.hash : canonical(fact.body)} ${fact.member}`

/** The fact that stands after `next` came. */
export function folded(next: Fact, standing: Fact | undefined, order: Order): Fact {
  if (standing === undefined) return next
  const sameVersion = next.version === standing.version
  if (order === "newest") return sameVersion ? { ...next, conflict: true } : next
  if (order === "conflict") return { ...standing, conflict: true }
  if (order === "older" || BigInt(next.version) <= BigInt(standing.version)) return standing
  const { conflict: _, ...rest } = standing
  return { ...rest, version: next.version }
}
