import { connect } from "node:net"
import type { Socket } from "node:net"
import { createInterface } from "node:readline"
import type { Dice } from "../sim/dice.ts"
import { nextEvents } from "./events.ts"
import type { Ledger } from "./ledger.ts"

/** Makes a few events at a steady rate: left ones into a file, right ones by TCP to one of the processes. */
export class Traffic {
  readonly #ledger: Ledger
  readonly #ports: readonly number[]
  readonly #sockets = new Map<number, Socket>()
  #timer: NodeJS.Timeout | undefined

  constructor(ledger: Ledger, ports: readonly number[]) {
    this.#ledger = ledger
    this.#ports = ports
  }

  /** @param everyMs between two batches of some events */
  start(dice: Dice, everyMs = 150): void {
    this.stop()
    this.#timer = setInterval(() => this.batch(dice, 1 + dice.below(5)), everyMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  batch(dice: Dice, count: number): void {
    const events = nextEvents(dice, this.#ledger.next, count)
    this.#ledger.write(events.filter(({ side }) => side === "left"))
    const right = events.filter(({ side }) => side === "right")
    if (right.length === 0) return
    const socket = this.#to(dice.pick(this.#ports))
    this.#ledger.sent(right)
    socket.write(`${JSON.stringify(right)}\n`)
  }

  /** A connection that is open, or being opened; what is sent over one that fails is in doubt. */
  #to(port: number): Socket {
    const known = this.#sockets.get(port)
    if (known !== undefined) return known
    const socket = connect(port, "127.0.0.1")
    this.#sockets.set(port, socket)
    const gone = () => {
      if (this.#sockets.get(port) === socket) this.#sockets.delete(port)
      socket.destroy()
    }
    socket.on("error", gone).on("close", gone)
    createInterface({ input: socket })
      .on("line", (line) => this.#ledger.acked(JSON.parse(line) as number[]))
      .on("error", () => {})
    return socket
  }

  close(): void {
    this.stop()
    for (const socket of this.#sockets.values()) socket.destroy()
  }
}
