import { rm } from "node:fs/promises"
import { join } from "node:path"
import { Broker } from "../../core/drivers/log-embedded/broker.ts"
import { anotherTopic } from "./another-topic.ts"

anotherTopic("a log in a folder", {
  log: "log: { driver: embedded, dir: log }",
  recreate: ({ folder }) => rm(join(folder, "log"), { recursive: true }),
  async truncate({ folder }) {
    const broker = await Broker.open({
      folder: join(folder, "log"),
      segmentBytes: 4000,
      now: () => Date.now() + 10 * 86_400_000,
    })
    await broker.clean()
    await broker.clean()
    await broker.close()
  },
})
