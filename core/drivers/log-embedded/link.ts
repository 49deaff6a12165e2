import type { Server } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { classify, retryable, type WeirError } from "../../errors.ts"
import { Broker, type BrokerOptions } from "./broker.ts"
import { closeServer, meet, ShortPath } from "./claim.ts"
import { unknownOutcome } from "./errors.ts"
import { type Owner, ownerOf } from "./owner.ts"
import { RemoteOwner, serve, type Served } from "./remote.ts"

/** ms for which a call looks for an owner that answers. */
const PATIENCE = 15_000
/** ms for which a new owner waits for the members of the one before. */
const SETTLE = 400

/** ms that a process which hears that the owner closes has for hanging up. */
const FAREWELL = 1000

interface Held {
  readonly owner: Owner
  close(): Promise<void>
}

/** The way to the log's owner, whoever that is: this process when nobody else is, another one over its socket, and the next
 * when that one is gone. */
export class Link {
  readonly #options: BrokerOptions
  readonly #path: ShortPath
  #held: Promise<Held> | undefined
  #wasServed = false
  #closed = false

  private constructor(options: BrokerOptions, path: ShortPath) {
    this.#options = options
    this.#path = path
  }

  static async open(options: BrokerOptions): Promise<Link> {
    const link = new Link(options, await ShortPath.to(options.folder))
    try {
      await link.#get()
      return link
    } catch (error) {
      await link.close()
      throw error
    }
  }

  /** Calls the owner, and again when it went away. `once`: what may have been done already is not done again but rejects with
   * `unknown-outcome`. Rejects with `unreachable` (retryable) when no owner is found. */
  async use<T>(call: (owner: Owner) => Promise<T>, once = false): Promise<T> {
    for (const end = performance.now() + PATIENCE; ;) {
      const held = this.#get()
      try {
        const { owner } = await held
        return await call(owner)
      } catch (thrown) {
        const error = classify(thrown)
        if (error.code !== "owner-gone" && error.code !== "log-moved") throw error
        if (once && error.code === "owner-gone") throw unknownOutcome(error)
        if (this.#closed) throw closed()
        if (performance.now() > end)
          throw retryable("unreachable", "the log has no owner that answers", { cause: error })
        await this.#drop(held)
        await sleep(5)
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const held = await this.#held?.catch(() => undefined)
    await held?.close()
    await this.#path.close()
  }

  #get(): Promise<Held> {
    if (this.#closed) return Promise.reject(closed())
    if (this.#held !== undefined) return this.#held
    const held: Promise<Held> = this.#meet(() => this.#forget(held))
    this.#held = held
    held.catch(() => this.#forget(held))
    return held
  }

  #forget(held: Promise<Held>): void {
    if (this.#held === held) this.#held = undefined
  }

  async #drop(held: Promise<Held>): Promise<void> {
    if (this.#held !== held) return
    this.#forget(held)
    await (await held.catch(() => undefined))?.close()
  }

  async #meet(onGone: () => void): Promise<Held> {
    const met = await meet(this.#path.folder)
    if ("server" in met) return this.#own(met.server, met.waiting)
    this.#wasServed = true
    const owner = new RemoteOwner(met.socket, onGone)
    return { owner, close: async () => owner.close() }
  }

  async #own(server: Server, waiting: Parameters<typeof serve>[1][]): Promise<Held> {
    try {
      const broker = await Broker.open({ ...this.#options, settleMs: this.#wasServed ? SETTLE : 0 })
      const served = new Set<Served>()
      const accept = (socket: (typeof waiting)[number]) => {
        const each = serve(broker, socket)
        served.add(each)
        socket.once("close", () => served.delete(each))
        socket.resume()
      }
      server.removeAllListeners("connection")
      server.on("connection", accept)
      for (const socket of waiting.splice(0)) accept(socket)
      return { owner: ownerOf(broker, this), close: () => disown(broker, server, served) }
    } catch (error) {
      for (const socket of waiting) socket.destroy()
      await closeServer(server)
      throw error
    }
  }
}

/** Everything is on the disk before the socket stops listening, for then the next owner opens it. */
async function disown(broker: Broker, server: Server, served: ReadonlySet<Served>): Promise<void> {
  await broker.close()
  const closed = closeServer(server)
  await Promise.all([...served].map((each) => each.end()))
  const cut = setTimeout(() => [...served].map((each) => each.destroy()), FAREWELL)
  await closed
  clearTimeout(cut)
}

const closed = (): WeirError => retryable("log-closed", "the log was closed")
