import { readFile } from "node:fs/promises"
import { BlockList, createServer, isIP, isIPv6 } from "node:net"
import type { Server, Socket } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import { fatal } from "../../core/index.ts"
import type { WeirError } from "../../core/index.ts"

/** Where a listener is, and who may speak to it. */
export interface ListenGiven {
  readonly host: string
  readonly port: number
  /** Addresses, or networks as 10.1.0.0/16; empty: whoever reaches it. */
  readonly peers: readonly string[]
  /** PEM files, by absolute paths. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string }
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."))

/** Throws fatal `listen-open` for what can be reached from other machines without knowing its callers, `peer-unknown`. */
export function checkListen({ host, peers, tls }: ListenGiven): void {
  if (!isLoopback(host) && peers.length === 0 && tls?.clientCa === undefined)
    throw fatal("listen-open", "the listener can be reached from other machines, by anybody", {
      path: "host",
      hint: "add peers, or tls with client-ca",
    })
  listOf(peers)
}

function listOf(peers: readonly string[]): BlockList {
  const list = new BlockList()
  for (const peer of peers) {
    const [address = "", length] = peer.split("/")
    const type = isIPv6(address) ? "ipv6" : "ipv4"
    const bits = length === undefined ? undefined : Number(length)
    if (isIP(address) === 0 || (bits !== undefined && !(Number.isInteger(bits) && bits >= 0 && bits <= 128)))
      throw fatal("peer-unknown", "a peer is no address and no network", {
        path: "peers",
        hint: "as 10.1.2.3 or 10.1.0.0/16",
      })
    if (bits === undefined) list.addAddress(address, type)
    else list.addSubnet(address, bits, type)
  }
  return list
}

const most = 256

/** Opens a listener; each connection that may speak is given on. Throws fatal `listen-failed`, `listen-tls`. */
export async function listen(given: ListenGiven, connected: (socket: Socket) => void): Promise<Server> {
  const allowed = listOf(given.peers)
  const take = (socket: Socket) => {
    socket.on("error", () => {})
    const { remoteAddress = "" } = socket
    const address = remoteAddress.replace(/^::ffff:(?=\d+\.)/, "")
    const isKnown = given.peers.length === 0 || allowed.check(address, isIPv6(address) ? "ipv6" : "ipv4")
    if (!isKnown) return void socket.destroy()
    socket.setKeepAlive(true, 30_000)
    socket.setNoDelay(true)
    connected(socket)
  }
  const server = given.tls === undefined ? createServer(take) : createTlsServer(await tlsOptions(given.tls), take)
  server.maxConnections = most
  server.on("tlsClientError", (_: Error, socket: Socket) => socket.destroy())
  await new Promise<void>((done, failed) => {
    server.once("error", (error: NodeJS.ErrnoException) => failed(portError(given, error)))
    server.listen({ host: given.host, port: given.port }, done)
  })
  server.on("error", () => {})
  return server
}

const portError = ({ host, port }: ListenGiven, error: NodeJS.ErrnoException): WeirError =>
  fatal("listen-failed", `the listener cannot have ${host}:${port} (${error.code ?? "error"})`, {
    path: "port",
    hint: "another process has the port, or the host is not one of this machine",
  })

async function tlsOptions({ cert, key, clientCa }: NonNullable<ListenGiven["tls"]>) {
  const read = (path: string, setting: string) =>
    readFile(path).catch((cause: unknown) => {
      throw fatal("listen-tls", `the listener's ${setting} cannot be read`, { path: `tls.${setting}`, cause })
    })
  const own = { cert: await read(cert, "cert"), key: await read(key, "key"), minVersion: "TLSv1.2" as const }
  if (clientCa === undefined) return own
  return { ...own, ca: await read(clientCa, "client-ca"), requestCert: true, rejectUnauthorized: true }
}
