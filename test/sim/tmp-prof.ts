import { runSeed } from "./run.ts"
const from = Number(process.argv[2] ?? 1), n = Number(process.argv[3] ?? 20)
await runSeed(0); const t0 = process.cpuUsage(); let steps = 0, bad = 0
const hits = new Map<string, number>()
for (let s = from; s < from + n; s++) { const o = await runSeed(s); steps += o.steps; for (const [k, v] of o.hits) hits.set(k, (hits.get(k) ?? 0) + v); if (o.broken.length) { bad++; console.log(s, o.broken.slice(0,2).join("\n").slice(0, 600)) } }
const u = process.cpuUsage(t0)
if (process.argv[4]) console.log([...hits].sort().map(([k, v]) => `${k}: ${v}`).join("\n"))
console.log(`cpu ms/seed ${((u.user + u.system) / 1000 / n).toFixed(1)} steps/seed ${(steps / n).toFixed(0)} bad ${bad}`)
