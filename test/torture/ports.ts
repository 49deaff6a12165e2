import { createServer } from "node:net"

const taken = new Set<number>()

/** A port that is free, below those that systems give to outgoing connections (RFC 6056: 32768 and above on Linux), so that nobody
 * has it by chance when its server starts again. */
export async function ownPort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    if (taken.has(port) || !(await isFree(port))) continue
    taken.add(port)
    return port
  }
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })
