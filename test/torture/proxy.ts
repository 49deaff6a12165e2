import { connect, createServer } from "node:net"
import type { Server, Socket } from "node:net"
import type { Gate, PointName } from "./points.ts"
import { ownPort } from "./ports.ts"

/** A part of a stream that is passed on whole. */
export interface Piece {
  readonly bytes: Buffer
  /** Of a request: the commit point that it is. */
  readonly point?: PointName
  /** Of a request: what its answer will carry; of an answer: what it carries. */
  readonly token?: string | number
  /** Of a request: where a request of its protocol begins. */
  readonly first?: boolean
}

/** Understands just enough of one connection's protocol. */
export interface Tap {
  client(chunk: Buffer): readonly Piece[]
  server(chunk: Buffer): readonly Piece[]
}

/** What a proxy does to the connections of one process to one server. */
export class Line {
  readonly process: number
  readonly #gate: Gate
  readonly #tap: () => Tap
  readonly #links = new Set<Link>()
  #server: Server | undefined
  #target: number
  #refusing = false
  /** Delay of each piece of a request, ms. */
  slowMs = 0
  /** What is answered instead of asking the server. */
  failing: string | undefined

  constructor(process: number, gate: Gate, tap: () => Tap) {
    this.process = process
    this.#gate = gate
    this.#tap = tap
    this.#target = 0
  }

  get gate(): Gate {
    return this.#gate
  }

  /** @returns its port */
  async open(): Promise<number> {
    const port = await ownPort()
    const server = createServer({ noDelay: true }, (client) => this.#accept(client))
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve))
    this.#server = server
    return port
  }

  set target(port: number) {
    this.#target = port
  }

  #accept(client: Socket): void {
    if (this.#refusing || this.#target === 0) {
      client.on("error", () => {})
      client.destroy()
      return
    }
    const link = new Link(this, client, connect({ port: this.#target, host: "127.0.0.1", noDelay: true }), this.#tap())
    this.#links.add(link)
    link.onEnd = () => void this.#links.delete(link)
  }

  /** Cuts all connections. */
  cut(): void {
    for (const link of this.#links) link.end()
  }

  /** Cuts all connections, and takes none as long as it is on. */
  refuse(on: boolean): void {
    this.#refusing = on
    if (on) this.cut()
  }

  /** Neither side hears of the other again on the connections that there are, or that it is gone. */
  lose(): void {
    for (const link of this.#links) link.lost = true
  }

  /** Ends the connections that were lost. */
  sweep(): void {
    for (const link of this.#links) if (link.lost) link.end()
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise<void>((resolve) => (this.#server === undefined ? resolve() : this.#server.close(() => resolve())))
  }
}

/** One connection. */
class Link {
  readonly #line: Line
  readonly #client: Socket
  readonly #upstream: Socket
  /** Pieces that wait behind one that is held back. */
  #held: Piece[] | undefined
  #waiting: { readonly token: string | number | undefined; readonly hit: (piece: Piece) => void } | undefined
  #losing = false
  #ended = false
  lost = false
  onEnd: () => void = () => {}

  constructor(line: Line, client: Socket, upstream: Socket, tap: Tap) {
    this.#line = line
    this.#client = client
    this.#upstream = upstream
    for (const each of [client, upstream]) {
      each
        .on("error", () => {})
        .on("close", () => {
          if (!this.lost) this.#close()
        })
    }
    client.on("data", (chunk) => {
      if (this.lost) return
      for (const piece of tap.client(chunk)) this.#fromClient(piece)
    })
    upstream.on("data", (chunk) => {
      if (this.lost || this.#losing) return
      for (const piece of tap.server(chunk)) this.#fromServer(piece)
    })
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#client.destroy()
    this.#upstream.destroy()
    this.onEnd()
  }

  /** As one side ended: what the other was sent still arrives. */
  #close(): void {
    if (this.#ended) return
    this.#ended = true
    this.#client.destroySoon()
    this.#upstream.destroySoon()
    this.onEnd()
  }

  #fromClient(piece: Piece): void {
    if (this.#held !== undefined) return void this.#held.push(piece)
    const { failing, gate, process } = this.#line
    if (failing !== undefined && piece.first === true) {
      this.#client.end(failing)
      this.#losing = true
      return
    }
    const trap = piece.point === undefined ? undefined : gate.meet(process, piece.point)
    if (trap === undefined) return this.#pass(piece)
    const caught = { process, release: () => this.#release() }
    switch (trap.point.moment) {
      case "before":
        this.#held = [piece]
        trap.act(process)
        return trap.caught(caught)
      case "lost":
        this.#waiting = {
          token: piece.token,
          hit: () => {
            this.#losing = true
            trap.act(process)
            trap.caught(caught)
          },
        }
        return this.#pass(piece)
      case "after":
        this.#waiting = {
          token: piece.token,
          hit: ({ bytes }) =>
            void this.#client.write(bytes, () => {
              trap.act(process)
              trap.caught(caught)
            }),
        }
        return this.#pass(piece)
    }
  }

  #pass({ bytes }: Piece): void {
    const { slowMs } = this.#line
    if (slowMs === 0) this.#upstream.write(bytes)
    else setTimeout(() => this.#upstream.write(bytes), slowMs)
  }

  #release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const piece of held) this.#pass(piece)
  }

  #fromServer(piece: Piece): void {
    if (this.#losing) return
    const waiting = this.#waiting
    if (waiting !== undefined && piece.token === waiting.token) {
      this.#waiting = undefined
      return waiting.hit(piece)
    }
    this.#client.write(piece.bytes)
  }
}
