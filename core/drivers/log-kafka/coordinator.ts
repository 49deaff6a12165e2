import { patiently } from "./client.ts"
import { newCluster } from "./kafkajs.ts"
import type { Kafka } from "kafkajs"

/** How long a coordinator may take to come up, ms. */
const PATIENCE = 30_000

/** Asks a broker who coordinates a consumer group or a transactional id. kafkajs itself tries every broker for a minute and then says
 * that there is no coordinator, also where the user may not use it; here Kafka's own answer is told.
 * @throws what kafkaError makes of it: systemic `access-refused` where an ACL is missing */
export async function askCoordinator(
  kafka: Kafka,
  node: number | string,
  kind: "group" | "transactional id",
  id: string,
): Promise<void> {
  const cluster = newCluster(kafka)
  try {
    await patiently(
      `${kind} ${id}`,
      async () => {
        await cluster.connect()
        await cluster.refreshMetadataIfNecessary()
        const broker = await cluster.findBroker({ nodeId: node })
        await broker.findGroupCoordinator({ groupId: id, coordinatorType: kind === "group" ? 0 : 1 })
      },
      undefined,
      PATIENCE,
    )
  } finally {
    await cluster.close().catch(() => {})
  }
}
