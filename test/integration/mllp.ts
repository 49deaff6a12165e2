import { once } from "node:events"
import { connect, createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"

/** A port that nobody listens at. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

async function connected(port: number): Promise<Socket> {
  for (;;) {
    const socket = connect({ port, host: "127.0.0.1" })
    const answer = await Promise.race([once(socket, "connect").then(() => socket), once(socket, "error")]).catch(
      () => [],
    )
    if (!Array.isArray(answer)) return socket
    await new Promise((done) => setImmediate(done))
  }
}

/** Sends messages, and waits for the code that answers each. */
export async function send(port: number, ...texts: readonly string[]): Promise<readonly string[]> {
  const socket = await connected(port)
  const codes: string[] = []
  for (const text of texts) {
    socket.write(`\x0b${text}\x1c\r`)
    const [answer] = (await once(socket, "data")) as [Buffer]
    codes.push(/MSA\|(\w\w)/.exec(answer.toString())![1]!)
  }
  socket.destroy()
  return codes
}
