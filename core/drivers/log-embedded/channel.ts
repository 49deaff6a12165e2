import type { Socket } from "node:net"

/** Messages over a socket: the length of a JSON head and of a payload, then both. */
export class Channel {
  readonly #socket: Socket
  readonly #pieces: Buffer[] = []
  #held = 0
  /** Bytes that the next part of a message needs. */
  #needed = 8
  #head: { readonly length: number; readonly payload: number } | undefined

  constructor(socket: Socket, onMessage: (head: unknown, payload: Buffer) => void, onClose: () => void) {
    this.#socket = socket
    socket.on("data", (piece: Buffer) => {
      this.#pieces.push(piece)
      this.#held += piece.length
      while (this.#held >= this.#needed) this.#take(onMessage)
    })
    socket.on("error", () => socket.destroy())
    socket.on("close", onClose)
  }

  get isOpen(): boolean {
    return this.#socket.writable
  }

  send(head: unknown, payload: readonly Buffer[] = []): void {
    const text = Buffer.from(JSON.stringify(head))
    const lengths = Buffer.alloc(8)
    lengths.writeUInt32LE(text.length, 0)
    lengths.writeUInt32LE(
      payload.reduce((sum, { length }) => sum + length, 0),
      4,
    )
    this.#socket.cork()
    for (const piece of [lengths, text, ...payload]) this.#socket.write(piece)
    this.#socket.uncork()
  }

  /** Closes once everything is sent and the other side has closed too. */
  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #take(onMessage: (head: unknown, payload: Buffer) => void): void {
    const bytes = this.#bytes(this.#needed)
    if (this.#head === undefined) {
      this.#head = { length: bytes.readUInt32LE(0), payload: bytes.readUInt32LE(4) }
      this.#needed = this.#head.length + this.#head.payload
      return
    }
    const { length } = this.#head
    this.#head = undefined
    this.#needed = 8
    onMessage(JSON.parse(bytes.toString("utf8", 0, length)), bytes.subarray(length))
  }

  #bytes(length: number): Buffer {
    const all = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces)
    this.#pieces.length = 0
    if (all.length > length) this.#pieces.push(all.subarray(length))
    this.#held = all.length - length
    return all.subarray(0, length)
  }
}
