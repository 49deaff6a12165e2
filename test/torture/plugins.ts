import { readdir, readFile } from "node:fs/promises"
import { createServer } from "node:net"
import type { Socket } from "node:net"
import { join } from "node:path"
import { createInterface } from "node:readline"
import {
  Schema,
  badRecord,
  defineSource,
  defineStateful,
  defineTransform,
  fatal,
  foldDeriveDiff,
  keep,
  long,
  port,
  prefixed,
  recordType,
  string,
} from "../../core/index.ts"
import type { Draft, SourceRun } from "../../core/index.ts"
import type { Event } from "./events.ts"

/** An event as it arrives. */
export const arrival = recordType({
  name: "torture-event",
  doc: "an event of the torture pipeline",
  id: ["id"],
  fields: {
    id: keep(long, "number"),
    slot: keep(long, "what it is joined by"),
    account: keep(string, "its key"),
    amount: keep(long, "a quantity"),
    fate: keep(string, "what becomes of it"),
  },
})
/** An event that was counted. */
export const counted = recordType({
  name: "torture-counted",
  doc: "an event with its number among those of its account",
  id: ["id"],
  fields: { id: keep(long, "of the event"), number: keep(long, "1, 2, 3 ...") },
})
/** What two sides make of a slot. */
export const label = recordType({
  name: "torture-label",
  doc: "the sum of both sides of a slot",
  id: ["slot"],
  fields: { slot: keep(long, "the row"), sum: keep(long, "times the factor"), factor: keep(long, "of the definition") },
})

interface Arrival {
  readonly id: number
  readonly slot: number
  readonly account: string
  readonly amount: number
  readonly fate: string
}

const draftOf = ({ id, slot, account, amount, fate }: Event): Draft<Arrival> => ({
  key: account,
  id: String(id),
  op: "upsert",
  version: BigInt(id),
  value: { id, slot, account, amount, fate },
  time: id,
})

/** Whole lines: the last one may still be written. */
const parse = (text: string): Event[] =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Event)

const outputs = { out: port(arrival, "account") }

/** Lines of each file that share an append. */
const linesAtOnce = 40

const feed = defineSource({
  name: "torture-feed",
  summary: "Reads files of events as they come, each from its checkpoint on.",
  options: Schema.Struct({ path: Schema.String }),
  runs: "once",
  outputs,
  create: async ({ path }, context) => ({
    async run({ append, checkpoint, caughtUp, signal }) {
      const folder = context.resolve(path)
      // Files are named in order, so all before the last checkpoint are done.
      let last = checkpoint.get("file") ?? ""
      let line = Number(checkpoint.get("line") ?? 0)
      while (!signal.aborted) {
        const files = (await readdir(folder)).filter((name) => name.endsWith(".ndjson") && name >= last).toSorted()
        for (const name of files) {
          const events = parse(await readFile(join(folder, name), "utf8"))
          if (name !== last) line = 0
          last = name
          for (; line < events.length && !signal.aborted;) {
            const next = Math.min(events.length, line + linesAtOnce)
            await append("out", events.slice(line, next).map(draftOf), { file: name, line: String(next) })
            line = next
          }
        }
        caughtUp()
        await pause(50, signal)
      }
    },
  }),
})

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true })
  })

/** Appends each line, and answers with its id once it is durable. */
async function take(socket: Socket, { append }: SourceRun<typeof outputs>): Promise<void> {
  for await (const line of createInterface({ input: socket })) {
    const events = JSON.parse(line) as Event[]
    await append("out", events.map(draftOf))
    socket.write(`${JSON.stringify(events.map(({ id }) => id))}\n`)
  }
}

const push = defineSource({
  name: "torture-push",
  summary: "Takes events by TCP, a list a line, and answers once they are durable.",
  options: Schema.Struct({ port: Schema.Int }),
  runs: "everywhere",
  outputs,
  create: async ({ port: number }) => ({
    run: (run) =>
      new Promise<void>((resolve, reject) => {
        const sockets = new Set<Socket>()
        const server = createServer((socket) => {
          sockets.add(socket)
          const gone = () => void sockets.delete(socket)
          socket.on("error", gone).on("close", gone)
          // An append rejects only when the source stops; who sent it hears nothing, and does not know.
          void take(socket, run).catch(() => void socket.destroy())
        })
        const stop = () => {
          for (const socket of sockets) socket.destroy()
          server.close(() => resolve())
        }
        run.signal.addEventListener("abort", stop, { once: true })
        server.once("error", (cause) => reject(fatal("port-taken", `port ${number} cannot be had`, { cause })))
        server.listen(number, "127.0.0.1", () => run.caughtUp())
      }),
  }),
})

const sift = defineTransform({
  name: "torture-sift",
  summary: "Passes events on, and fails those that ask for it.",
  options: Schema.Struct({ release: Schema.Int }),
  inputs: { in: port(arrival, "account") },
  outputs: { out: port(arrival, "account") },
  create: async ({ release }, context) => ({
    apply(batch, out) {
      for (const record of batch) {
        if (record.value!.fate === "fail") out.fail(record, badRecord("failed", "this event asked to fail"))
        else out.emit("out", record, { ...record })
      }
      context.count("sifted", `release-${release}`, batch.length)
    },
  }),
})

const sides = { left: port(arrival, "account"), right: port(arrival, "account") }

const count = defineStateful({
  name: "torture-count",
  summary: "Numbers the events of an account by adding one: nothing about it is idempotent.",
  options: Schema.Struct({}),
  inputs: sides,
  outputs: { out: port(counted, "account") },
  create: async () => ({
    async apply(batch, out, state) {
      const keys = [...new Set(batch.map(({ key }) => key))]
      const found = await state.get<number>(keys.map((key) => [key, "count"]))
      const counts = new Map(keys.map((key, at) => [key, found[at] ?? 0]))
      for (const record of batch) {
        const number = counts.get(record.key)! + 1
        counts.set(record.key, number)
        const { id } = record.value!
        const draft = { key: record.key, id: String(id), op: "upsert" as const, version: 1n, time: id }
        out.emit("out", record, { ...draft, value: { id, number } })
      }
      state.put([...counts].map(([key, number]) => [key, "count", number]))
    },
  }),
})

interface LabelValue {
  readonly slot: number
  readonly sum: number
  readonly factor: number
}

const exactly = (sort: string) => ({ from: sort, to: `${sort}\u0000` })

const join_ = defineStateful({
  name: "torture-join",
  summary: "Joins the newest of both sides of a slot; another factor is another definition.",
  options: Schema.Struct({ factor: Schema.Int }),
  inputs: sides,
  outputs: { out: port(label, "account") },
  create: async ({ factor }) =>
    foldDeriveDiff<typeof sides, { out: ReturnType<typeof port<LabelValue>> }, LabelValue>("out", {
      definition: `factor ${factor}`,
      fact: ({ input, value }) => ({
        id: `${input}/${value!.slot}`,
        rows: [[`${input}/${value!.slot}`, value!.amount]],
      }),
      index: () => [prefixed("left/")],
      units: (_key, changed, [known]) => {
        const slots = new Set((changed ?? known!).map(([sort]) => sort.split("/")[1]!))
        return [...slots].map((id) => ({ id, reads: [exactly(`left/${id}`), exactly(`right/${id}`)] }))
      },
      derive: (_key, { id }, [left, right]) => {
        if (left!.length === 0 || right!.length === 0) return { rows: [] }
        const slot = Number(id)
        const sum = (Number(left![0]![1]) + Number(right![0]![1])) * factor
        return { rows: [{ id, value: { slot, sum, factor }, time: slot }] }
      },
    }),
})

/** What the torture pipeline names under `plugins:`. */
export default [feed, push, sift, count, join_]
