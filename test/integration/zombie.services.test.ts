import { afterAll, beforeEach, describe, expect, it } from "vitest"
import type { Held } from "./zombies/holding-proxy.ts"
import { Scene, until } from "./zombies/scene.ts"
import type { Process, Proxies } from "./zombies/scene.ts"

/** A process that has everything to do, behind proxies. */
interface Alone {
  readonly scene: Scene
  readonly process: Process
  readonly proxies: Proxies
  events: number
}

describe(
  "a process that is stopped past its session, and continued after another took over",
  { timeout: 240_000 },
  () => {
    /** The same in all tests, as long as none fails. */
    let alone: Alone | undefined
    let scene: Scene

    async function begin(): Promise<Alone> {
      const scene = await Scene.open()
      const proxies = await scene.proxies()
      return { scene, process: scene.start(proxies), proxies, events: 0 }
    }

    beforeEach(async () => {
      alone ??= await begin()
      scene = alone.scene
    })
    afterAll(async () => {
      if (alone === undefined) return
      expect((await alone.process.end()).code).toBe(0)
      await alone.scene.expectExact()
      await alone.scene.close()
    })

    /** Stops a process at the request that `hold` keeps back; another one takes over and gets everything done. What the first one
     * sends when it goes on counts nothing; it drops what it had, and takes over in its turn. */
    async function survives(hold: (proxies: Proxies) => Held): Promise<void> {
      const had = alone!
      const { process: zombie, proxies } = had
      alone = undefined
      try {
        const more = async (processes: readonly Process[]) => {
          await scene.feed((had.events += 20))
          await scene.complete(processes)
        }
        await more([zombie])
        const dropped = () => zombie.lines.filter(({ event }) => event === "dropped").length
        const before = dropped()
        const held = hold(proxies)
        await scene.feed((had.events += 20))
        await Promise.race([held.reached, until("the request", () => false, [zombie])])
        zombie.stop()
        const heir = scene.start()
        await more([heir])
        zombie.resume()
        held.release()
        await until("the zombie drops a task", () => dropped() > before, [zombie, heir])
        expect((await heir.end()).code).toBe(0)
        await more([zombie])
        await scene.expectExact()
      } catch (error) {
        await scene.close()
        throw error
      }
      alone = had
    }

    it("commits nothing of a stage's step whose end of transaction it had not sent", () =>
      survives(({ kafka }) => kafka.hold((request) => request.startsWith(`EndTxn ${scene.name}.stow.`))))

    it("commits no offsets of a stage's step", () =>
      survives(({ kafka }) => kafka.hold((request) => request.startsWith(`TxnOffsetCommit ${scene.name}.stow.`))))

    it("writes nothing to a table after its COMMIT waited", () =>
      survives(({ sink }) => sink.hold((request) => request.includes("UPDATE weir_sink.positions"))))

    it("fires no timer", () => survives(({ store }) => store.hold((request) => request.includes("timers.cancel"))))

    it("publishes nothing of what it had committed and not published", () =>
      survives(({ kafka }) => kafka.hold((request) => request.startsWith(`AddPartitionsToTxn ${scene.name}.count.`))))

    it("publishes nothing that it was just sending", () =>
      survives(({ kafka }) => kafka.hold((request) => request.startsWith(`Produce ${scene.name}.count.`))))

    it("names no file of a chunk twice that it was just storing", () =>
      survives(({ s3 }) => s3.hold((request) => /^PUT .*-phi\/data\//.test(request))))

    it("spoils no chunk with a manifest that it was just storing", () =>
      survives(({ s3 }) => s3.hold((request) => /^PUT .*-phi\/manifests\//.test(request))))

    it("leaves one object of each that a transform was just storing", () =>
      survives(({ s3 }) => s3.hold((request) => /^PUT .*-phi\/stowed\//.test(request))))

    it("appends nothing that it had read of the world", () =>
      survives(({ kafka }) => kafka.hold((request) => request === `AddPartitionsToTxn ${scene.name}.source.feed`)))
  },
)
