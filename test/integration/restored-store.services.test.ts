import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { Scene } from "./zombies/scene.ts"

describe(
  "a Store on PostgreSQL that was restored from a backup, beside a Kafka that went on",
  { timeout: 300_000 },
  () => {
    let scene: Scene
    beforeEach(async () => {
      scene = await Scene.open()
    })
    afterEach(() => scene.close())

    it("is refused, by name, and nothing is published again", async () => {
      await scene.feed(20)
      const first = scene.start()
      await scene.complete([first])
      expect((await first.end()).code).toBe(0)
      const restore = await scene.backup()
      await scene.feed(40)
      const second = scene.start()
      await scene.complete([second])
      expect((await second.end()).code).toBe(0)
      const before = (await scene.records("counted")).length
      await restore()
      const { code, said } = await scene.start().ended
      expect(code).toBe(1)
      expect(said).toContain("code: store-behind-log")
      expect(said).toMatch(/task p-\w+\.count\/\d: the Log holds publication \d+, the Store only counts to \d+/)
      expect(said).toMatch(/hint: the Store was restored from a backup/)
      expect((await scene.records("counted")).length).toBe(before)
    })
  },
)
