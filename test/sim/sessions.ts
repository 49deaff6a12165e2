import { retryable } from "../../core/errors.ts"
import type { SimProcess } from "./world.ts"

/** A connection in a transaction: it ends by its own word, by its process's death, or when the server ends it. */
export class Session {
  readonly process: SimProcess
  alive = true
  readonly #undo: (() => void)[] = []
  readonly #died = () => this.end()

  constructor(process: SimProcess) {
    this.process = process
    process.onDeath.add(this.#died)
  }
  holds(release: () => void): void {
    this.#undo.push(release)
  }
  end(): void {
    if (!this.alive) return
    this.alive = false
    this.process.onDeath.delete(this.#died)
    for (const each of this.#undo.splice(0)) each()
  }
}

interface Lock {
  holder: Session
  readonly queue: { readonly session: Session; readonly resume: () => void }[]
}

/** Locks of a database, held to the end of a session. */
export class Locks {
  readonly #locks = new Map<string, Lock>()

  /** Waits for a lock; rejects with `deadlock` where waiting would never end. */
  async lock(session: Session, key: string): Promise<void> {
    const lock = this.#locks.get(key)
    if (lock === undefined) {
      this.#locks.set(key, { holder: session, queue: [] })
      session.holds(() => this.#release(key))
      return
    }
    if (lock.holder === session) return
    if (this.#waitsFor(lock.holder, session)) throw retryable("deadlock", "two steps wait for each other")
    await new Promise<void>((resume, reject) => {
      lock.queue.push({ session, resume })
      session.holds(() => reject(retryable("unreachable", "the server ended the session")))
    })
  }

  #waitsFor(holder: Session, session: Session): boolean {
    for (const { holder: next, queue } of this.#locks.values())
      if (queue.some((waiter) => waiter.session === holder))
        if (next === session || this.#waitsFor(next, session)) return true
    return false
  }

  #release(key: string): void {
    const lock = this.#locks.get(key)!
    let next = lock.queue.shift()
    while (next !== undefined && !next.session.alive) next = lock.queue.shift()
    if (next === undefined) {
      this.#locks.delete(key)
      return
    }
    lock.holder = next.session
    next.session.holds(() => this.#release(key))
    next.resume()
  }
}
