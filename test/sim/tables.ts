import { retryable } from "../../core/errors.ts"
import type { Span } from "../../core/plugin.ts"
import type { SimProcess, World } from "./world.ts"

interface Position {
  epoch: bigint
  next: bigint | undefined
}
interface Row {
  readonly key: string
  readonly id: string
  readonly version: bigint
}

/** What a sink that only inserts was told, with positions beside the rows: a database of its own. */
export class SimTable {
  readonly world: World
  readonly rows: Row[] = []
  readonly noFencing: boolean
  readonly #positions = new Map<string, Position>()
  constructor(world: World, noFencing = false) {
    this.world = world
    this.noFencing = noFencing
  }

  claim(topic: string, partition: number): { readonly epoch: bigint; readonly next: bigint | undefined } {
    const place = `${topic}[${partition}]`
    const was = this.#positions.get(place)
    const position = { epoch: (was?.epoch ?? 0n) + 1n, next: was?.next }
    this.#positions.set(place, position)
    return { ...position }
  }

  check(at: Span, process: SimProcess): void {
    if (this.#of(at).epoch === at.epoch || this.noFencing) return
    if (process.zombie) this.world.hit("zombie fenced: sink")
    throw retryable("fenced", "another owner claimed")
  }

  move(at: Span): void {
    this.#of(at).next = at.next
  }

  #of({ topic, partition }: Span): Position {
    return this.#positions.get(`${topic}[${partition}]`)!
  }
}

/** What a sink wrote that writes over older versions only. */
export class SimMap {
  readonly rows = new Map<string, { readonly version: bigint; readonly op: "upsert" | "retract" }>()
  /** Every version of every row that came. */
  readonly seen = new Set<string>()

  write(key: string, id: string, version: bigint, op: "upsert" | "retract"): void {
    const slot = `${key}/${id}`
    this.seen.add(`${slot}@${version}`)
    const known = this.rows.get(slot)
    if (known === undefined || known.version < version) this.rows.set(slot, { version, op })
  }
}
