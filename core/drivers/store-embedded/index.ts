import { mkdirSync, realpathSync } from "node:fs"
import { join } from "node:path"
import { WeirError, classify, fatal } from "../../errors.ts"
import type { Store } from "../../ports/store.ts"
import { openPostgresStore } from "../store-postgres/index.ts"
import { scrub } from "../store-postgres/scrub.ts"
import { Holders, exclusively } from "./holders.ts"
import { runningPostmaster, stopPostmaster } from "./postmaster.ts"
import { dataOf, ensureServer } from "./server.ts"

/** Where the embedded Store keeps its data and its server's log; made when missing. On a disk of this machine: a folder cannot be
 * shared by machines or containers. */
export interface EmbeddedStoreOptions {
  readonly dir: string
  /** As of openPostgresStore. */
  readonly steps?: number
}

/** Opens the Store on a PostgreSQL server of its own, which all processes of the machine that open the folder share: the first one
 * starts it, the last one that closes stops it. A server that a killed process left behind is used further.
 * @throws fatal `store-server`; systemic `disk-full`; retryable `store-busy` */
export async function openEmbeddedStore({ dir, ...options }: EmbeddedStoreOptions): Promise<Store> {
  const folder = makeFolder(dir)
  const lock = join(folder, "lock")
  const leases = new Holders(join(folder, "leases"))
  const { lease, url } = await exclusively(lock, async () => {
    const taken = leases.add()
    try {
      return { lease: taken, url: await ensureServer(folder) }
    } catch (error) {
      leases.remove(taken)
      throw error
    }
  })
  const leave = () =>
    exclusively(lock, async () => {
      leases.remove(lease)
      if (leases.others() === 0) await stopPostmaster(dataOf(folder))
    })
  let closing: Promise<void> | undefined
  try {
    const store = await openPostgresStore({ url, ...options })
    return {
      ...store,
      driver: "embedded",
      scrub: () => scrub(url),
      claim: (...task) => store.claim(...task).catch((error: unknown) => revive(error, folder, lock, url)),
      close: () => (closing ??= store.close().finally(leave)),
    }
  } catch (error) {
    await leave()
    throw error
  }
}

/** A server that died (out of memory, a full disk) is started again where it was, for there is nobody else to do it: everybody
 * comes back from an error by claiming again.
 * @throws the error that was met; fatal `store-server` when the server is elsewhere now */
async function revive(error: unknown, folder: string, lock: string, url: string): Promise<never> {
  if (!(error instanceof WeirError) || error.code !== "unreachable") throw error
  const port = Number(new URL(url).port)
  const running = runningPostmaster(dataOf(folder))
  if (running === undefined) await exclusively(lock, () => ensureServer(folder, port))
  else if (running.port !== port)
    throw fatal("store-server", "the embedded Store's server was killed and is found at another port now", {
      hint: "start this process again",
    })
  throw error
}

function makeFolder(dir: string): string {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    return realpathSync(dir)
  } catch (cause) {
    const error = classify(cause)
    if (error.meaning === "systemic") throw error
    throw fatal("store-server", "the folder of the embedded Store cannot be made", {
      path: "store.dir",
      hint: "name a folder that this user may write",
      cause,
    })
  }
}
