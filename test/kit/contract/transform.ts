import { describe, expect, it } from "vitest"
import type { Ports, TransformDef, TransformInstance } from "../../../core/index.ts"
import { runTransform } from "../harness.ts"
import type { Collected } from "../harness.ts"
import type { TransformCase } from "./cases.ts"
import { expectConforms } from "./conforms.ts"
import { cutsOf } from "./cuts.ts"
import { Ear, canariesOf, expectBadRecord, expectCode, holdsAny, textOf } from "./ear.ts"
import { frozen } from "./frozen.ts"
import { inWorld, make } from "./world.ts"
import { grouped } from "./grouped.ts"

// oxlint-disable-next-line typescript/no-explicit-any -- a transform of any options and ports
type AnyTransform = TransformDef<any, any, any>
type Instance = TransformInstance<Ports, Ports>

/** What was said, by output and key in order, and each record's end. */
export function saidOf(parts: readonly Collected[]): unknown {
  const of = <T>(pick: (part: Collected) => readonly T[]): T[] => parts.flatMap(pick)
  const emitted = of((part) => part.emitted).map(({ to, draft }) => ({ to, ...draft }))
  const failed = of((part) => part.failed)
  const dropped = of((part) => part.dropped)
  return {
    emitted: grouped(emitted, ({ to, key }) => `${to}/${key}`),
    held: of((part) => part.held.map(({ at }) => at.offset)),
    dropped: dropped.map(({ from, reason }) => [from.at.offset, reason]),
    failed: failed.map(({ from, error }) => [from.at.offset, (error as { code?: string }).code, error.message]),
  }
}

/** Checks each thing that was said of its records by itself. */
export function expectSound(plugin: { readonly outputs: Ports }, parts: readonly Collected[]): void {
  for (const { emitted, dropped, failed } of parts) {
    for (const { to, draft } of emitted) expectConforms(plugin.outputs, to, draft)
    for (const { reason } of dropped) expectCode(reason)
    for (const { error } of failed) expectBadRecord(error)
  }
}

/** What was said holds no planted value where people read; nor in the output when the plugin is there to take it out. */
export function expectPrivate(
  plugin: { readonly privacy?: true },
  ear: Ear,
  parts: readonly Collected[],
  canaries: readonly string[],
): void {
  for (const { dropped, failed, emitted } of parts) {
    for (const { reason } of dropped) ear.hear("a drop's reason", reason)
    for (const { error } of failed) ear.error("a dead letter", error)
    if (plugin.privacy !== true) continue
    const held = emitted.filter(({ draft }) => holdsAny(textOf(draft), canaries))
    expect(held.length, "records emitted by a privacy transform that hold a planted value").toBe(0)
  }
  ear.expectNone(canaries)
}

/** The canaries are where the case says: a value that is nowhere proves nothing. */
export const expectPlanted = (input: unknown, canaries: readonly string[]): void =>
  expect(
    canaries.filter((canary) => !holdsAny(textOf(input), [canary])),
    "canaries that are not in the input of the case",
  ).toEqual([])

const run = async (plugin: AnyTransform, given: TransformCase, batches: readonly TransformCase["records"][]) =>
  inWorld(given, async (world) => {
    const ear = new Ear()
    const parts = await ear.listen(async () => {
      const instance = await make<Instance>(plugin, world, ear.context(world.context))
      const collected: Collected[] = []
      for (const batch of batches) collected.push(await runTransform(instance, batch))
      return collected
    })
    return { parts, ear }
  })

/** A transform without state is a function of each record. */
export function transformContract(plugin: AnyTransform, given: TransformCase): void {
  describe(given.name, () => {
    const records = frozen(given.records)

    it("ends each record once, to declared outputs, with codes for reasons", async () => {
      const { parts } = await run(plugin, given, [records])
      expectSound(plugin, parts)
      given.check?.(parts[0]!)
    })

    it("changes nothing of its input, and says the same of the same input at any time", async () => {
      const before = structuredClone(records)
      const once = await run(plugin, given, [records])
      const again = await run(plugin, given, [records])
      expect(records).toEqual(before)
      expect(saidOf(again.parts)).toEqual(saidOf(once.parts))
    })

    it("says the same however the batch is cut", async () => {
      const whole = await run(plugin, given, [records])
      for (const cut of cutsOf(records)) {
        const { parts } = await run(plugin, given, cut)
        expect(saidOf(parts), `cut into ${cut.map(({ length }) => length).join(", ")}`).toEqual(saidOf(whole.parts))
      }
    })

    it("tells no planted value", async () => {
      expectPlanted(records, given.canaries)
      const { parts, ear } = await run(plugin, given, [records])
      expectPrivate(plugin, ear, parts, canariesOf(given))
    })
  })
}
