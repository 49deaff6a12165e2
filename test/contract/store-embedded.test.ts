import { execFileSync, spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { openEmbeddedStore } from "../../core/drivers/store-embedded/index.ts"
import { openPostgresStore } from "../../core/drivers/store-postgres/index.ts"
import type { WeirError } from "../../core/errors.ts"
import type { StepChange, TaskStore } from "../../core/ports/store.ts"
import { storeContract } from "../kit/store-contract.ts"
import { postgresSuite } from "./store-postgres-suite.ts"
import { vaultSuite } from "./vault-suite.ts"

const made: string[] = []
const folder = () => {
  const dir = mkdtempSync(join(tmpdir(), "weir-store-"))
  made.push(dir)
  return dir
}
afterAll(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true })
})

const shared = folder()
// Holds the server for all suites of this file.
const holder = await openEmbeddedStore({ dir: shared })
afterAll(() => holder.close())

storeContract("an embedded server", {
  open: () => openEmbeddedStore({ dir: shared }),
  openAt: (url) => openPostgresStore({ url }),
})

postgresSuite("an embedded server", () => holder.url)
vaultSuite("an embedded server", () => holder.url)

const children: ChildProcess[] = []
/** Starts a process that opens the Store of a folder; resolves when it has. */
async function child(dir: string, mode = ""): Promise<ChildProcess> {
  const script = fileURLToPath(new URL("store-embedded-child.ts", import.meta.url))
  const process_ = spawn(process.execPath, [script, dir, mode], { stdio: ["pipe", "pipe", "inherit"] })
  children.push(process_)
  await Promise.race([
    once(process_.stdout!, "data"),
    once(process_, "exit").then(() => Promise.reject(new Error("the child ended"))),
  ])
  return process_
}
async function end(process_: ChildProcess, how: "close" | "kill"): Promise<void> {
  const ended = once(process_, "exit")
  if (how === "close") process_.stdin!.write("go\n")
  else process_.kill("SIGKILL")
  await ended
}
afterEach(() => {
  for (const each of children.splice(0)) each.kill("SIGKILL")
})

const serverFile = (dir: string) => join(dir, "cluster", "data", "postmaster.pid")
const serverPid = (dir: string) => Number(readFileSync(serverFile(dir), "utf8").split("\n")[0])
const runs = (pid: number) => existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")
const linux = process.platform === "linux"

const nothing: StepChange = {
  puts: [],
  deletes: [],
  sharedPuts: [],
  sharedDeletes: [],
  timers: [],
  cancels: [],
  positions: [],
}
const step = async (task: TaskStore, change: Partial<StepChange>) =>
  (await task.begin()).commit({ ...nothing, ...change })

describe.runIf(linux)("the server of an embedded Store", () => {
  it("is taken over, with what was committed and nothing else, when the process that started it was killed", async () => {
    const dir = folder()
    const killed = await child(dir, "work")
    const pid = serverPid(dir)
    await end(killed, "kill")
    expect(runs(pid)).toBe(true)
    const store = await openEmbeddedStore({ dir })
    expect(serverPid(dir)).toBe(pid)
    const task = await store.claim("p", "s", 0)
    expect(task).toMatchObject({ epoch: 2n, outbox: 1n, positions: [{ topic: "t", next: 1n }] })
    expect(task.pending.map(({ number }) => number)).toEqual([1n])
    expect(await step(task, { outbox: Buffer.from("2") })).toBe(2n)
    await store.close()
    expect(runs(pid)).toBe(false)
    expect(readdirSync(join(dir, "leases"))).toEqual([])
    expect(readdirSync(join(dir, "lock"))).toEqual([])
  })

  it("is one, however many processes open the folder at the same time, and the last one stops it", async () => {
    const dir = folder()
    const [first, second, store] = await Promise.all([child(dir), child(dir), openEmbeddedStore({ dir })])
    const pid = serverPid(dir)
    expect(
      execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })
        .split("\n")
        .filter((line) => line.includes(`-D ${dir}`)),
    ).toHaveLength(1)
    await end(first!, "close")
    await store.close()
    await store.close()
    expect(runs(pid)).toBe(true)
    await end(second!, "close")
    expect(runs(pid)).toBe(false)
  })

  it("is not stopped under another opener", async () => {
    const dir = folder()
    await (await openEmbeddedStore({ dir })).close()
    const turn = async () => {
      for (let round = 0; round < 4; round++) {
        const store = await openEmbeddedStore({ dir })
        await store.claim("p", "s", round)
        await store.close()
      }
    }
    await Promise.all([turn(), turn(), turn()])
    expect(existsSync(serverFile(dir))).toBe(false)
  })

  it("is started again after it was killed, and has what was committed", async () => {
    const dir = folder()
    const store = await openEmbeddedStore({ dir })
    await step(await store.claim("p", "s", 0), { puts: [["k", "", "1"]] })
    const pid = serverPid(dir)
    process.kill(pid, "SIGKILL")
    await expect.poll(() => runs(pid)).toBe(false)
    const other = await openEmbeddedStore({ dir })
    expect(serverPid(dir)).not.toBe(pid)
    expect(other.url).toBe(store.url)
    expect((await store.claim("p", "t", 0)).epoch).toBe(1n)
    const task = await other.claim("p", "s", 0)
    const tx = await task.begin()
    expect(await tx.get([["k", ""]])).toEqual(["1"])
    await tx.rollback()
    await Promise.all([store.close(), other.close()])
  })

  it("comes back under an owner who claims again after it was killed", async () => {
    const dir = folder()
    const store = await openEmbeddedStore({ dir })
    const before = await store.claim("p", "s", 0)
    let committed = 0n
    process.kill(serverPid(dir), "SIGKILL")
    // Sessions of a killed server take a moment to notice.
    const stepped = () =>
      step(before, { outbox: Buffer.from("1") }).then(
        (number) => (committed = number),
        (error: WeirError) => error.meaning,
      )
    await expect.poll(stepped, { timeout: 30_000 }).toBe("retryable")
    const again = () =>
      store.claim("p", "s", 0).then(
        ({ outbox }) => outbox,
        (error: WeirError) => error.meaning,
      )
    await expect.poll(again, { timeout: 30_000 }).toBe(committed)
    await store.close()
  })

  it("is not held back by the file of a dead one whose number another process has", async () => {
    const dir = folder()
    await (await openEmbeddedStore({ dir })).close()
    const postgres = process.getuid?.() === 0 ? statSync(join(dir, "cluster", "data")) : undefined
    const ids = postgres === undefined ? {} : { uid: postgres.uid, gid: postgres.gid }
    const stranger = spawn("sleep", ["600"], ids)
    children.push(stranger)
    writeFileSync(
      serverFile(dir),
      `${stranger.pid}\n${join(dir, "cluster", "data")}\n1700000000\n5432\n\n127.0.0.1\n\nready   \n`,
    )
    const store = await openEmbeddedStore({ dir })
    expect(await store.query("SELECT 1", "clean")).toMatchObject({ rows: [[1]] })
    await store.close()
    expect(stranger.exitCode).toBe(null)
    expect(stranger.signalCode).toBe(null)
  })

  it("is not made of what a killed process had half made", async () => {
    const dir = folder()
    mkdirSync(join(dir, "cluster.new", "data", "base"), { recursive: true })
    writeFileSync(join(dir, "cluster.new", "password"), "half")
    const store = await openEmbeddedStore({ dir })
    expect((await store.claim("p", "s", 0)).epoch).toBe(1n)
    await store.close()
  })

  it("has a password that no other user reads, and nothing of this process's environment", async () => {
    process.env["WEIR_TEST_CANARY"] = "canary-in-the-environment"
    const dir = folder()
    const store = await openEmbeddedStore({ dir })
    const file = join(dir, "cluster", "password")
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const password = readFileSync(file, "utf8").trim()
    expect(password.length).toBeGreaterThan(20)
    expect(store.url).toContain(password)
    const commands = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })
    expect(commands).not.toContain(password)
    if (process.getuid?.() === 0)
      expect(readFileSync(`/proc/${serverPid(dir)}/environ`, "utf8")).not.toContain("canary")
    delete process.env["WEIR_TEST_CANARY"]
    await store.close()
  })

  it("writes no statement and no value into its log", async () => {
    const dir = folder()
    const store = await openEmbeddedStore({ dir })
    await expect(store.query("SELECT 'canary'::int", "clean")).rejects.toThrow()
    await expect(store.query("SELECT canary", "clean")).rejects.toThrow()
    const task = await store.claim("p", "s", 0)
    await expect(
      step(task, {
        puts: [
          ["canary", "", "1"],
          ["canary", "", "2"],
        ],
      }),
    ).rejects.toMatchObject({ code: "store-refused" })
    await store.close()
    const log = readFileSync(join(dir, "server.log"), "utf8")
    expect(log).toContain("ready to accept connections")
    expect(log).not.toContain("canary")
  })

  it("that cannot start says why and where to look", async () => {
    const dir = folder()
    await (await openEmbeddedStore({ dir })).close()
    writeFileSync(join(dir, "cluster", "data", "PG_VERSION"), "9.1\n")
    const error = await openEmbeddedStore({ dir }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({
      meaning: "fatal",
      code: "store-server",
      message: expect.stringContaining("incompatible"),
    })
    expect((error as { hint: string }).hint).toContain(join(dir, "server.log"))
    expect(readdirSync(join(dir, "leases"))).toEqual([])
  })
})

const mountable = linux && process.getuid?.() === 0
if (!mountable) console.warn("skipped: a full disk can be tried only as root on Linux")

it.skipIf(!mountable)(
  "an embedded Store pauses on a full disk and goes on when there is room, with what was committed",
  async () => {
    const dir = folder()
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=160m", "tmpfs", dir])
    try {
      const store = await openEmbeddedStore({ dir })
      let task = await store.claim("p", "s", 0)
      await step(task, { puts: [["k", "", "1"]], outbox: Buffer.from("1") })
      execFileSync("sh", ["-c", `head -c 200m /dev/zero > ${dir}/ballast || true`], { stdio: "ignore" })
      const large = Array.from(
        { length: 400 },
        (_, at) => ["big", `${at}`, JSON.stringify(Buffer.alloc(20_000, at).toString("hex"))] as const,
      )
      const told = await step(task, { puts: large, outbox: Buffer.from("2") }).then(
        () => undefined,
        (error: unknown) => error,
      )
      expect(told).toMatchObject({ code: expect.stringMatching(/^(disk-full|unknown-outcome|unreachable)$/) })
      rmSync(join(dir, "ballast"))
      const again = () =>
        store.claim("p", "s", 0).then(
          (claimed) => ((task = claimed), claimed.outbox),
          (error: { code: string }) => error.code,
        )
      await expect.poll(again, { timeout: 30_000 }).toBe(1n)
      expect(await step(task, { puts: large, outbox: Buffer.from("2") })).toBe(2n)
      await store.close()
    } finally {
      execFileSync("umount", [dir])
    }
  },
)
