import { createHash, timingSafeEqual } from "node:crypto"
import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { AddressInfo, Socket } from "node:net"
import { resolve } from "node:path"
import { cpuUsage, memoryUsage, uptime } from "node:process"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import { fatal } from "../errors.ts"
import type { WeirError } from "../errors.ts"
import type { ListenSettings } from "../pipeline/model.ts"
import { prometheusText } from "./metric.ts"
import { metricFamilies } from "./metrics.ts"
import { attempt } from "./open.ts"
import type { RunState } from "./readiness.ts"
import { runStatus } from "./run-status.ts"
import type { Runtime } from "./runtime.ts"
import { Survey } from "./survey.ts"

/** Where a listener can be reached. */
export interface ListenerAddress {
  readonly host: string
  readonly port: number
}

/** Serves /healthz, /readyz, /metrics and /status until the scope ends. It never holds up the run, and answers nothing but names,
 * codes, numbers and times. Fails (fatal) with `listen-failed` where the port cannot be had, `listen-tls` where a file of `tls`
 * cannot be read, `missing-secret` where the token is not among the secrets. */
export const startListener = (
  settings: ListenSettings,
  runtime: Runtime,
  state: RunState,
): Effect.Effect<ListenerAddress, WeirError, Scope> =>
  Effect.map(
    Effect.acquireRelease(
      attempt(() => listen(settings, runtime, state)),
      ({ close }) => Effect.promise(close),
    ),
    ({ server }) => ({ host: settings.host, port: (server.address() as AddressInfo).port }),
  )

async function listen(settings: ListenSettings, runtime: Runtime, state: RunState) {
  const { host, port, tls } = settings
  const allowed = bearerCheck(settings, runtime)
  const survey = new Survey(runtime)
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    request.resume()
    answer(request, { runtime, state, survey, allowed }).then(
      ({ status, type, body, headers }) => {
        const length = String(Buffer.byteLength(body))
        response.writeHead(status, { ...headers, ...always, "content-type": type, "content-length": length })
        response.end(request.method === "HEAD" ? undefined : body)
      },
      () => response.writeHead(500, always).end(),
    )
  }
  const server: Server =
    tls === undefined
      ? createServer(limits, handle)
      : createTlsServer({ ...limits, ...(await tlsOptions(tls, runtime.pipeline.folder)) }, handle)
  server.maxConnections = 64
  const close = closer(server)
  server.on("clientError", (_, socket) => socket.destroy())
  server.on("tlsClientError", (_, socket) => socket.destroy())
  await new Promise<void>((done, failed) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      failed(
        fatal("listen-failed", `the listener cannot have ${host}:${port} (${error.code ?? "error"})`, {
          path: "listen",
          hint: "another process has the port, or the host is not one of this machine",
        }),
      ),
    )
    server.listen({ host, port }, done)
  })
  // A connection that breaks is its own affair.
  server.on("error", () => {})
  return { server, close }
}

/** A client that is slow or silent holds nothing for long. */
const limits = { requestTimeout: 10_000, headersTimeout: 5000, keepAliveTimeout: 5000, maxHeaderSize: 8192 }
const always = { "cache-control": "no-store", "x-content-type-options": "nosniff" }

/** Closes a server at once: also what has not finished its handshake, which node does not count as a connection of HTTP. */
function closer(server: Server): () => Promise<void> {
  const sockets = new Set<Socket>()
  server.on("connection", (socket: Socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
  })
  return async () => {
    const closed = new Promise<void>((done) => server.close(() => done()))
    for (const socket of sockets) socket.destroy()
    await closed
  }
}

async function tlsOptions({ cert, key, clientCa }: NonNullable<ListenSettings["tls"]>, folder: string) {
  const read = (path: string, setting: string) =>
    readFile(resolve(folder, path)).catch((cause: unknown) => {
      throw fatal("listen-tls", `the listener's ${setting} cannot be read`, { path: `listen.tls.${setting}`, cause })
    })
  const own = {
    handshakeTimeout: 5000,
    cert: await read(cert, "cert"),
    key: await read(key, "key"),
    minVersion: "TLSv1.2" as const,
  }
  if (clientCa === undefined) return own
  return { ...own, ca: await read(clientCa, "client-ca"), requestCert: true, rejectUnauthorized: true }
}

type Allowed = (request: IncomingMessage) => boolean

/** Compares digests, so that neither length nor time tells anything of the token. */
function bearerCheck({ token }: ListenSettings, { secrets }: Runtime): Allowed {
  if (token === undefined) return () => true
  const secret = secrets.get(token)
  if (secret === undefined)
    throw fatal("missing-secret", `the listener needs the secret ${JSON.stringify(token)}`, {
      hint: "declare it under secrets: in the pipeline file",
    })
  const digest = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest()
  const wanted = digest(secret)
  return ({ headers }) => {
    const given = /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1]
    return given !== undefined && timingSafeEqual(digest(Buffer.from(given, "latin1")), wanted)
  }
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}
interface Asked {
  readonly runtime: Runtime
  readonly state: RunState
  readonly survey: Survey
  readonly allowed: Allowed
}

const text = (status: number, body: string, headers = {}): Answer => ({
  status,
  type: "text/plain; charset=utf-8",
  body: `${body}\n`,
  headers,
})
const json = (status: number, body: object): Answer => ({
  status,
  type: "application/json",
  body: `${JSON.stringify(body)}\n`,
})

async function answer(request: IncomingMessage, { runtime, state, survey, allowed }: Asked): Promise<Answer> {
  if (!allowed(request)) return text(401, "a bearer token is needed", { "www-authenticate": "Bearer" })
  if (request.method !== "GET" && request.method !== "HEAD") return text(405, "only GET", { allow: "GET, HEAD" })
  const use = () => ({ memory: memoryUsage(), cpu: cpuUsage(), uptime: uptime() })
  switch ((request.url ?? "").split("?")[0]) {
    case "/healthz":
      return text(200, "ok")
    case "/readyz": {
      const { ready, reasons } = state.readiness
      return ready ? text(200, "ready") : text(503, reasons.join("\n"))
    }
    case "/metrics": {
      const families = metricFamilies(runtime, await survey.look(), state.readiness, use())
      return { status: 200, type: "text/plain; version=0.0.4; charset=utf-8", body: prometheusText(families) }
    }
    case "/status":
      return json(200, runStatus(runtime, await survey.look(), state.readiness, use()))
    default:
      return text(404, "there are /healthz, /readyz, /metrics and /status")
  }
}
