import { execFileSync } from "node:child_process"
import { mkdir, mkdtemp, readFile, rm, statfs, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeAll, describe, expect, it } from "vitest"
import { withStore } from "../../cli/ports.ts"
import { badFiles } from "./bad-files.ts"
import { app, compiled, weirProcess } from "./weir.ts"

const tables = ["curated_studies", "curated_instances", "curated_resources", "curated_labels"]

/** Everything that a run left in its tables, and what became of its arrivals. */
async function resultOf(file: string, out: string) {
  const pipeline = await compiled(file)
  const rows = await withStore(pipeline, app, async (store) => {
    const all: string[] = []
    for (const table of tables) {
      const { rows: found } = await store.query(`SELECT to_jsonb(t) - '_version' FROM limited.${table} t`, "limited")
      all.push(...found.map(([row]) => `${table} ${JSON.stringify(row)}`))
    }
    return all.sort()
  })
  return { rows, fates: JSON.parse(out).fates as unknown }
}

const runArguments = (file: string) => ["run", file, "--until-idle", "--as-of", "2024-11-04", "--json"]
const size = 16 << 20

/** A file system of 16 MB. */
class SmallDisk {
  readonly path: string
  readonly #filler: string

  constructor(path: string) {
    this.path = path
    this.#filler = join(path, "filler")
  }

  mount(): void {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", this.path], { stdio: "ignore" })
  }

  /** Leaves some bytes. */
  async fill(left: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.path)
    await writeFile(this.#filler, Buffer.alloc(bavail * bsize - left))
    const now = await statfs(this.path)
    expect(now.bavail * now.bsize).toBeLessThan(left + 8192)
  }

  empty = (): Promise<void> => rm(this.#filler, { force: true })
  unmount = (): void => void execFileSync("umount", ["-l", this.path], { stdio: "ignore" })
}

const folder = async () => mkdtemp(join(tmpdir(), "weir-disk-"))

async function mountable(): Promise<boolean> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false
  const disk = new SmallDisk(await folder())
  try {
    disk.mount()
    disk.unmount()
    return true
  } catch {
    return false
  } finally {
    await rm(disk.path, { recursive: true, force: true })
  }
}

const can = await mountable()
if (!can)
  console.warn("SKIPPED: a full disk needs Linux, root and the right to mount a tmpfs; none of it is tried here")

describe.skipIf(!can)("a full disk (needs root, to mount a small one)", () => {
  let example: string
  let undisturbed: Awaited<ReturnType<typeof resultOf>>
  const made: (() => Promise<void>)[] = []
  const prepared = async (change: (text: string) => string = (text) => text) => {
    const path = await folder()
    made.push(() => rm(path, { recursive: true, force: true }))
    return { path, file: await badFiles(path, change(example), false) }
  }

  beforeAll(async () => {
    example = await readFile("examples/demo.yaml", "utf8")
    const { file } = await prepared()
    const { code, out, err } = await weirProcess(runArguments(file)).ended
    expect(code, err).toBe(0)
    undisturbed = await resultOf(file, out)
    expect(undisturbed.rows.length).toBeGreaterThan(40)
  })
  afterEach(async () => {
    for (const undo of made.splice(0).toReversed()) await undo()
  })

  const places = [
    {
      what: "the log's",
      dir: "data/log",
      setting: "",
      left: 128 << 10,
      who: /paused (?:stage|source)=\w+ .*code=disk-full/,
    },
    { what: "the objects'", dir: "disk", setting: "disk/objects", left: 256 << 10, who: /paused .*code=disk-full/ },
  ]
  it.each(places)(
    "of $what pauses the run, which goes on by itself once there is space, to the same result",
    async ({ dir, setting, left, who }) => {
      const { path, file } = await prepared((text) =>
        setting === "" ? text : text.replace("driver: folder, dir: data/objects", `driver: folder, dir: ${setting}`),
      )
      const disk = new SmallDisk(join(path, dir))
      await mkdir(disk.path, { recursive: true })
      disk.mount()
      made.push(async () => disk.unmount())
      await disk.fill(left)

      const { child, said, ended } = weirProcess(runArguments(file))
      made.push(async () => void child.kill("SIGKILL"))
      let over = false
      void ended.then(() => (over = true))
      await expect.poll(() => over || who.test(said.err), { timeout: 90_000, interval: 100 }).toBe(true)
      expect(said.err, "it paused").toMatch(who)
      expect(over, said.err).toBe(false)

      await disk.empty()
      const { code, out, err } = await ended
      expect(code, err).toBe(0)
      expect(err).toMatch(/info resumed /)
      expect(await resultOf(file, out)).toEqual(undisturbed)
    },
    180_000,
  )
})
