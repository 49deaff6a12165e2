import type { Socket } from "node:net"

/** One connection of kafkajs to a broker (kafkajs 2.2.4, `src/network/connection.js`). */
export interface Connection {
  socket?: Socket
  readonly requestTimeout: number
  /** `src/network/requestQueue/index.js` */
  readonly requestQueue: {
    readonly pending: readonly unknown[]
    readonly throttledUntil: number
    scheduleCheckPendingRequests(): void
  }
  /** What came of an answer that is not whole yet, and how much is needed to go on. */
  chunks: Buffer[]
  bytesBuffered: number
  bytesNeeded: number
  /** Set while a login waits for the broker's answer. */
  readonly authHandlers: { onError(): void } | null
  isConnected(): boolean
  connect(): Promise<unknown>
  disconnect(): Promise<unknown>
  sendAuthRequest(request: unknown): Promise<unknown>
}

/** The connections of one broker: one for fetches, one for all else (`src/network/connectionPool.js`). */
interface Pool {
  readonly pool: readonly Connection[]
  getConnection(index?: number): Promise<Connection>
}

/** `src/broker/index.js` */
interface PooledBroker {
  readonly connectionPool: Pool
  apiVersions(): Promise<unknown>
  disconnect(): Promise<void>
}

/** What of a cluster of kafkajs makes and holds connections (`src/cluster/index.js`, `src/cluster/brokerPool.js`). */
export interface Connecting {
  readonly connectionPoolBuilder: { build(where?: object): Promise<Pool> }
  readonly brokerPool: {
    readonly brokers: Readonly<Record<string, PooledBroker>>
    readonly seedBroker?: PooledBroker
    createBroker(options: object): PooledBroker
  }
  disconnect(): Promise<void>
}

/** Makes a cluster's connections ones that end. kafkajs lets go of sockets without destroying them: one that is still being
 * connected when its time is up stays for the minutes that the system tries on (each try against a broker that is frozen leaves
 * one), one whose peer never answers the end stays for ever, of two requests that connect at once one socket is forgotten, an
 * answer that broke off is taken for the beginning of the next connection's first, and a broker that was let go of, or a cluster that was closed, connects again for whoever still holds it. Here a connection has one
 * socket at most, which is destroyed when it is let go of, and only brokers that the cluster knows have any.
 * @returns closes the cluster for good: nothing connects any more */
export function bindConnections(cluster: Connecting): () => Promise<void> {
  const { connectionPoolBuilder: builder, brokerPool } = cluster
  let isClosed = false
  const knows = (pool: Pool) =>
    !isClosed &&
    [brokerPool.seedBroker, ...Object.values(brokerPool.brokers)].some((each) => each?.connectionPool === pool)

  const build = builder.build.bind(builder)
  builder.build = async (where) => {
    const pool = await build(where)
    for (const each of pool.pool) bindConnection(each)
    const getConnection = pool.getConnection.bind(pool)
    pool.getConnection = async (index) => {
      if (!knows(pool)) throw letGo(!isClosed)
      return getConnection(index)
    }
    return pool
  }

  const createBroker = brokerPool.createBroker.bind(brokerPool)
  brokerPool.createBroker = (options) => {
    const broker = createBroker(options)
    const apiVersions = broker.apiVersions.bind(broker)
    // A broker that did not say what it understands counts as connected, and could be asked nothing, for as long as it stays so.
    broker.apiVersions = () =>
      apiVersions().catch(async (error: unknown) => {
        await broker.disconnect()
        throw error
      })
    return broker
  }

  return async () => {
    isClosed = true
    await cluster.disconnect()
  }
}

function bindConnection(connection: Connection): void {
  const connect = connection.connect.bind(connection)
  const disconnect = connection.disconnect.bind(connection)
  const sendAuthRequest = connection.sendAuthRequest.bind(connection)
  const { requestQueue: queue } = connection
  const schedule = queue.scheduleCheckPendingRequests.bind(queue)
  // kafkajs sets a timer after each answer, also when nothing waits: for a time before 1970 then, of which Node warns.
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length > 0 || queue.throttledUntil > Date.now()) schedule()
  }
  let connecting: Promise<unknown> | undefined
  connection.connect = () => {
    // Of an answer that broke off kafkajs keeps the beginning, and would take the next connection's answers for its end.
    if (connecting === undefined && !connection.isConnected())
      Object.assign(connection, { chunks: [], bytesBuffered: 0, bytesNeeded: 4 })
    connecting ??= connect().finally(() => {
      connecting = undefined
    })
    return connecting
  }
  connection.disconnect = async () => {
    const { socket } = connection
    // To a socket that is gone each further end adds a listener.
    if (socket?.destroyed === true) socket.removeAllListeners("connect")
    await disconnect()
    connection.authHandlers?.onError()
    if (socket === undefined || socket.destroyed) return true
    // Who waits for the connection learns of it by an error of the socket; nobody else may, for the next socket would pay for it.
    if (connecting === undefined) {
      for (const event of ["data", "end", "error", "timeout"]) socket.removeAllListeners(event)
      socket.on("error", () => {})
    }
    socket.destroy(connecting === undefined ? undefined : letGo(true))
    return true
  }
  // A login is the one question that kafkajs waits for without end.
  connection.sendAuthRequest = async (request) => {
    const timer = setTimeout(() => void connection.disconnect(), connection.requestTimeout)
    try {
      return await sendAuthRequest(request)
    } finally {
      clearTimeout(timer)
    }
  }
}

const letGo = (retriable: boolean): Error =>
  Object.assign(new Error("the connection was let go of"), { name: "KafkaJSConnectionError", retriable })
