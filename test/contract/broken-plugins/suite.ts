import type { Draft, In, Out, Rec, State } from "../../../core/index.ts"
import {
  Schema,
  anyPort,
  badRecord,
  defineSink,
  defineSource,
  defineStateful,
  defineTransform,
  label,
  port,
  samePort,
} from "../../../core/index.ts"
import { pluginContract, record } from "../../kit/index.ts"

/** Each plugin here breaks one promise, which its summary names: plugin-contract.test.ts expects exactly that to be found. */

const canary = "MUSTERFRAU"
const options = Schema.Struct({ size: Schema.optionalKey(Schema.Int.annotate({ description: "a size" })) })
const open = () => ({ options: {} })
const records = Array.from({ length: 12 }, (_, at) =>
  record({ key: `k${at % 3}`, id: `i${at}`, value: { name: `${canary} ${at}`, tags: ["x"] }, time: at }),
)
const one = [{ name: "case", canaries: [canary], open, records }]

type Taken = In<{ in: typeof anyPort }>
type Said = Out<Taken, Taken, { out: typeof samePort }>
const copy = ({ key, id, op, version, value, time }: Rec): Draft => ({ key, id, op, version, value, time })

const transform = (name: string, apply: () => (batch: readonly Taken[], out: Said) => void, privacy?: true) =>
  pluginContract(
    defineTransform({
      name,
      summary: "broken",
      options,
      inputs: { in: anyPort },
      outputs: { out: samePort },
      ...(privacy === undefined ? {} : { privacy }),
      create: async () => ({ apply: apply() }),
    }),
    one,
  )
const each = (what: (from: Taken, out: Said) => void) => () => (batch: readonly Taken[], out: Said) => {
  for (const from of batch) what(from, out)
}

transform(
  "sound",
  each((from, out) => out.emit("out", from, copy(from))),
)
transform(
  "forgets-one",
  each((from, out) => from.id !== "i3" && out.emit("out", from, copy(from))),
)
transform(
  "ends-twice",
  each((from, out) => {
    out.emit("out", from, copy(from))
    out.drop(from, "seen")
  }),
)
transform(
  "changes-input",
  each((from, out) => {
    ;(from.value as { name: string }).name = "x"
    out.emit("out", from, copy(from))
  }),
)
transform("counts-batches", () => {
  let batches = 0
  return (batch, out) => {
    batches++
    for (const from of batch) out.emit("out", from, { ...copy(from), time: batches })
  }
})
transform(
  "reads-a-clock",
  each((from, out) => out.emit("out", from, { ...copy(from), id: String(performance.now()) })),
)
transform(
  "tells-values",
  each((from, out) => out.fail(from, badRecord("bad", JSON.stringify(from.value)))),
)
transform(
  "drops-with-values",
  each((from, out) => out.drop(from, (from.value as { name: string }).name)),
)
transform(
  "lets-out",
  each((from, out) => out.emit("out", from, copy(from))),
  true,
)

pluginContract(
  defineTransform({
    name: "undescribed",
    summary: "broken",
    options: Schema.Struct({ size: Schema.optionalKey(Schema.Int) }),
    inputs: { in: anyPort },
    outputs: { out: samePort },
    create: async () => ({ apply: each((from, out) => out.emit("out", from, copy(from)))() }),
  }),
  one,
)

const stateful = (
  name: string,
  apply: () => (batch: readonly Taken[], out: Said, state: State) => Promise<void>,
  orderInsensitive = false,
) =>
  pluginContract(
    defineStateful({
      name,
      summary: "broken",
      options,
      inputs: { in: anyPort },
      outputs: { out: samePort },
      create: async () => ({ apply: apply() }),
    }),
    [{ ...one[0]!, orderInsensitive }],
  )

/** Emits how many records a key has had. */
const counting = async (batch: readonly Taken[], out: Said, state: State, first = 1) => {
  for (const from of batch) {
    const [had] = await state.get<number>([[from.key, "count"]])
    const count = (had ?? first - 1) + 1
    state.put([[from.key, "count", count]])
    out.emit("out", from, { ...copy(from), id: "row", version: BigInt(count), value: { count }, time: 0 })
  }
}

stateful("counts", () => counting)
stateful("begins-at-two", () => (batch, out, state) => counting(batch, out, state, 2))
stateful("counts-in-any-order", () => counting, true)
stateful("keeps-in-memory", () => {
  const counts = new Map<string, number>()
  return async (batch, out) => {
    for (const from of batch) {
      const count = (counts.get(from.key) ?? 0) + 1
      counts.set(from.key, count)
      out.emit("out", from, { ...copy(from), id: "row", version: BigInt(count), value: { count } })
    }
  }
})

const source = (name: string, resume: (checkpoint: string | undefined) => number, at: (index: number) => number) =>
  pluginContract(
    defineSource({
      name,
      summary: "broken",
      runs: "once",
      options,
      outputs: { out: port({ name: "any", doc: "", fields: {}, id: [], avro: {} }, "any", "phi") },
      create: async () => ({
        async run(run) {
          for (let index = resume(run.checkpoint.get("all")); index < 9; index++)
            await run.append("out", [{ key: "k", id: "", op: "upsert", version: 1n, value: {}, time: index }], {
              all: String(at(index)),
            })
        },
      }),
    }),
    [{ name: "case", canaries: [canary], open }],
  )

source(
  "reads-on",
  (checkpoint) => Number(checkpoint ?? "0"),
  (index) => index + 1,
)
source(
  "starts-over",
  () => 0,
  (index) => index + 1,
)
source(
  "skips-one",
  (checkpoint) => Number(checkpoint ?? "0"),
  (index) => index + 2,
)

const sink = (name: string, write: (target: Map<string, unknown>, record: Rec) => void) =>
  pluginContract(
    defineSink<{ readonly size?: number }>({
      name,
      summary: "broken",
      delivery: "idempotent",
      options,
      create: async (_, context) => ({
        delivery: "idempotent",
        write: async (batch) => {
          for (const each of batch) write(targets.get(context.name)!, each)
        },
        close: async () => {},
      }),
    }),
    [
      {
        name: "case",
        canaries: ["renal"],
        inputs: [{ topic: "t", zone: "limited", type: label }],
        drafts: { t: records.map((of, at) => ({ ...copy(of), version: BigInt(at), value: { phenotype: "renal" } })) },
        open: () => {
          const target = new Map<string, unknown>()
          const own = `${name}-${targets.size}`
          targets.set(own, target)
          return { options: {}, context: { name: own }, read: async () => [...target].sort() }
        },
      },
    ],
  )
const targets = new Map<string, Map<string, unknown>>()

sink("sets-rows", (target, { key, id, version }) => target.set(`${key}/${id}`, version))
sink("only-inserts", (target, { version }) => target.set(String(target.size), version))

interface Table {
  readonly rows: unknown[]
  readonly positions: Map<string, { next: bigint; epoch: bigint }>
}
const tables = new Map<string, Table>()

/** Keeps rows and positions in one table. */
const transactional = (name: string, keeps: { readonly position: boolean; readonly epoch: boolean }) =>
  pluginContract(
    defineSink<{ readonly size?: number }>({
      name,
      summary: "broken",
      delivery: "transactional",
      options,
      create: async (_, context) => {
        const { rows, positions } = tables.get(context.name)!
        return {
          delivery: "transactional",
          async claim(topic, partition) {
            const was = positions.get(`${topic}/${partition}`)
            const now = { next: was?.next ?? 0n, epoch: (was?.epoch ?? 0n) + 1n }
            positions.set(`${topic}/${partition}`, now)
            return { next: was === undefined ? undefined : now.next, epoch: now.epoch }
          },
          async write(batch, at) {
            const kept = positions.get(`${at.topic}/${at.partition}`)!
            if (keeps.epoch && kept.epoch !== at.epoch) throw new Error("fenced")
            rows.push(...batch.map(({ key, version }) => `${key} ${version}`))
            if (keeps.position) kept.next = at.next
          },
          close: async () => {},
        }
      },
    }),
    [
      {
        name: "case",
        canaries: ["renal"],
        inputs: [{ topic: "t", zone: "limited", type: label }],
        drafts: { t: records.map((of, at) => ({ ...copy(of), version: BigInt(at), value: { phenotype: "renal" } })) },
        open: () => {
          const table: Table = { rows: [], positions: new Map() }
          const own = `${name}-${tables.size}`
          tables.set(own, table)
          return { options: {}, context: { name: own }, read: async () => table.rows.toSorted() }
        },
      },
    ],
  )

transactional("keeps-position", { position: true, epoch: true })
transactional("forgets-position", { position: false, epoch: true })
transactional("does-not-fence", { position: true, epoch: false })
