import { retryable, systemic } from "../../core/errors.ts"
import type { SimProcess, World } from "./world.ts"

/** The server ends a transaction of which it hears nothing for so long, ms. */
export const silentMs = 9000
/** Nobody waits longer for a lock, ms. */
const lockMs = 5000

const ended = () => retryable("unreachable", "the server ended the session")

/** A connection in a transaction: it ends by its own word, by its process's death, or when the server ends it. */
export class Session {
  readonly process: SimProcess
  alive = true
  readonly #world: World
  readonly #undo: (() => void)[] = []
  readonly #died = () => this.end()
  readonly #silent = () => {
    const { process } = this
    const { stops } = process
    this.#world.alarm(undefined, this.#world.now + silentMs, () => {
      if (!this.alive || process.state !== "stopped" || process.stops !== stops) return
      this.#world.hit("session ended by the server")
      this.end()
    })
  }

  constructor(world: World, process: SimProcess) {
    this.#world = world
    this.process = process
    process.onDeath.add(this.#died)
    process.onStop.add(this.#silent)
  }
  holds(release: () => void): void {
    this.#undo.push(release)
  }
  end(): void {
    if (!this.alive) return
    this.alive = false
    this.process.onDeath.delete(this.#died)
    this.process.onStop.delete(this.#silent)
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
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  /** Waits for a lock; rejects with `deadlock` where waiting would never end, and with `lock-timeout` where it takes too long. */
  async lock(session: Session, key: string): Promise<void> {
    if (!session.alive) throw ended()
    const lock = this.#locks.get(key)
    if (lock === undefined) {
      this.#locks.set(key, { holder: session, queue: [] })
      session.holds(() => this.#release(key))
      return
    }
    if (lock.holder === session) return
    if (this.#waitsFor(lock.holder, session)) {
      this.#world.hit("deadlock")
      throw retryable("deadlock", "two steps wait for each other")
    }
    let cancel = () => {}
    await new Promise<void>((resume, reject) => {
      const waiter = { session, resume }
      lock.queue.push(waiter)
      session.holds(() => reject(ended()))
      cancel = this.#world.alarm(undefined, this.#world.now + lockMs, () => {
        lock.queue.splice(lock.queue.indexOf(waiter), 1)
        this.#world.hit("lock timeout")
        reject(systemic("lock-timeout", "another step holds the lock for too long"))
      })
    }).finally(() => cancel())
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
