import { describe, expect, it } from "vitest"
import type { Ports, SourceDef, SourceInstance } from "../../../core/index.ts"
import { sourceRun } from "../source-run.ts"
import type { SourceHarness } from "../source-run.ts"
import type { SourceCase, World } from "./cases.ts"
import { expectConforms } from "./conforms.ts"
import { Ear, canariesOf, expectBadRecord, expectCode, textOf } from "./ear.ts"
import { inWorld, make } from "./world.ts"
import { grouped } from "./grouped.ts"

// oxlint-disable-next-line typescript/no-explicit-any -- a source of any options and ports
type AnySource = SourceDef<any, any>

/** Places at which a run is ended, at most. */
const mostDeaths = 25

/** Runs until the world has no more to give, or a listener says that it has nothing in hand, or the run "dies". */
async function run(
  plugin: AnySource,
  world: World,
  ear = new Ear(),
  checkpoint?: Map<string, string>,
  dieAfter?: number,
): Promise<SourceHarness> {
  const harness = sourceRun(checkpoint, dieAfter)
  harness.onChange = () => {
    if (harness.caughtUp > 0) harness.stop()
  }
  await ear.listen(async () => {
    const instance = await make<SourceInstance<Ports>>(plugin, world, ear.context(world.context))
    await instance.run(harness.run).catch((error: unknown) => {
      if ((error as { code?: string }).code !== "stopped") throw error
    })
  })
  return harness
}

/** Records by output and key, in order, and dead letters by place. */
function said(runs: readonly SourceHarness[]): unknown {
  const appended = runs.flatMap((each) => each.appended)
  return {
    appended: grouped(appended, ({ to, record }) => `${to}/${record.key}`),
    failed: runs.flatMap(({ failed }) => failed.map(({ place, error }) => `${place} ${error.code}`)).sort(),
  }
}

/** Where to die: before the first call, and after some of the others. */
function deaths(calls: number): readonly number[] {
  const step = Math.max(1, Math.ceil(calls / mostDeaths))
  return Array.from({ length: Math.ceil(calls / step) }, (_, at) => at * step)
}

/** A source gives each thing of the world once, over any restarts. */
export function sourceContract(plugin: AnySource, given: SourceCase): void {
  describe(given.name, () => {
    it("appends whole records to declared outputs, with codes for reasons", () =>
      inWorld(given, async (world) => {
        const harness = await run(plugin, world)
        for (const { to, record } of harness.appended) expectConforms(plugin.outputs, to, record)
        for (const reason of harness.dropped) expectCode(reason)
        for (const { error } of harness.failed) expectBadRecord(error)
        given.check?.(harness)
      }))

    it.runIf(plugin.runs === "once")("loses and repeats nothing, wherever it is ended and started again", () =>
      inWorld(given, async (world) => {
        const whole = await run(plugin, world)
        for (const dieAfter of deaths(whole.batches.length + whole.failed.length)) {
          const first = await run(plugin, world, new Ear(), undefined, dieAfter)
          const second = await run(plugin, world, new Ear(), first.checkpoint)
          expect(said([first, second]), `ended after ${dieAfter} appends`).toEqual(said([whole]))
        }
      }),
    )

    it.runIf(plugin.runs === "once")("has nothing more to say when it starts from its last checkpoint", () =>
      inWorld(given, async (world) => {
        const again = await run(plugin, world, new Ear(), (await run(plugin, world)).checkpoint)
        expect([again.appended, again.failed]).toEqual([[], []])
      }),
    )

    it("tells no planted value", () =>
      inWorld(given, async (world) => {
        const ear = new Ear()
        const harness = await run(plugin, world, ear)
        for (const reason of harness.dropped) ear.hear("a drop's reason", reason)
        for (const { place, error } of harness.failed) {
          ear.hear("a dead letter's place", place)
          ear.error("a dead letter", error)
        }
        ear.hear("names of feeds", textOf(harness.completed))
        ear.expectNone(canariesOf(given))
      }))
  })
}
