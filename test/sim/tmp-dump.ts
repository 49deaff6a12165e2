import { runSeed, lastRun } from "./run.ts"
await runSeed({ seed: Number(process.argv[2]) })
const run = lastRun!
const rows = new Map()
for (const m of run.broker.topics.get("torture.tasks")!.partitions[0]!.messages) rows.set(Buffer.from(m.key!).toString(), Buffer.from(m.value ?? []).toString().slice(0, 400))
for (const [k, v] of [...rows].sort()) console.log(k, v)
for (const [name, { partitions }] of run.broker.topics) console.log(name, partitions.map((p) => `${p.messages.length} msgs stable ${p.stable} next ${p.next}`).join("; "))
for (const [name, t] of run.database.tasks) console.log(name, t.epoch, t.outbox, t.published, t.facts, [...t.positions.values()].map((x) => `${x.topic}@${x.next}`), t.pending.length, [...t.timers.values()].map((x) => x.clock + x.due))
for (const [g, o] of run.broker.offsets) console.log(g, [...o].join(" "))
