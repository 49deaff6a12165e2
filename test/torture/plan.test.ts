import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { sortOut } from "./aftermath.ts"
import { faultKinds } from "./faults.ts"
import type { Plan, Struck } from "./faults.ts"
import { Ledger } from "./ledger.ts"
import { planRound } from "./plan.ts"
import { commitPoints, pointText } from "./points.ts"
import type { RoundEnd } from "./round.ts"

/** What a plan comes to where every `missedEvery`th kill at a commit point finds nobody there. */
function roundsOf(seed: number, rounds: number, missedEvery: number): readonly RoundEnd[] {
  const ends: RoundEnd[] = []
  let kills = 0
  const struckBy = ({ kind, point }: Plan): Struck => {
    if (kind !== "kill at commit point") return { kind, what: "" }
    if (++kills % missedEvery === 0) return { kind, what: `nobody came to ${pointText(point!)}`, missed: true }
    return { kind, what: `weir-0 at ${pointText(point!)}`, killedAt: point! }
  }
  for (let round = 1; round <= rounds; round++) {
    const struck = planRound(seed, round, ends, true).map(struckBy)
    ends.push({ round, struck, recoveredMs: 0, ms: 0, events: 0, lost: 0, doubled: 0, stuck: false, wrong: [] })
  }
  return ends
}

describe("the plan of 200 rounds", () => {
  it("has every kind of fault, and kills at each commit point three times, whatever the seed", () => {
    for (let seed = 1; seed <= 2; seed++) {
      const struck = roundsOf(seed, 200, 12).flatMap((end) => end.struck)
      for (const kind of faultKinds) expect(struck.filter((each) => each.kind === kind).length, kind).toBeGreaterThan(1)
      const few = commitPoints
        .map(pointText)
        .filter((text) => struck.filter(({ killedAt }) => killedAt && pointText(killedAt) === text).length < 3)
      expect(few, `seed ${seed}`).toEqual([])
    }
  })
})

describe("after the deadline of a round", () => {
  const missing = (place: string, id: number) => ({ place, id, text: `event ${id} is not in ${place}` })

  it("what later events have passed is lost, what they have not passed is stuck", () => {
    const [lost, stuck, later] = [missing("table", 3), missing("objects", 4), missing("objects", 12)]
    expect(sortOut([lost, stuck, later], 10)).toEqual({ lost: [lost], stuck: [stuck, later], strange: [] })
  })

  it("what should not be there is not taken for lost", () => {
    const strange = { ...missing("topics", 3), extra: true as const }
    expect(sortOut([strange], 10)).toEqual({ lost: [], stuck: [], strange: [strange] })
  })
})

describe("the files of events", () => {
  it("are begun in the order in which the source reads them, also after a restart", () => {
    const folder = mkdtempSync(join(tmpdir(), "weir-ledger-"))
    try {
      const event = { id: 0, side: "left", slot: 0, account: "a0-0", amount: 1, fate: "pass" } as const
      const ledger = new Ledger(folder)
      expect(() => ledger.write([event])).toThrow("no file was begun")
      ledger.begin("round-00002")
      ledger.write([event])
      expect(() => ledger.begin("old-store")).toThrow("would not be read")
      expect(() => new Ledger(folder).begin("round-00001")).toThrow("would not be read")
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
