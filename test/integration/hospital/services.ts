import { randomBytes } from "node:crypto"
import { Kafka, logLevel } from "kafkajs"
import { Client } from "pg"
import { drivers } from "../../../main.ts"
import { services } from "../../services/addresses.ts"
import type { Changes } from "./folder.ts"

/** Names on the real services that nobody else uses: a database, buckets, and topics by their prefix. */
export interface Place {
  /** The pipeline's name and the topics' prefix: on any Log, so that they are the same on all. */
  readonly names: Pick<Changes, "name" | "topicPrefix">
  /** The pipeline's port lines. */
  readonly ports: Required<Pick<Changes, "log" | "store" | "objects">>
  /** Takes it all away. */
  clear(): Promise<void>
}

/** Makes a place of its own on the real Kafka, PostgreSQL and S3. */
export async function placeOnServices(): Promise<Place> {
  const { kafka, postgres, s3 } = services()
  const id = `t${randomBytes(4).toString("hex")}`
  const admin = async (sql: string) => {
    const client = new Client({ connectionString: postgres })
    await client.connect()
    await client.query(sql).finally(() => client.end())
  }
  await admin(`CREATE DATABASE ${id}`)
  const url = new URL(postgres)
  url.pathname = `/${id}`
  const objects = {
    driver: "s3",
    endpoint: s3.endpoint,
    bucket: `weir-${id}`,
    "access-key": s3.key,
    "secret-key": s3.secret,
  }
  return {
    names: { name: `p-${id}`, topicPrefix: `${id}.` },
    ports: {
      log: { driver: "kafka", brokers: kafka.split(",") },
      store: { driver: "postgres", url: url.href },
      objects,
    },
    async clear() {
      await removeTopics(kafka, (topic) => topic.startsWith(`${id}.`) || topic.startsWith(`p-${id}.`))
      await admin(`DROP DATABASE ${id} WITH (FORCE)`)
      for (const zone of ["phi", "limited", "clean"] as const) {
        const bucket = await drivers.objects(objects, zone, "/")
        const keys: string[] = []
        for await (const { key } of bucket.list("")) keys.push(key)
        await bucket.delete(keys)
        await bucket.close()
      }
    },
  }
}

async function removeTopics(brokers: string, ours: (topic: string) => boolean): Promise<void> {
  const admin = new Kafka({ clientId: "weir-test", brokers: brokers.split(","), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    await admin.deleteTopics({ topics: (await admin.listTopics()).filter(ours) })
  } finally {
    await admin.disconnect()
  }
}
