import { describe, expect, it } from "vitest"
import type { Draft, Ports, StatefulDef, StatefulInstance, Timer } from "../../../core/index.ts"
import { runComplete, runStateful } from "../harness.ts"
import type { Collected } from "../harness.ts"
import { memoryState } from "../memory-state.ts"
import type { MemoryState } from "../memory-state.ts"
import type { StandingRow, StatefulCase } from "./cases.ts"
import { cutsOf, ordersOf } from "./cuts.ts"
import { Ear, canariesOf } from "./ear.ts"
import { frozen } from "./frozen.ts"
import { expectPlanted, expectPrivate, expectSound, saidOf } from "./transform.ts"
import { inWorld, make } from "./world.ts"

// oxlint-disable-next-line typescript/no-explicit-any -- a stateful transform of any options and ports
type AnyStateful = StatefulDef<any, any, any>
type Instance = StatefulInstance<Ports, Ports>
type Step = (instance: Instance, state: MemoryState) => Promise<Collected>

/** Timers that arm each other for ever would never let the input end. */
const mostTurns = 1000

/** What happens after the last record: completeness, the end of input, the calendar. */
async function settle(given: StatefulCase, state: MemoryState, step: (run: Step) => Promise<void>): Promise<void> {
  for (const [feed, through] of Object.entries(given.complete ?? {})) state.setComplete(feed, through)
  if (given.complete !== undefined) await step(runComplete)
  const fire = async (clock: Timer["clock"], until: number): Promise<void> => {
    for (let turn = 0; ; turn++) {
      const armed = [...state.timers.values()].some((timer) => timer.clock === clock && timer.due <= until)
      if (!armed) return
      expect(turn, `turns of ${clock} timers that arm each other`).toBeLessThan(mostTurns)
      // Taken inside the step, so that a step that is done again finds them armed again.
      await step((instance, own) => runStateful(instance, own, [], own.due(clock, until)))
    }
  }
  await fire("quiet", Number.MAX_SAFE_INTEGER)
  if (given.asOf === undefined) return
  state.setNow(given.asOf)
  await fire("calendar", given.asOf)
  await fire("quiet", Number.MAX_SAFE_INTEGER)
}

interface History {
  readonly parts: readonly Collected[]
  readonly rows: readonly StandingRow[]
  readonly ear: Ear
}

/** @param redeliver each step is done twice, by another instance on the same state, and must do the same */
const run = (
  plugin: AnyStateful,
  given: StatefulCase,
  batches: readonly StatefulCase["records"][],
  redeliver = false,
): Promise<History> =>
  inWorld(given, async (world) => {
    const ear = new Ear()
    const parts: Collected[] = []
    const state = memoryState()
    await ear.listen(async () => {
      const open = () => make<Instance>(plugin, world, ear.context(world.context))
      const instance = await open()
      const step = async (work: Step): Promise<void> => {
        const before = redeliver ? state.copy() : undefined
        parts.push(await work(instance, state))
        if (before === undefined) return
        const again = await work(await open(), before)
        expect(saidOf([again]), "what a step says when it is done again").toEqual(saidOf([parts.at(-1)!]))
        expect([...before.dump()].sort(), "the state after a step that was done again").toEqual(
          [...state.dump()].sort(),
        )
        expect(before.timers, "the timers after a step that was done again").toEqual(state.timers)
      }
      for (const batch of batches) await step((of, at) => runStateful(of, at, batch))
      await settle(given, state, step)
    })
    return { parts, rows: standing(parts), ear }
  })

/** The rows that stand, and a check that the revisions of each are 1, 2, 3 ... in the order of the log. */
function standing(parts: readonly Collected[]): readonly StandingRow[] {
  const rows = new Map<string, { readonly to: string; readonly draft: Draft }>()
  for (const { to, draft } of parts.flatMap(({ emitted }) => emitted)) {
    const slot = JSON.stringify([to, draft.key, draft.id])
    expect(draft.version, `revision of a row of ${to}`).toBe((rows.get(slot)?.draft.version ?? 0n) + 1n)
    rows.set(slot, { to, draft })
  }
  return [...rows]
    .filter(([, { draft }]) => draft.op === "upsert")
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { to, draft }]) => ({ to, key: draft.key, id: draft.id, value: draft.value, time: draft.time }))
}

const comparable = ({ compared }: StatefulCase, rows: readonly StandingRow[]): readonly unknown[] =>
  compared === undefined ? rows : rows.map((row) => compared(row))

/** A stateful transform is a function of what is stored and what comes. */
export function statefulContract(plugin: AnyStateful, given: StatefulCase): void {
  describe(given.name, () => {
    const records = frozen(given.records)

    it("ends each record once, to declared outputs, with revisions 1, 2, 3 ... of each row", async () => {
      const { parts, rows } = await run(plugin, given, [records])
      expectSound(plugin, parts)
      given.check?.(rows)
    })

    it("changes nothing of its input, and says the same of the same input at any time", async () => {
      const before = structuredClone(records)
      const once = await run(plugin, given, [records])
      const again = await run(plugin, given, [records])
      expect(records).toEqual(before)
      expect(saidOf(again.parts)).toEqual(saidOf(once.parts))
    })

    it("leaves the same rows however the input is cut into batches", async () => {
      const whole = await run(plugin, given, [records])
      for (const cut of cutsOf(records)) {
        const { rows } = await run(plugin, given, cut)
        expect(comparable(given, rows), `cut into ${cut.map(({ length }) => length).join(", ")}`).toEqual(
          comparable(given, whole.rows),
        )
      }
    })

    it("does each step again after a crash as it did it first", async () => {
      for (const cut of cutsOf(records).slice(0, 3)) await run(plugin, given, cut, true)
    })

    it.runIf(given.orderInsensitive === true)("leaves the same rows in any order, with any duplicates", async () => {
      const { rows } = await run(plugin, given, [records])
      const doubled = [...records, ...structuredClone(records)]
      for (const [at, order] of [doubled, ...ordersOf(doubled), ...ordersOf(records)].entries()) {
        const cuts = cutsOf(order)
        const found = await run(plugin, given, cuts[at % cuts.length]!)
        expect(comparable(given, found.rows), `order ${at}`).toEqual(comparable(given, rows))
      }
    })

    it("tells no planted value", async () => {
      expectPlanted(records, given.canaries)
      const { parts, ear } = await run(plugin, given, [records])
      expectPrivate(plugin, ear, parts, canariesOf(given))
    })
  })
}
