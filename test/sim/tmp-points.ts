import { runSeed } from "./run.ts"
const c = new Map<string, number>()
const n = 40
for (let s = 1; s <= n; s++) for (const l of (await runSeed({ seed: s, traced: true })).trace) { const k = l.split(" ").slice(2).join(" ").replace(/^p\d+ /, "").replace(/[\[{].*/, "").replace(/\d+/g, "N").slice(0, 40); c.set(k, (c.get(k) ?? 0) + 1) }
for (const [k, v] of [...c].sort((a, b) => b[1] - a[1]).slice(0, 45)) console.log((v / n).toFixed(1).padStart(8), k)
