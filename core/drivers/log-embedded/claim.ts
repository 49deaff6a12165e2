import { randomBytes } from "node:crypto"
import { link, mkdtemp, readdir, rm, symlink, unlink } from "node:fs/promises"
import { connect, createServer, type Server, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

/** Either this process owns the log, and others come through `server`, or `socket` leads to the owner. */
export type Met = { readonly server: Server; readonly waiting: Socket[] } | { readonly socket: Socket }

/** A socket's path may have about 100 bytes; a folder's may be longer. */
const LONGEST = 90

/** A way to the folder that is short enough for sockets in it. */
export class ShortPath {
  readonly folder: string
  readonly #made: string | undefined

  private constructor(folder: string, made: string | undefined) {
    this.folder = folder
    this.#made = made
  }

  static async to(folder: string): Promise<ShortPath> {
    if (Buffer.byteLength(folder) < LONGEST - 20) return new ShortPath(folder, undefined)
    const made = await mkdtemp(join(tmpdir(), "weir-"))
    const path = join(made, "l")
    await symlink(folder, path)
    return new ShortPath(path, made)
  }

  async close(): Promise<void> {
    if (this.#made !== undefined) await rm(this.#made, { recursive: true, force: true })
  }
}

/** Finds the owner of the log, or becomes it. The owner is whoever listens at the socket `owner.<n>` of the greatest n. A socket
 * that refuses is of a process that is gone, and never comes to life again: the next owner is who makes the name of n + 1, which
 * only one can. */
export async function meet(folder: string): Promise<Met> {
  for (;;) {
    const top = await greatest(folder)
    const socket = top === 0 ? undefined : await reach(join(folder, `owner.${top}`))
    if (socket === "again") await sleep(5)
    else if (socket !== undefined) return { socket }
    else {
      const claimed = await claim(folder, top + 1)
      if (claimed !== undefined) return claimed
    }
  }
}

async function claim(folder: string, number: number): Promise<Met | undefined> {
  const waiting: Socket[] = []
  const server = createServer({ pauseOnConnect: true }, (socket) => void waiting.push(socket))
  const bound = join(folder, `claim-${randomBytes(4).toString("hex")}~`)
  const name = join(folder, `owner.${number}`)
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(bound, resolve)
  })
  const giveUp = async () => {
    for (const socket of waiting) socket.destroy()
    await closeServer(server)
    return undefined
  }
  try {
    await link(bound, name)
  } catch (error) {
    // Somebody else was first, or the new owner tidied up.
    if (["EEXIST", "ENOENT"].includes(String((error as { code?: unknown }).code))) return giveUp()
    await giveUp()
    throw error
  }
  await unlink(bound).catch(() => {})
  // An owner that came and went meanwhile has left a greater number.
  if ((await greatest(folder)) > number) {
    await unlink(name).catch(() => {})
    return giveUp()
  }
  for (const old of await numbers(folder)) if (old < number) await unlink(join(folder, `owner.${old}`)).catch(() => {})
  return { server, waiting }
}

/** Stops listening. */
export const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
  })

async function numbers(folder: string): Promise<number[]> {
  return (await readdir(folder)).flatMap((name) => {
    const found = /^owner\.(\d+)$/.exec(name)
    return found === null ? [] : [Number(found[1])]
  })
}

const greatest = async (folder: string): Promise<number> => Math.max(0, ...(await numbers(folder)))

/** Undefined when the socket's process is gone. */
function reach(path: string): Promise<Socket | "again" | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once("connect", () => {
      socket.removeAllListeners("error")
      resolve(socket)
    })
    socket.once("error", (error: { code?: string }) => {
      if (error.code === "ECONNREFUSED") resolve(undefined)
      else if (["ENOENT", "EAGAIN", "ECONNRESET", "EPIPE"].includes(String(error.code))) resolve("again")
      else reject(error)
    })
  })
}
