import { createServer, type AddressInfo, type Socket } from "node:net"
import { createRequire } from "node:module"
import { logLevel } from "kafkajs"
import { expect, it } from "vitest"
import { bindConnections, type Connecting, type Connection } from "../../core/drivers/log-kafka/connections.ts"

const kafkajs = createRequire(import.meta.url)
const quiet = { namespace: () => quiet, debug() {}, info() {}, warn() {}, error() {} }

interface Sending extends Connection {
  send(request: object): Promise<string>
}

/** A question of Kafka's protocol whose answer is a text. */
const question = {
  request: { apiKey: 3, apiVersion: 0, apiName: "Metadata", encode: async () => new (encoder())() },
  response: {
    decode: async (payload: Buffer) => ({ payload }),
    parse: async ({ payload }: { readonly payload: Buffer }) => payload.toString(),
  },
}

function encoder(): new () => unknown {
  return kafkajs("kafkajs/src/protocol/encoder") as new () => unknown
}

const answer = (correlationId: number, text: string): Buffer => {
  const head = Buffer.alloc(8)
  head.writeInt32BE(4 + text.length, 0)
  head.writeInt32BE(correlationId, 4)
  return Buffer.concat([head, Buffer.from(text)])
}

it("takes no answer of a new connection for the end of one that broke off with the connection before", async () => {
  let asked = 0
  const server = createServer((socket: Socket) => {
    socket.on("error", () => {})
    socket.on("data", () => {
      const whole = answer(asked, `answer ${asked}`)
      if (asked++ === 0) socket.end(whole.subarray(0, whole.length - 3))
      else socket.write(whole)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const Pool = kafkajs("kafkajs/src/network/connectionPool") as new (
    options: object,
  ) => Awaited<ReturnType<Connecting["connectionPoolBuilder"]["build"]>>
  const options = { host: "127.0.0.1", port, logger: quiet, logLevel: logLevel.NOTHING, requestTimeout: 500 }
  const cluster: Connecting = {
    connectionPoolBuilder: { build: async () => new Pool({ ...options, connectionTimeout: 1000, socketFactory }) },
    brokerPool: {
      brokers: {},
      createBroker: () => {
        throw new Error("no broker is asked for")
      },
    },
    disconnect: async () => {},
  }
  bindConnections(cluster)
  const pool = await cluster.connectionPoolBuilder.build()
  Object.assign(cluster.brokerPool, { seedBroker: { connectionPool: pool } })
  const ask = async () => ((await pool.getConnection(0)) as Sending).send(question)
  try {
    await expect(ask()).rejects.toMatchObject({ name: "KafkaJSConnectionClosedError" })
    expect(await ask()).toBe("answer 1")
    expect(await ask()).toBe("answer 2")
  } finally {
    await pool.getConnection(0).then((connection) => connection.disconnect())
    await new Promise((resolve) => server.close(resolve))
  }
})

const socketFactory = (kafkajs("kafkajs/src/network/socketFactory") as () => unknown)()
