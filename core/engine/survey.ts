import type { ReviewCount } from "../ports/reviews.ts"
import type { TaskState } from "../ports/store.ts"
import type { Runtime } from "./runtime.ts"

/** What the ports are asked when somebody looks at the metrics. */
export interface Seen {
  /** Of the topics that this process reads: the end of each partition. */
  readonly heads: ReadonlyMap<string, readonly bigint[]>
  /** Of the stateful stages. */
  readonly tasks: readonly TaskState[]
  /** Of the stages that hold something for a person. */
  readonly reviews: readonly ReviewCount[]
}

const freshMs = 5000
/** Counting timers reads all of them. */
const tasksFreshMs = 10_000
const patienceMs = 2000

/** Asks the ports at most every few seconds, however often somebody looks, and waits for none that does not answer: what was seen
 * last stands then. */
export class Survey {
  readonly #runtime: Runtime
  #heads = new Map<string, readonly bigint[]>()
  #tasks: readonly TaskState[] = []
  #reviews: readonly ReviewCount[] = []
  #lookedAt = Number.NEGATIVE_INFINITY
  #tasksAt = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  async look(): Promise<Seen> {
    if (this.#runtime.elapsed() - this.#lookedAt > freshMs)
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined
      })
    if (this.#looking !== undefined) {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, patienceMs)
      })
      await Promise.race([this.#looking, late])
      clearTimeout(timer)
    }
    return { heads: this.#heads, tasks: this.#tasks, reviews: this.#reviews }
  }

  async #look(): Promise<void> {
    const { log, counters, elapsed } = this.#runtime
    const topics = new Set(
      [...counters.all.values()].flatMap(({ partitions }) =>
        [...partitions.values()].flatMap(({ inputs }) => [...inputs.keys()]),
      ),
    )
    const heads = [...topics].map(async (topic) => {
      const bounds = await log.bounds(topic)
      this.#heads.set(
        topic,
        bounds.map(({ end }) => end),
      )
    })
    await Promise.allSettled([...heads, this.#lookAtTasks()])
    this.#lookedAt = elapsed()
  }

  async #lookAtTasks(): Promise<void> {
    const { store, pipeline, elapsed } = this.#runtime
    if (elapsed() - this.#tasksAt >= tasksFreshMs) this.#reviews = (await store.reviews?.counts(pipeline.name)) ?? []
    if (store.tasks === undefined || elapsed() - this.#tasksAt < tasksFreshMs) return
    this.#tasks = await store.tasks(pipeline.name)
    this.#tasksAt = elapsed()
  }
}

/** How many offsets an input is behind: markers, and what compaction removed, count too.
 * @param head as of the reader's last read */
export function lagOf(
  { heads }: Pick<Seen, "heads">,
  topic: string,
  partition: number,
  { next, head }: { readonly next: bigint; readonly head: bigint },
): number {
  const seen = heads.get(topic)?.[partition] ?? 0n
  const end = seen > head ? seen : head
  return end > next ? Number(end - next) : 0
}
