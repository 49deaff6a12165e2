import { setTimeout as sleep } from "node:timers/promises"
import { noOrigin } from "../../../core/codec.ts"
import { partitionOf } from "../../../core/partition.ts"
import type { Log } from "../../../core/ports/log.ts"
import type { Scene } from "./scene.ts"

/** When something of a partition came, ms on the monotonic clock, by partition. */
type Times = Map<number, number[]>

/** An event in each partition of a topic, twenty times a second, and when what became of them was committed. */
export class SteadyFlow {
  readonly #scene: Scene
  readonly #partitions: number
  readonly #stop = new AbortController()
  readonly #times = new Map<string, Times>()
  #running: Promise<unknown> = Promise.resolve()
  /** Events sent. */
  sent = 0

  constructor(scene: Scene, partitions: number) {
    this.#scene = scene
    this.#partitions = partitions
  }

  /** @param outputs topics that are watched */
  start(outputs: readonly string[]): void {
    this.#running = Promise.all([this.#send(), ...outputs.map((name) => this.#watch(name))])
    this.#running.catch(() => {})
  }

  async end(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  /** The longest time without a commit in a partition of a topic that began in [from, to], ms. */
  longestGap(output: string, from: number, to: number): number {
    let longest = 0
    for (const times of this.#times.get(output)!.values())
      for (const [at, time] of times.entries()) {
        const before = times[at - 1]
        if (before !== undefined && time > from && before < to) longest = Math.max(longest, time - before)
      }
    return longest
  }

  /** Whether something came in each partition of a topic since then. */
  cameSince(output: string, time: number): boolean {
    return [...this.#times.get(output)!.values()].every((times) => (times.at(-1) ?? 0) > time)
  }

  async #send(): Promise<void> {
    const topic = this.#scene.topic("events")
    const codec = await this.#scene.codec("events")
    const keys = this.#keys()
    const writer = await this.#scene.log.writer(`${topic}.feeder`)
    while (!this.#stop.signal.aborted) {
      const messages = keys.map((key) => {
        const number = ++this.sent
        const value = { name: `e${number}`, number }
        return codec.encode({ key, id: `e${number}`, op: "upsert", version: 1n, value, time: 0 }, noOrigin)
      })
      const encoded = await Promise.all(messages)
      await writer.transact(encoded.map((message, partition) => ({ topic, partition, messages: [message] })))
      await sleep(50)
    }
    await writer.close()
  }

  /** A key for each partition. */
  #keys(): string[] {
    const keys: string[] = []
    for (let number = 0; keys.filter((key) => key !== undefined).length < this.#partitions; number++)
      keys[partitionOf(`k${number}`, this.#partitions)] ??= `k${number}`
    return keys
  }

  async #watch(output: string): Promise<void> {
    const times: Times = new Map()
    this.#times.set(output, times)
    const log: Log = this.#scene.log
    const topic = this.#scene.topic(output)
    const bounds = await log.bounds(topic)
    await Promise.all(
      bounds.map(async ({ end }, partition) => {
        const came: number[] = []
        times.set(partition, came)
        const reader = await log.reader(topic, partition, end)
        while (!this.#stop.signal.aborted) {
          const { messages } = await reader.read({ maxBytes: 1 << 20, maxMessages: 1000, waitMs: 100 })
          if (messages.length > 0) came.push(performance.now())
        }
        await reader.close()
      }),
    )
  }
}
