import type { Socket } from "node:net"
import { classify, retryable, type WeirError } from "../../errors.ts"
import { BLOCK_HEADER, blockLengthAt } from "./block.ts"
import type { BlockAppend, Broker } from "./broker.ts"
import { Channel } from "./channel.ts"
import { type ErrorRow, fromRow, toRow } from "./errors.ts"
import type { Found } from "./fetch.ts"
import { type Owner, ownerOf } from "./owner.ts"

interface Call {
  readonly id: number
  readonly method?: keyof Owner
  readonly args?: readonly unknown[]
  readonly cancel?: true
}

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: ErrorRow
  /** The owner closes; what has no answer was not done. */
  readonly farewell?: true
}

/** The owner went away before it answered: what was asked may or may not have been done. */
const gone = (): WeirError => retryable("owner-gone", "the process that owned the log went away")
/** The call was never sent. */
const unsent = (): WeirError => retryable("log-moved", "the process that owned the log is gone")

/** Appends cross the socket as their places and counts of blocks; the blocks follow one another in the payload. */
type AppendRow = readonly [topic: string, partition: number, blocks: number]

function blocksIn(payload: Buffer, rows: readonly AppendRow[]): BlockAppend[] {
  let at = 0
  return rows.map(([topic, partition, count]) => {
    const blocks: Buffer[] = []
    for (let i = 0; i < count; i++) {
      const end = at + BLOCK_HEADER + blockLengthAt(payload, at)
      blocks.push(payload.subarray(at, end))
      at = end
    }
    return { topic, partition, blocks }
  })
}

/** A process that is served. */
export interface Served {
  /** Answers what is under way, says that nothing later was done, and closes. */
  end(): Promise<void>
  destroy(): void
}

/** Serves the log to one process until its socket closes. */
export function serve(broker: Broker, socket: Socket): Served {
  const connection = {}
  const owner = ownerOf(broker, connection)
  const running = new Map<number, { readonly stop: AbortController; readonly done: Promise<void> }>()
  let isEnding = false
  const run = async ({ id, method, args = [] }: Call, payload: Buffer, stop: AbortController) => {
    const found = await answer(owner, method!, args, payload, stop.signal)
    running.delete(id)
    if (channel.isOpen) channel.send({ id, ...found.answer }, found.payload)
  }
  const channel = new Channel(
    socket,
    (head, payload) => {
      const call = head as Call
      if (call.cancel === true) return running.get(call.id)?.stop.abort()
      if (isEnding) return
      const stop = new AbortController()
      running.set(call.id, { stop, done: run(call, payload, stop) })
    },
    () => {
      for (const { stop } of running.values()) stop.abort()
      broker.groups.disconnect(connection)
    },
  )
  return {
    async end() {
      isEnding = true
      await Promise.all([...running.values()].map(({ done }) => done))
      if (channel.isOpen) channel.send({ id: 0, farewell: true })
      channel.end()
    },
    destroy: () => channel.destroy(),
  }
}

async function answer(
  owner: Owner,
  method: keyof Owner,
  args: readonly unknown[],
  payload: Buffer,
  signal: AbortSignal,
): Promise<{ readonly answer: Omit<Answer, "id">; readonly payload: readonly Buffer[] }> {
  try {
    if (method === "fetch") {
      const [topic, partition, from, limit] = args as Parameters<Owner["fetch"]>
      const { blocks, ...rest } = await owner.fetch(topic, partition, from, limit, signal)
      return { answer: { result: rest }, payload: blocks }
    }
    if (method === "transact") {
      const [id, epoch, rows, offsets] = args as [string, number, AppendRow[], never]
      await owner.transact(id, epoch, blocksIn(payload, rows), offsets)
      return { answer: {}, payload: [] }
    }
    const call = owner[method] as (...args: unknown[]) => Promise<unknown>
    return { answer: { result: await call(...args, signal) }, payload: [] }
  } catch (error) {
    return { answer: { error: toRow(classify(error)) }, payload: [] }
  }
}

/** The log as another process owns it. */
export class RemoteOwner implements Owner {
  readonly #channel: Channel
  readonly #calls = new Map<
    number,
    { resolve(found: { result: unknown; payload: Buffer }): void; reject(error: WeirError): void }
  >()
  #id = 0

  constructor(socket: Socket, onClose: () => void) {
    this.#channel = new Channel(
      socket,
      (head, payload) => this.#answered(head as Answer, payload),
      () => {
        for (const { reject } of this.#calls.values()) reject(gone())
        this.#calls.clear()
        onClose()
      },
    )
  }

  ensureTopics: Owner["ensureTopics"] = (specs) => this.#call("ensureTopics", [specs])
  topics: Owner["topics"] = () => this.#call("topics", [])
  bounds: Owner["bounds"] = (topic) => this.#call("bounds", [topic])
  openWriter: Owner["openWriter"] = (id) => this.#call("openWriter", [id])
  committed: Owner["committed"] = (group, topic) => this.#call("committed", [group, topic])
  join: Owner["join"] = (request) => this.#call("join", [request])
  beat: Owner["beat"] = (group, member, generation) => this.#call("beat", [group, member, generation])
  leave: Owner["leave"] = (group, member) => this.#call("leave", [group, member])
  members: Owner["members"] = (group) => this.#call("members", [group])
  watch: Owner["watch"] = (group, member, generation, signal) =>
    this.#call("watch", [group, member, generation], [], signal)

  transact: Owner["transact"] = async (id, epoch, appends, offsets) => {
    const rows = appends.map(({ topic, partition, blocks }): AppendRow => [topic, partition, blocks.length])
    await this.#ask(
      "transact",
      [id, epoch, rows, offsets],
      appends.flatMap(({ blocks }) => blocks),
    )
  }

  fetch: Owner["fetch"] = async (topic, partition, from, limit, signal) => {
    const { result, payload } = await this.#ask("fetch", [topic, partition, from, limit], [], signal)
    return { ...(result as Omit<Found, "blocks">), blocks: payload.length === 0 ? [] : [payload] }
  }

  close(): void {
    this.#channel.destroy()
  }

  async #call<T>(method: keyof Owner, args: readonly unknown[], payload: readonly Buffer[] = [], signal?: AbortSignal) {
    return (await this.#ask(method, args, payload, signal)).result as T
  }

  #ask(method: keyof Owner, args: readonly unknown[], payload: readonly Buffer[], signal?: AbortSignal) {
    if (!this.#channel.isOpen) return Promise.reject(unsent())
    const id = ++this.#id
    return new Promise<{ result: unknown; payload: Buffer }>((resolve, reject) => {
      const cancel = () => this.#channel.isOpen && this.#channel.send({ id, cancel: true })
      const settle = () => {
        this.#calls.delete(id)
        signal?.removeEventListener("abort", cancel)
      }
      this.#calls.set(id, {
        resolve: (found) => (settle(), resolve(found)),
        reject: (error) => (settle(), reject(error)),
      })
      signal?.addEventListener("abort", cancel)
      this.#channel.send({ id, method, args }, payload)
    })
  }

  #answered({ id, result, error, farewell }: Answer, payload: Buffer): void {
    if (farewell === true) {
      for (const { reject } of this.#calls.values()) reject(unsent())
      return this.close()
    }
    const call = this.#calls.get(id)
    if (error !== undefined) call?.reject(fromRow(error))
    else call?.resolve({ result, payload })
  }
}
