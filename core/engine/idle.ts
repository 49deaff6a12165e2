/** Lets others wait until a task has nothing more to do. A waiter is answered only by a pass that began after it asked, so
 * asking the stages in topological order finds the end of a pipeline. */
export class IdleGate {
  #waiters: (() => void)[] = []

  /** Resolves when the task was seen idle from now on, or is gone. */
  wait(): Promise<void> {
    return new Promise((resolve) => void this.#waiters.push(resolve))
  }

  /** Those who wait as a pass begins. */
  begin(): readonly (() => void)[] {
    return [...this.#waiters]
  }

  /** The pass found nothing to do. */
  idle(waiters: readonly (() => void)[]): void {
    this.#waiters = this.#waiters.filter((waiter) => !waiters.includes(waiter))
    for (const resolve of waiters) resolve()
  }

  /** The task is gone: nobody waits for it. */
  close(): void {
    this.idle(this.begin())
  }
}
