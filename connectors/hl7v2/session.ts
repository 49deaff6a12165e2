import type { Socket } from "node:net"
import { badRecord } from "../../core/index.ts"
import type { Context, SourceRun, WeirError } from "../../core/index.ts"
import type { ZoneOffset } from "../../formats/fhir/time.ts"
import { Hl7Error, parseMessage } from "../../formats/hl7v2/index.ts"
import type { Message } from "../../formats/hl7v2/index.ts"
import { acknowledgement } from "./acknowledge.ts"
import type { Outcome } from "./acknowledge.ts"
import { arrivalOf, unreadable } from "./arrival.ts"
import { Frames, framed } from "./frames.ts"
import type { Frame } from "./frames.ts"
import type { outputs } from "./index.ts"

/** What is the same for all connections of a listener. */
export interface Listening {
  readonly context: Context
  readonly run: SourceRun<typeof outputs>
  readonly zone: ZoneOffset
  readonly mostBytes: number
  /** A control id that no other acknowledgement has. */
  readonly nextId: () => string
  /** How many messages are in hand, more or less. */
  readonly inHand: (change: 1 | -1) => void
}

/** Faults of a message's head: nothing in it can be relied on, so that it is rejected and not answered as faulty. */
const unread: ReadonlySet<string> = new Set(["not-hl7", "delimiters", "charset", "charset-lossy", "truncated"])

/** One connection: its messages one after another, each answered when it is durable. A connection that ends, or a process that stops,
 * before that leaves the message with its sender, who was told nothing. */
export class Session {
  readonly #socket: Socket
  readonly #its: Listening
  readonly #frames: Frames
  readonly #place: string
  #messages = 0

  /** @param place of the connection, for dead letters: a number, no address */
  constructor(socket: Socket, listening: Listening, place: string) {
    this.#socket = socket
    this.#its = listening
    this.#frames = new Frames(listening.mostBytes)
    this.#place = place
  }

  /** Resolves when the connection is over. */
  async serve(): Promise<void> {
    try {
      for await (const chunk of this.#socket as AsyncIterable<Buffer>)
        for (const frame of this.#frames.push(chunk)) if (!(await this.#take(frame))) return
      if (this.#frames.inside) this.#warn("mllp-truncated")
    } catch (error) {
      if (this.#its.run.signal.aborted || isOfSocket(error)) return
      throw error
    } finally {
      this.#socket.destroy()
    }
  }

  #warn(event: string): void {
    this.#its.context.count("mllp", event)
    this.#its.context.log.warn(event)
  }

  /** False when nothing more can be understood of the connection. */
  async #take(frame: Frame): Promise<boolean> {
    if (frame.kind === "truncated") {
      this.#warn("mllp-truncated")
      return true
    }
    this.#messages++
    this.#its.inHand(1)
    try {
      if (frame.kind === "message") await this.#message(frame.bytes)
      else
        await this.#refuse(
          badRecord(`mllp-${frame.kind}`, "what came is no block of MLLP that can be read"),
          "rejected",
        )
      return frame.kind === "message"
    } finally {
      this.#its.inHand(-1)
    }
  }

  async #message(bytes: Uint8Array): Promise<void> {
    const { run, context, zone } = this.#its
    let message: Message
    try {
      message = parseMessage(bytes)
    } catch (error) {
      if (!(error instanceof Hl7Error)) throw error
      return this.#refuse(unreadable(error), unread.has(error.code) ? "rejected" : "error", headOf(bytes))
    }
    if (/^ACK\b/.test(message.segments[0]!.fields[9] ?? "")) return run.drop("acknowledgement")
    const { name } = message.segments[0]!
    if (name !== "MSH")
      return this.#refuse(badRecord("hl7v2-batch", "a block holds one message, and no batch"), "rejected")
    await run.append("out", [arrivalOf(message, bytes, { source: context.name, zone, now: context.clock.now() })])
    await this.#answer(message, "accepted")
  }

  /** A dead letter first, then the answer: who is told of a fault finds it here as well. */
  async #refuse(error: WeirError, outcome: Outcome, head?: Message): Promise<void> {
    await this.#its.run.fail(`${this.#place}:${this.#messages}`, error)
    await this.#answer(head, outcome, error.code)
  }

  async #answer(message: Message | undefined, outcome: Outcome, reason?: string): Promise<void> {
    const now = this.#its.context.clock.now()
    const text = acknowledgement(message, outcome, {
      id: this.#its.nextId(),
      now,
      ...(reason === undefined ? {} : { reason }),
    })
    if (text === undefined || this.#socket.destroyed) return
    // Errors of writing are those of the connection; the message is durable, and comes again.
    await new Promise<void>((done) => this.#socket.write(framed(text), () => done()))
  }
}

/** The first line of a message alone, for the answer to one whose rest cannot be read; undefined when it cannot be read either. */
function headOf(bytes: Uint8Array): Message | undefined {
  const end = bytes.findIndex((byte) => byte === 0x0d || byte === 0x0a)
  try {
    return parseMessage(end < 0 ? bytes : bytes.subarray(0, end))
  } catch {
    return undefined
  }
}

const isOfSocket = (error: unknown): boolean =>
  (typeof (error as { readonly code?: unknown }).code === "string" && "syscall" in (error as object)) ||
  (error as { readonly code?: unknown }).code === "ERR_STREAM_PREMATURE_CLOSE"
