import { randomUUID } from "node:crypto"
import type { AddressInfo, Socket } from "node:net"
import { Schema, classify, defineSource, fatal, hl7v2Message, port } from "../../core/index.ts"
import type { Context, SourceRun } from "../../core/index.ts"
import { zoneOffset } from "../../formats/fhir/time.ts"
import type { ZoneOffset } from "../../formats/fhir/time.ts"
import { checkListen, listen } from "./listen.ts"
import type { ListenGiven } from "./listen.ts"
import { Session } from "./session.ts"

const text = (description: string) => Schema.String.annotate({ description })

const options = Schema.Struct({
  port: Schema.Int.annotate({ description: "TCP port; 0 takes a free one, which the log names" }),
  host: Schema.optionalKey(
    text(
      "address to listen on; any other than this machine's own needs peers, or tls with client-ca (default 127.0.0.1)",
    ),
  ),
  peers: Schema.optionalKey(
    Schema.Array(Schema.String).annotate({
      description: "addresses and networks (10.1.0.0/16) that may connect (default whoever reaches it)",
    }),
  ),
  tls: Schema.optionalKey(
    Schema.Struct({
      cert: text("PEM file of the certificate"),
      key: text("PEM file of its key"),
      "client-ca": Schema.optionalKey(text("PEM file of the CA whose clients alone may speak")),
    }).annotate({ description: "TLS 1.2 or newer" }),
  ),
  "max-bytes": Schema.optionalKey(Schema.Int.annotate({ description: "longest message, bytes (default 16777216)" })),
  "time-zone": Schema.optionalKey(text("zone of times that state none: an IANA name, Z or +hh:mm (default Z)")),
})
type Options = typeof options.Type

export const outputs = { out: port(hl7v2Message, "patient-id", "phi") }

function givenOf(given: Options, context: Context): ListenGiven {
  const { tls } = given
  const ca = tls?.["client-ca"]
  return {
    host: given.host ?? "127.0.0.1",
    port: given.port,
    peers: given.peers ?? [],
    ...(tls === undefined
      ? {}
      : {
          tls: {
            cert: context.resolve(tls.cert),
            key: context.resolve(tls.key),
            ...(ca === undefined ? {} : { clientCa: context.resolve(ca) }),
          },
        }),
  }
}

/** Listens until the run is stopped; rejects when a session meets what is not its connection's fault. */
async function serve(given: Options, zone: ZoneOffset, context: Context, run: SourceRun<typeof outputs>) {
  const sockets = new Set<Socket>()
  const sessions = new Set<Promise<void>>()
  // Of this listener alone: two processes may stand behind one address.
  const prefix = randomUUID().replaceAll("-", "").slice(0, 10)
  let [hand, ids, connections] = [0, 0, 0]
  let stop = () => {}
  let broken: (error: unknown) => void = () => {}
  const stopped = new Promise<void>((resolve, reject) => {
    stop = resolve
    broken = reject
  })
  const inHand = (change: 1 | -1) => {
    hand += change
    if (hand === 0) run.caughtUp()
  }
  const listening = {
    context,
    run,
    zone,
    mostBytes: given["max-bytes"] ?? 16_777_216,
    nextId: () => `${prefix}${(++ids).toString(36)}`,
    inHand,
  }
  const server = await listen(givenOf(given, context), (socket) => {
    sockets.add(socket)
    const session = new Session(socket, listening, `connection-${++connections}`).serve()
    const ended = session.catch(broken).finally(() => {
      sockets.delete(socket)
      sessions.delete(ended)
    })
    sessions.add(ended)
  })
  const { port: taken } = server.address() as AddressInfo
  context.log.info("listening", { port: taken })
  run.signal.addEventListener("abort", stop)
  if (run.signal.aborted) stop()
  else run.caughtUp()
  try {
    await stopped
  } catch (error) {
    throw classify(error)
  } finally {
    server.close()
    for (const socket of sockets) socket.destroy()
    await Promise.all(sessions)
  }
}

/** Takes HL7 v2 messages over MLLP (release 1), in each process. A message is acknowledged (MSA-1 AA; CA to senders in enhanced mode)
 * when it is durable in the log; one that cannot be read is a dead letter, and its sender is told (AE for a fault in the message, AR
 * where its head cannot be read). What was not acknowledged stays with the sender; what comes twice is one row. */
export const hl7v2Mllp = defineSource({
  name: "hl7v2-mllp",
  summary: "Takes HL7 v2 messages over MLLP and acknowledges each when it is durable",
  runs: "everywhere",
  feeds: ["hl7v2"],
  options,
  outputs,
  async create(given, context) {
    const zone = zoneOffset(given["time-zone"] ?? "Z")
    if (zone === undefined)
      throw fatal("time-zone-unknown", "the time zone is no IANA name, Z or +hh:mm", { path: "time-zone" })
    checkListen(givenOf(given, context))
    return { run: (run) => serve(given, zone, context, run) }
  },
})
