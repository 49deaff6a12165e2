import type { Position, State } from "../../core/index.ts"
import { workKey } from "./dicom-rows.ts"

/** A study of a person. */
export interface StudyName {
  readonly key: string
  readonly uid: string
}

/** Numbers of the first study in the list and of the next to enter it. */
interface WorkCounts {
  readonly head: number
  readonly tail: number
}

const slot = (number: number): string => `q/${number}`

/** The studies of a task that are to be looked at, in the order in which they were put there: kept in state, so that a step does a
 * part of the work and the next one goes on. While it is not empty a quiet timer that is due drives it, and the end of input
 * waits for it. */
export class WorkList {
  readonly #state: State
  readonly #before: WorkCounts
  #head: number
  #tail: number

  private constructor(state: State, counts: WorkCounts) {
    this.#state = state
    this.#before = counts
    this.#head = counts.head
    this.#tail = counts.tail
  }

  static async open(state: State): Promise<WorkList> {
    const [counts] = await state.get<WorkCounts>([[workKey, ""]])
    return new WorkList(state, counts ?? { head: 0, tail: 0 })
  }

  push({ key, uid }: StudyName): void {
    this.#state.put([[workKey, slot(this.#tail++), { key, uid } satisfies StudyName]])
  }

  /** The first studies of the list, at most so many. */
  async first(most: number): Promise<readonly StudyName[]> {
    const numbers = Array.from({ length: Math.min(most, this.#tail - this.#head) }, (_, at) => this.#head + at)
    return (await this.#state.get<StudyName>(numbers.map((number) => [workKey, slot(number)]))).map((one) => one!)
  }

  /** Takes the first studies off the list. */
  remove(count: number): void {
    for (let left = count; left > 0; left--) this.#state.delete([[workKey, slot(this.#head++)]])
  }

  /** Keeps the list, and arms its timer while there is work left. */
  close(from: { readonly origin: Position }): void {
    const { head, tail } = this.#before
    if (this.#head !== head || this.#tail !== tail)
      this.#state.put([[workKey, "", { head: this.#head, tail: this.#tail } satisfies WorkCounts]])
    const timer = { key: workKey, name: "next", due: this.#state.now, clock: "quiet" } as const
    if (this.#head < this.#tail) this.#state.timer(timer, from)
    else if (head < tail) this.#state.cancel(timer.key, timer.name)
  }
}

/** The first of lists of lists, at most so many, and how many of the lists are among them as a whole. */
export function firstOf<T>(
  lists: readonly (readonly T[])[],
  atMost: number,
): { readonly todo: readonly T[]; whole: number } {
  const todo: T[] = []
  for (const [whole, list] of lists.entries()) {
    if (todo.length + list.length > atMost) return { todo: [...todo, ...list.slice(0, atMost - todo.length)], whole }
    todo.push(...list)
  }
  return { todo, whole: lists.length }
}
