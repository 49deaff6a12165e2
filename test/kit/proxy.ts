import { connect, createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"

/** A way to a server that loses connections when told to. */
export interface Proxy {
  /** The server's url with the proxy's address. */
  readonly url: string
  /** How often a client sent something after an answer, so waited for one. */
  readonly roundTrips: number
  /** Cuts the next connection that sends these bytes: before they reach the server (question), or once it has answered them. */
  cutAt(text: string, what: "question" | "answer"): void
  /** Cuts all connections, and takes none as long as it is on. */
  refuse(on: boolean): void
  /** Keeps connections open and passes nothing on as long as it is on; what was sent meanwhile is passed on afterwards. */
  freeze(on: boolean): void
  close(): Promise<void>
}

/** Opens a TCP proxy before the server of a url. */
export async function openProxy(url: string): Promise<Proxy> {
  const target = new URL(url)
  const pairs = new Set<readonly [Socket, Socket]>()
  let cut: { readonly text: string; readonly what: "question" | "answer" } | undefined
  let refusing = false
  let frozen = false
  let roundTrips = 0
  const server = createServer((client) => {
    if (refusing) return client.destroy()
    const upstream = connect(Number(target.port), target.hostname)
    const pair = [client, upstream] as const
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      for (const each of pair) each.destroy()
    }
    for (const each of pair) each.on("error", end)
    // What was on its way when one side closed still arrives at the other.
    const close = (other: Socket) => () => {
      pairs.delete(pair)
      other.destroySoon()
    }
    client.on("close", close(upstream))
    upstream.on("close", close(client))
    let losing = false
    let answered = true
    client.on("data", (chunk) => {
      if (answered) roundTrips++
      answered = false
      if (cut !== undefined && chunk.includes(cut.text)) {
        const { what } = cut
        cut = undefined
        if (what === "question") return end()
        losing = true
      }
      upstream.write(chunk)
    })
    upstream.on("data", (chunk) => {
      answered = true
      if (losing) end()
      else client.write(chunk)
    })
    if (frozen) for (const each of pair) each.pause()
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const own = new URL(url)
  own.hostname = "127.0.0.1"
  own.port = String((server.address() as AddressInfo).port)
  const cutAll = () => {
    for (const pair of pairs) for (const each of pair) each.destroy()
  }
  return {
    url: own.href,
    get roundTrips() {
      return roundTrips
    },
    cutAt: (text, what) => {
      cut = { text, what }
    },
    refuse(on) {
      refusing = on
      if (on) cutAll()
    },
    freeze(on) {
      frozen = on
      for (const pair of pairs)
        for (const each of pair)
          if (on) each.pause()
          else each.resume()
    },
    close() {
      cutAll()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
