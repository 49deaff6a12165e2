import { describe, expect, it } from "vitest"
import type { Context, Rec, SinkDef, SinkInput, SinkInstance } from "../../../core/index.ts"
import type { SinkCase, SinkWorld } from "./cases.ts"
import { cutsOf } from "./cuts.ts"
import { Ear, canariesOf } from "./ear.ts"
import { frozen } from "./frozen.ts"
import { expectPlanted } from "./transform.ts"
import { inWorld, optionsOf } from "./world.ts"

// oxlint-disable-next-line typescript/no-explicit-any -- a sink of any options
type AnySink = SinkDef<any>

interface Partition {
  readonly topic: string
  readonly partition: number
  readonly records: readonly Rec[]
}

/** The drafts of a case as a log would hand them over: the rows of a key are in one of two partitions. */
function partitionsOf({ inputs, drafts }: SinkCase): readonly Partition[] {
  return inputs.flatMap((input) => {
    const keys = [...new Set((drafts[input.topic] ?? []).map(({ key }) => key))]
    return [0, 1].map((partition) => ({
      topic: input.topic,
      partition,
      records: recordsOf(
        input,
        partition,
        (drafts[input.topic] ?? []).filter(({ key }) => keys.indexOf(key) % 2 === partition),
      ),
    }))
  })
}

const recordsOf = (input: SinkInput, partition: number, drafts: SinkCase["drafts"][string]): readonly Rec[] =>
  frozen(
    drafts.map((draft, offset) => {
      const at = { topic: input.topic, partition, offset: BigInt(offset) }
      return { ...draft, at, origin: at, zone: input.zone, type: input.type.name }
    }),
  )

/** One life of a sink: what is written goes on from where the target, or else the last life, says. */
class Life {
  readonly instance: SinkInstance
  readonly #epochs = new Map<Partition, bigint>()

  constructor(instance: SinkInstance) {
    this.instance = instance
  }

  /** Where a transactional sink says that it is; 0 for the others. */
  async claim(of: Partition): Promise<bigint> {
    if (this.instance.delivery !== "transactional") return 0n
    const { next, epoch } = await this.instance.claim(of.topic, of.partition)
    this.#epochs.set(of, epoch)
    return next ?? 0n
  }

  async write(of: Partition, batches: readonly (readonly Rec[])[]): Promise<void> {
    const { topic, partition } = of
    const epoch = this.#epochs.get(of) ?? 0n
    for (const batch of batches) {
      const [from, next] = [batch[0]!.at.offset, batch.at(-1)!.at.offset + 1n]
      await this.instance.write(batch, { topic, partition, from, next, epoch })
    }
  }

  async end(partitions: readonly Partition[]): Promise<void> {
    for (const { topic, partition } of partitions) await this.instance.flush?.(topic, partition)
  }
}

/** Lives of sinks in one world, closed together: a life that "crashed" is not closed before. */
async function inTarget<T>(
  plugin: AnySink,
  given: SinkCase,
  run: (open: () => Promise<Life>, world: SinkWorld) => Promise<T>,
  ear = new Ear(),
): Promise<T> {
  return inWorld(given, async (world) => {
    const lives: Life[] = []
    const create = plugin.create as (
      options: never,
      context: Context,
      inputs: readonly SinkInput[],
    ) => Promise<SinkInstance>
    const open = async (): Promise<Life> => {
      lives.push(new Life(await create(optionsOf(plugin, world), ear.context(world.context), given.inputs)))
      return lives.at(-1)!
    }
    try {
      return await ear.listen(() => run(open, world))
    } finally {
      for (const { instance } of lives) await instance.close()
    }
  })
}

/** The target after one undisturbed life, cut in one of the ways. */
const undisturbed = (plugin: AnySink, given: SinkCase, way: number, ear?: Ear): Promise<unknown> =>
  inTarget(
    plugin,
    given,
    async (open, world) => {
      const partitions = partitionsOf(given)
      const life = await open()
      for (const of of partitions) expect(await life.claim(of), "where a new target begins").toBe(0n)
      await Promise.all(partitions.map((of) => life.write(of, cutsOf(of.records)[way]!)))
      await life.end(partitions)
      return world.read()
    },
    ear,
  )

/** A life writes a share of each partition and crashes; the next goes on where the target says, or else `rewind` records before. */
async function crashAt(plugin: AnySink, given: SinkCase, share: number, rewind: number): Promise<unknown> {
  return inTarget(plugin, given, async (open, world) => {
    const partitions = partitionsOf(given)
    const first = await open()
    const written = new Map<Partition, number>()
    for (const of of partitions) {
      await first.claim(of)
      const count = Math.floor(of.records.length * share)
      written.set(of, count)
      await first.write(of, cutsOf(of.records.slice(0, count))[3]!)
    }
    const second = await open()
    for (const of of partitions) {
      const said = await second.claim(of)
      const done = written.get(of)!
      if (second.instance.delivery === "transactional") expect(said, "the reported position").toBe(BigInt(done))
      const from = second.instance.delivery === "transactional" ? Number(said) : Math.max(0, done - rewind)
      await second.write(of, cutsOf(of.records.slice(from))[4]!)
      if (first.instance.delivery === "transactional" && done > 0)
        await expect(first.write(of, [of.records.slice(0, done)]), "a write under an old epoch").rejects.toThrow()
    }
    await second.end(partitions)
    return world.read()
  })
}

/** Of a partition, what was written before the crash; and how many records of it come again. */
const shares = [0, 0.4, 1]
const rewinds = [0, 2, Infinity]

/** A sink keeps the delivery that it claims. */
export function sinkContract(plugin: AnySink, given: SinkCase): void {
  describe(given.name, () => {
    it("declares the delivery that its instances claim", async () => {
      const claimed = await inTarget(plugin, given, async (open) => (await open()).instance.delivery)
      expect(claimed).toBe(plugin.delivery)
    })

    it("leaves the same target however the log is cut into batches", async () => {
      const whole = await undisturbed(plugin, given, 0)
      given.check?.(whole)
      for (let way = 1; way < cutsOf([]).length; way++)
        expect(await undisturbed(plugin, given, way), `cut in way ${way}`).toEqual(whole)
    })

    it("keeps its delivery claim when batches come again after a crash", async () => {
      const whole = await undisturbed(plugin, given, 0)
      for (const share of shares)
        for (const rewind of rewinds) {
          const target = await crashAt(plugin, given, share, rewind)
          // All that an at-least-once sink claims is that redelivery does not fail.
          if (plugin.delivery !== "at-least-once")
            expect(target, `after a crash at ${share}, ${rewind} back`).toEqual(whole)
        }
    })

    it("tells no planted value", async () => {
      expectPlanted(given.drafts, given.canaries)
      const ear = new Ear()
      await undisturbed(plugin, given, 0, ear)
      ear.expectNone(canariesOf(given))
    })
  })
}
