import { randomBytes } from "node:crypto"
import { mkdir, readdir, rm, stat, unlink } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { errnoOf } from "./errors.ts"

// `~` is no character of keys, so no object can be among the temporaries.
const FOLDER = "~tmp"
const FOREIGN_AGE = 86_400_000
const HOST = hostname().replaceAll(/[^A-Za-z0-9.-]/g, "-")
const RUN = randomBytes(6).toString("hex")

/** Temporary files of one folder of objects: named by host, process and run, so that a crash's can be told from live ones. */
export class Temporaries {
  readonly #folder: string
  #count = 0

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Makes the folder and removes what crashed processes left in it. */
  static async open(root: string): Promise<Temporaries> {
    const temporaries = new Temporaries(join(root, FOLDER))
    await mkdir(temporaries.#folder, { recursive: true })
    await temporaries.#clean()
    return temporaries
  }

  /** A path that no other writer uses. */
  path(): string {
    return join(this.#folder, `${HOST}~${process.pid}~${RUN}~${this.#count++}`)
  }

  /** Removes a temporary, if it is still there. */
  async remove(path: string): Promise<void> {
    await rm(path, { force: true })
  }

  async #clean(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name)
      if (await isLeftOver(name, path))
        await unlink(path).catch((error: unknown) => {
          if (errnoOf(error) !== "ENOENT") throw error
        })
    }
  }
}

/** Another host's process cannot be asked for, so its files go by age: a day. */
async function isLeftOver(name: string, path: string): Promise<boolean> {
  const [host, pid, run] = name.split("~")
  if (host !== HOST) return ((await stat(path).catch(() => undefined))?.ctimeMs ?? Infinity) < Date.now() - FOREIGN_AGE
  if (Number(pid) === process.pid) return run !== RUN
  return !isAlive(Number(pid))
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) === "EPERM"
  }
}
