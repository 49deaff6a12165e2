import { execFileSync } from "node:child_process"
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, relative, resolve } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { stringify } from "yaml"
import { weir } from "./weir.ts"

describe("an embedded Store that was restored from a backup, beside a Log that went on", { timeout: 300_000 }, () => {
  let folder: string
  const file = () => join(folder, "pipeline.yaml")
  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), "weir-restored-")))
  })
  afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))

  /** @param stateful whether a counter stands before the table */
  const pipeline = (stateful: boolean) =>
    writeFile(
      file(),
      stringify({
        name: "restored",
        plugins: [relative(folder, resolve(import.meta.dirname, "zombies/plugins.ts"))],
        log: { driver: "embedded", dir: "log" },
        store: { driver: "embedded", dir: "store" },
        objects: { driver: "folder", dir: "objects" },
        topics: { events: { zone: "phi", partitions: 2 }, done: { zone: "phi", partitions: 2 } },
        sources: { feed: { use: "feed", with: { path: "feed" }, to: "events" } },
        stages: {
          work: {
            from: "events",
            through: [stateful ? { use: "tally", with: { "quiet-ms": 1 } } : { use: "stow" }],
            to: "done",
          },
        },
        sinks: { table: { use: "postgres", from: "done" } },
      }),
    )

  async function run(events: number) {
    await writeFile(join(folder, "feed"), String(events))
    return weir("run", file(), "--until-idle")
  }

  /** Files keep their owner, as the server's user is another one for root. */
  const copy = (from: string, to: string) => execFileSync("cp", ["-a", join(folder, from), join(folder, to)])

  /** Runs, keeps the Store as it is then, runs on, and puts the older Store back. */
  async function restored(): Promise<void> {
    expect((await run(20)).code).toBe(0)
    copy("store", "backup")
    expect((await run(40)).code).toBe(0)
    await rm(join(folder, "store"), { recursive: true })
    copy("backup", "store")
  }

  const rows = async () => {
    const { out, err } = await weir(
      "sql",
      file(),
      "SELECT count(*)::int AS n, min(_version)::int AS low, max(_version)::int AS high FROM phi.done",
      "--phi",
      "--json",
    )
    if (out === "") throw new Error(err)
    return JSON.parse(out)
  }

  it("is refused where a stage keeps state", async () => {
    await pipeline(true)
    await restored()
    const { code, err } = await run(40)
    expect(code).toBe(1)
    expect(err).toContain("code: store-behind-log")
    expect(err).toMatch(/the Log holds publication \d+, the Store only counts to \d+: the Store is older than the Log/)
    expect(err).toMatch(/hint: the Store was restored from a backup/)
  })

  it("is filled up where it only holds a sink's tables: their positions are as old as their rows", async () => {
    await pipeline(false)
    await restored()
    const { code, err } = await run(45)
    expect(code, err).toBe(0)
    expect(await rows()).toEqual([{ n: 45, low: 1, high: 1 }])
  })
})
