import type { GroupSpec } from "../../core/ports/log.ts"
import type { SimProcess, World } from "./world.ts"

/** A member as its coordinator has it, and what the member itself knows of that. */
export interface GroupMember {
  readonly process: SimProcess
  readonly spec: GroupSpec
  assigned: readonly number[]
  generation: number
  known: readonly number[]
  knownGeneration: number
  beat: number
  /** It said good-bye: it does not come back. */
  left: boolean
  /** Reads that wait, to be told of a loss. */
  readonly reading: Set<() => void>
}
interface Group {
  generation: number
  members: GroupMember[]
}

/** The coordinator of consumer groups. A member that stands still for a session is out, and does not know. */
export class SimGroups {
  readonly world: World
  readonly sessionMs: number
  readonly #groups = new Map<string, Group>()
  readonly #beating = new Map<SimProcess, Set<GroupMember>>()

  constructor(world: World, sessionMs: number) {
    this.world = world
    this.sessionMs = sessionMs
  }

  /** How many members a group has. */
  size(group: string): number {
    return this.#groups.get(group)?.members.length ?? 0
  }

  join(process: SimProcess, spec: GroupSpec): GroupMember {
    const member: GroupMember = {
      process,
      spec,
      assigned: [],
      generation: 0,
      known: [],
      knownGeneration: 0,
      beat: this.world.now,
      left: false,
      reading: new Set(),
    }
    const group = this.#group(spec.group)
    group.members.push(member)
    process.onDeath.add(
      () => void this.world.alarm(undefined, this.world.now + this.sessionMs, () => this.#out(member)),
    )
    this.#watch(process).add(member)
    this.#rebalance(group)
    return member
  }

  leave(member: GroupMember): void {
    member.left = true
    member.known = []
    this.#beating.get(member.process)?.delete(member)
    this.#out(member)
  }

  /** True when the partition is the member's, as the coordinator has it and the member knows. */
  holds(member: GroupMember, partition: number): boolean {
    return (
      this.#group(member.spec.group).members.includes(member) &&
      member.knownGeneration === member.generation &&
      member.assigned.includes(partition)
    )
  }

  /** A heartbeat that was answered: the member learns what it has; one that is out joins again. */
  beat(member: GroupMember): void {
    if (member.left) return
    const group = this.#group(member.spec.group)
    member.beat = this.world.now
    if (!group.members.includes(member)) {
      group.members.push(member)
      this.#rebalance(group)
    }
    if (member.knownGeneration === member.generation) return
    if (member.known.some((partition) => !member.assigned.includes(partition)))
      this.world.hit("rebalance took partitions")
    else this.world.hit("rebalance")
    member.known = member.assigned
    member.knownGeneration = member.generation
    member.spec.onAssigned(member.assigned)
  }

  #group(name: string): Group {
    let group = this.#groups.get(name)
    if (group === undefined) this.#groups.set(name, (group = { generation: 0, members: [] }))
    return group
  }

  #out(member: GroupMember): void {
    const group = this.#group(member.spec.group)
    if (!group.members.includes(member)) return
    group.members = group.members.filter((each) => each !== member)
    member.assigned = []
    member.generation = 0
    this.#rebalance(group)
  }

  /** Heartbeats of a process, for all that it has joined. */
  #watch(process: SimProcess): Set<GroupMember> {
    const known = this.#beating.get(process)
    if (known !== undefined) return known
    const members = new Set<GroupMember>()
    this.#beating.set(process, members)
    const turn = () => {
      if (process.state === "dead") return
      for (const member of members)
        if (process.state === "running") this.beat(member)
        else if (this.world.now - member.beat > this.sessionMs) this.#out(member)
      this.world.alarm(undefined, this.world.now + this.sessionMs / 3, turn)
    }
    this.world.alarm(undefined, this.world.now + this.sessionMs / 3, turn)
    return members
  }

  #rebalance(group: Group): void {
    group.generation++
    const { members } = group
    for (const [member, assigned] of sticky(members)) {
      const moved =
        assigned.length !== member.assigned.length || assigned.some((each) => !member.assigned.includes(each))
      // Who keeps what it has may be told so again, as a new assignment.
      if (!moved && member.generation !== 0 && this.world.dice.chance(0.7)) continue
      member.assigned = assigned
      member.generation = group.generation
      for (const tell of member.reading) tell()
      // Each hears of it with its next heartbeat: at once, or later.
      this.world.alarm(undefined, this.world.now + this.world.dice.below(50), () => {
        if (member.process.state === "running" && group.members.includes(member)) this.beat(member)
      })
    }
  }
}

/** Partitions stay where they are as far as the shares are even. */
function sticky(members: readonly GroupMember[]): Map<GroupMember, readonly number[]> {
  const partitions = members[0]?.spec.partitions ?? 0
  const shares = new Map(
    members.map((member, at) => [
      member,
      Math.floor(partitions / members.length) + (at < partitions % members.length ? 1 : 0),
    ]),
  )
  const kept = new Map(members.map((member) => [member, member.assigned.slice(0, shares.get(member))]))
  const taken = new Set([...kept.values()].flat())
  const free = Array.from({ length: partitions }, (_, at) => at).filter((each) => !taken.has(each))
  for (const member of members) {
    const own = kept.get(member)!
    kept.set(
      member,
      [...own, ...free.splice(0, shares.get(member)! - own.length)].sort((a, b) => a - b),
    )
  }
  return kept
}
