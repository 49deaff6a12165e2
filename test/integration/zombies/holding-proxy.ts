import { connect, createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"
import { deferred } from "../../../core/deferred.ts"
import type { Protocol } from "./protocols.ts"

/** A request that a proxy keeps back. */
export interface Held {
  /** Resolves, to what the request is, once it is kept back; what follows it on its connection waits behind it. */
  readonly reached: Promise<string>
  /** Lets it go on to the server. */
  release(): void
}

interface Hold {
  readonly wanted: (request: string) => boolean
  readonly reached: (request: string) => void
  readonly released: Promise<void>
}

/** A way to a server on which a test keeps back one request: the moment at which it stops the process that sent it. */
export class HoldingProxy {
  readonly port: number
  readonly #close: () => Promise<void>
  #hold: Hold | undefined

  private constructor(port: number, close: () => Promise<void>) {
    this.port = port
    this.#close = close
  }

  static async open(target: { readonly hostname: string; readonly port: number }, protocol: Protocol) {
    const sockets = new Set<Socket>()
    let proxy: HoldingProxy | undefined
    const server = createServer((client) => {
      const upstream = connect(target.port, target.hostname)
      for (const each of [client, upstream]) {
        sockets.add(each)
        each.setNoDelay(true)
        each
          .on("error", () => {})
          .on("close", () => {
            sockets.delete(each)
            client.destroy()
            upstream.destroy()
          })
      }
      const { requests, answers } = protocol({ server: target.port, proxy: proxy!.port })
      let order: Promise<void> = Promise.resolve()
      client.on("data", (chunk) => {
        for (const { bytes, request } of requests(chunk))
          order = order.then(async () => {
            if (request !== undefined) await proxy!.#pass(request)
            upstream.write(bytes)
          })
      })
      upstream.on("data", (chunk) => answers(chunk).forEach((bytes) => client.write(bytes)))
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    proxy = new HoldingProxy((server.address() as AddressInfo).port, () => {
      for (const each of sockets) each.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    })
    return proxy
  }

  /** Keeps back the next request that is wanted. */
  hold(wanted: (request: string) => boolean): Held {
    const reached = deferred<string>()
    const released = deferred<void>()
    this.#hold = { wanted, reached: reached.resolve, released: released.promise }
    return { reached: reached.promise, release: () => released.resolve() }
  }

  close(): Promise<void> {
    return this.#close()
  }

  async #pass(request: string): Promise<void> {
    const hold = this.#hold
    if (hold?.wanted(request) !== true) return
    this.#hold = undefined
    hold.reached(request)
    await hold.released
  }
}
