import { AssignerProtocol } from "kafkajs"

/** What a member tells the group's leader about itself. */
export interface MemberClaim {
  readonly memberId: string
  readonly topics: readonly string[]
  /** The partitions that it had, and the generation in which it had them. */
  readonly had: readonly number[]
  readonly generation: number
}

/** Name of the assignment in the group protocol; members of other names cannot join the same group. */
export const PROTOCOL = "weir-copartitioned"

/** Gives partition p of every topic to one member: as evenly as can be, and where it was if that is even. */
export function assign(members: readonly MemberClaim[], partitions: number): Map<string, number[]> {
  const sorted = members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1))
  const result = new Map(sorted.map(({ memberId }) => [memberId, [] as number[]]))
  const free = new Set(Array.from({ length: partitions }, (_, partition) => partition))
  const least = Math.floor(partitions / sorted.length)
  let larger = partitions % sorted.length
  // Of two that claim a partition, the one who had it in a later generation is right.
  for (const { memberId, had } of sorted.toSorted(
    (a, b) => b.generation - a.generation || b.had.length - a.had.length,
  )) {
    const own = result.get(memberId)!
    for (const partition of had) {
      const room = own.length < least || (own.length === least && larger > 0)
      if (!room || !free.delete(partition)) continue
      own.push(partition)
      if (own.length > least) larger--
    }
  }
  const emptiest = () => [...result.values()].reduce((a, b) => (b.length < a.length ? b : a))
  for (const partition of free) emptiest().push(partition)
  for (const own of result.values()) own.sort((a, b) => a - b)
  return result
}

/** A claim as bytes of the group protocol. */
export function encodeClaim({ topics, had, generation }: Omit<MemberClaim, "memberId">): Buffer {
  const userData = Buffer.from(JSON.stringify({ had, generation }))
  return AssignerProtocol.MemberMetadata.encode({ version: 1, topics: [...topics], userData })
}

/** Reads a claim; one without what this driver adds had nothing. */
export function decodeClaim(memberId: string, metadata: Buffer): MemberClaim {
  const decoded = AssignerProtocol.MemberMetadata.decode(metadata)
  const { had = [], generation = -1 } = JSON.parse(decoded?.userData.toString("utf8") || "{}") as Partial<MemberClaim>
  return { memberId, topics: decoded?.topics ?? [], had, generation }
}

/** An assignment as bytes of the group protocol. */
export function encodeAssignment(topics: readonly string[], partitions: readonly number[]): Buffer {
  const assignment = Object.fromEntries(topics.map((topic) => [topic, [...partitions]]))
  return AssignerProtocol.MemberAssignment.encode({ version: 1, assignment, userData: Buffer.alloc(0) })
}

/** The partitions of an assignment: the same of every topic. */
export function decodeAssignment(assignment: Buffer): number[] {
  if (assignment.length === 0) return []
  const topics = AssignerProtocol.MemberAssignment.decode(assignment)?.assignment ?? {}
  return [...new Set(Object.values(topics).flat())].sort((a, b) => a - b)
}
