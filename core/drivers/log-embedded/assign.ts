/** What a member had before. */
export interface Claim {
  readonly member: string
  readonly had: readonly number[]
  /** The generation in which it had them. */
  readonly generation: number
}

/** Gives each partition to one member: as evenly as can be, and where it was if that is even. */
export function assign(claims: readonly Claim[], partitions: number): Map<string, number[]> {
  const members = claims.toSorted((a, b) => (a.member < b.member ? -1 : 1))
  const shares = new Map(members.map(({ member }) => [member, [] as number[]]))
  const free = new Set(Array.from({ length: partitions }, (_, partition) => partition))
  const even = Math.floor(partitions / members.length)
  let extra = partitions % members.length
  // Of two who claim a partition, the later generation is right.
  for (const { member, had } of members.toSorted(
    (a, b) => b.generation - a.generation || b.had.length - a.had.length,
  )) {
    const share = shares.get(member)!
    for (const partition of had) {
      if (!free.has(partition) || share.length > even || (share.length === even && extra === 0)) continue
      if (share.length === even) extra--
      free.delete(partition)
      share.push(partition)
    }
  }
  for (const partition of free) {
    const [smallest] = [...shares.values()].sort((a, b) => a.length - b.length)
    smallest!.push(partition)
  }
  for (const share of shares.values()) share.sort((a, b) => a - b)
  return shares
}
