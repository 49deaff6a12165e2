import { Kafka, logLevel } from "kafkajs"
import { afterAll, beforeAll } from "vitest"
import { until } from "../kit/log-contract.ts"
import { services } from "../services/addresses.ts"
import { anotherTopic } from "./another-topic.ts"

const { kafka } = services()
const admin = new Kafka({ brokers: kafka.split(","), logLevel: logLevel.NOTHING }).admin()
const deleted = new Set<string>()
beforeAll(() => admin.connect())
afterAll(async () => {
  const pipelines = [...deleted].map((topic) => topic.replace(/raw$/, ""))
  const topics = (await admin.listTopics()).filter((topic) => pipelines.some((name) => topic.startsWith(name)))
  if (topics.length > 0) await admin.deleteTopics({ topics })
  await admin.disconnect()
})

async function remove(topic: string): Promise<void> {
  deleted.add(topic)
  await admin.deleteTopics({ topics: [topic] })
  await until(async () => !(await admin.listTopics()).includes(topic))
}

anotherTopic("Kafka", {
  log: `log: { driver: kafka, brokers: [${kafka}] }`,
  recreate: (_, topic) => remove(topic),
  async live(_, topic) {
    await remove(topic)
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1 }] })
  },
  async truncate(_, topic) {
    deleted.add(topic)
    const [{ high } = { high: "0" }] = await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(Number(high) - 5) }] })
  },
})
