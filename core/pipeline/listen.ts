import { isIP, isIPv4 } from "node:net"
import type { Path, Source } from "./document.ts"
import type { ListenSettings } from "./model.ts"
import type { Shape } from "./shape.ts"

/** Reads `listen:`; faults are reported. What is reached from other machines must know its callers.
 * @param needed gains the token's secret */
export function listenSettings(source: Source, root: Shape, needed: Map<string, Path>): ListenSettings | undefined {
  const listen = root.map("listen", ["port", "host", "token", "tls"])
  if (listen === undefined) return undefined
  const port = listen.integer("port", 0)
  if (port === undefined && !listen.has("port")) source.fault(["listen"], "missing port")
  if (port !== undefined && port > 65_535) source.fault(["listen", "port"], "expected a port of at most 65535")
  const host = listen.string("host") ?? "127.0.0.1"
  const token = listen.string("token")
  if (token !== undefined) needed.set(token, ["listen", "token"])
  const tls = tlsSettings(source, listen)
  if (!isLoopback(host) && token === undefined && tls?.clientCa === undefined)
    source.fault(
      ["listen", listen.has("host") ? "host" : "port"],
      `${host} can be reached from other machines: add token, or tls with client-ca`,
    )
  return { host, port: port ?? 0, token, tls }
}

function tlsSettings(source: Source, listen: Shape): ListenSettings["tls"] {
  const tls = listen.map("tls", ["cert", "key", "client-ca"])
  if (tls === undefined) return undefined
  const [cert, key] = [tls.string("cert"), tls.string("key")]
  for (const name of ["cert", "key"]) if (!tls.has(name)) source.fault(tls.path, `missing ${name}: a PEM file`)
  return { cert: cert ?? "", key: key ?? "", clientCa: tls.string("client-ca") }
}

/** True for this machine's own addresses: 127.0.0.0/8 and ::1. A name may mean another machine tomorrow, `localhost` apart. */
export const isLoopback = (host: string): boolean =>
  isIP(host) === 0 ? host === "localhost" : isIPv4(host) ? host.startsWith("127.") : host === "::1"
