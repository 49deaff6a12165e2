import { rename, rm } from "node:fs/promises"
import { copyData } from "./servers.ts"
import { until } from "./service.ts"
import { whole } from "./settle.ts"
import type { World } from "./world.ts"
import type { Dice } from "../sim/dice.ts"

const refusedMs = 60_000

/** The Store is put back to a backup that every task has gone past: each process must refuse it, and say why. Then the true one
 * comes back. Nothing new is made meanwhile, for what was read past the backup is read again. */
export async function oldStore(world: World, dice: Dice): Promise<{ readonly what: string }> {
  const { postgres } = world.servers
  const backup = `${postgres.data}.backup`
  const kept = `${postgres.data}.kept`
  world.traffic.stop()
  await whole(world)
  await postgres.service.end("SIGINT", 20_000)
  await copyData(postgres.data, backup)
  await postgres.start()
  // Every account comes by, so every partition.
  for (let batch = 0; batch < 12; batch++) world.traffic.batch(dice, 8)
  await whole(world)
  await Promise.all(world.weirs.map((weir) => weir.end()))
  await postgres.service.end("SIGINT", 20_000)
  await rename(postgres.data, kept)
  await rename(backup, postgres.data)
  await postgres.start()
  try {
    for (const weir of world.weirs) weir.start(world.release)
    for (const weir of world.weirs) weir.expected = true
    await until(
      "every process to refuse the old Store",
      () => world.weirs.every(({ service }) => !service.running) || undefined,
      refusedMs,
    )
    for (const weir of world.weirs) {
      const { code } = await weir.service.exit
      if (code === 0 || !weir.service.said.includes("the Store is older than the Log"))
        world.died.push(
          `weir-${weir.process} did not say that the Store is old (${code}); its log: ${weir.service.log}`,
        )
    }
  } finally {
    for (const weir of world.weirs) await weir.kill()
    await postgres.service.end("SIGINT", 20_000)
    await rm(postgres.data, { recursive: true })
    await rename(kept, postgres.data)
    await postgres.start()
    for (const weir of world.weirs) weir.start(world.release)
    world.remember()
  }
  return { what: "refused by all, then put right" }
}
