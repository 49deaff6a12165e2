import { readFile } from "node:fs/promises"
import { setTimeout as sleep } from "node:timers/promises"
import {
  Schema,
  defineSource,
  defineStateful,
  defineTransform,
  keep,
  long,
  port,
  recordType,
  string,
} from "../../../core/index.ts"
import type { AnyPlugin, Rec, ValueOf } from "../../../core/index.ts"

/** What the pipeline of the zombies carries. */
export const event = recordType({
  name: "event",
  doc: "A number with a name.",
  fields: { name: keep(string, "its name"), number: keep(long, "its number") },
  id: ["name"],
})
export type Event = ValueOf<typeof event>

/** Events of one key. */
export const keys = 8
const together = 5

const draft = (name: string, number: number, key: string, version = 1n) => ({
  key,
  id: name,
  op: "upsert" as const,
  version,
  value: { name, number },
  time: 0,
})

/** Gives the events 1, 2, 3 ... up to the number that a file holds, which grows. */
const feed = defineSource({
  name: "feed",
  summary: "Gives events up to the number in a file.",
  options: Schema.Struct({ path: Schema.String }),
  runs: "once",
  outputs: { out: port(event, "key") },
  create: async ({ path }, context) => ({
    async run({ append, checkpoint, caughtUp, signal }) {
      let at = Number(checkpoint.get("at") ?? 0)
      while (!signal.aborted) {
        const count = Number(await readFile(context.resolve(path), "utf8"))
        while (at < count) {
          const next = Math.min(count, at + together)
          const drafts = Array.from({ length: next - at }, (_, index) => {
            const number = at + index + 1
            return draft(`e${number}`, number, `k${number % keys}`)
          })
          await append("out", drafts, { at: String(next) })
          at = next
        }
        caughtUp()
        await sleep(20, undefined, { signal }).catch(() => {})
      }
    },
  }),
})

/** Keeps an object of each event, and passes it on. */
const stow = defineTransform({
  name: "stow",
  summary: "Stores an object of each event, and passes the event on.",
  options: Schema.Struct({}),
  inputs: { in: port(event, "key") },
  outputs: { out: port(event, "key") },
  create: async (_, context) => ({
    async apply(batch, out) {
      const objects = context.objects("phi")
      for (const record of batch) {
        await objects.put(`stowed/${record.id}`, Buffer.from(`${record.id}\n`.repeat(1000)))
        out.emit("out", record, { ...record })
      }
    },
  }),
})

/** Passes events on. */
const pass = defineTransform({
  name: "pass",
  summary: "Passes events on.",
  options: Schema.Struct({}),
  inputs: { in: port(event, "key") },
  outputs: { out: port(event, "key") },
  create: async () => ({
    apply: (batch, out) => batch.forEach((record) => out.emit("out", record, { ...record })),
  }),
})

interface Tally {
  readonly count: number
  readonly fires: number
  readonly armed: boolean
}

/** Counts events by key, which nothing can do twice unseen, and how often its timers fired. */
const tally = defineStateful({
  name: "tally",
  summary: "Numbers the events of each key, and tells when a key has been quiet.",
  options: Schema.Struct({ "quiet-ms": Schema.Int }),
  inputs: { in: port(event, "key") },
  outputs: { out: port(event, "key") },
  create: async (options) => {
    const quiet = options["quiet-ms"]
    const read = async (
      state: { get<T>(of: readonly (readonly [string, string])[]): Promise<readonly (T | undefined)[]> },
      of: readonly { readonly key: string }[],
    ) => {
      const names = [...new Set(of.map(({ key }) => key))]
      const found = await state.get<Tally>(names.map((key) => [key, "tally"]))
      return new Map(names.map((key, at) => [key, found[at] ?? { count: 0, fires: 0, armed: false }]))
    }
    return {
      async apply(batch, out, state) {
        const tallies = await read(state, batch)
        for (const record of batch) {
          const { count, fires, armed } = tallies.get(record.key)!
          tallies.set(record.key, { count: count + 1, fires, armed: true })
          out.emit("out", record, draft((record as Rec<Event>).id, count + 1, record.key))
          if (!armed) state.timer({ key: record.key, name: "quiet", due: state.now + quiet, clock: "quiet" }, record)
        }
        state.put([...tallies].map(([key, value]) => [key, "tally", value]))
      },
      async onTimer(fired, out, state) {
        const tallies = await read(state, fired)
        for (const timer of fired) {
          const { count, fires } = tallies.get(timer.key)!
          tallies.set(timer.key, { count, fires: fires + 1, armed: false })
          out.emit("out", timer, draft(`quiet-${timer.key}-${fires + 1}`, fires + 1, timer.key))
        }
        state.put([...tallies].map(([key, value]) => [key, "tally", value]))
      },
    }
  },
})

export default [feed, stow, pass, tally] satisfies AnyPlugin[]
