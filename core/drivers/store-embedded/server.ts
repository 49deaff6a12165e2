import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fatal, systemic } from "../../errors.ts"
import type { WeirError } from "../../errors.ts"
import { letThrough, serverAccount } from "./account.ts"
import { binaries } from "./binaries.ts"
import { disownStaleFile, lastPort, runningPostmaster } from "./postmaster.ts"
import type { Postmaster } from "./postmaster.ts"

const user = "weir"
const clusterOf = (dir: string): string => join(dir, "cluster")
const passwordOf = (cluster: string): string => join(cluster, "password")
const logOf = (dir: string): string => join(dir, "server.log")

/** The data folder of the server of a Store. */
export const dataOf = (dir: string): string => join(clusterOf(dir), "data")

/** Logged are starts, stops and what ends the server; never a statement or a row's values, which errors quote. */
const settings = [
  "listen_addresses=127.0.0.1",
  "unix_socket_directories=",
  "max_connections=200",
  "shared_buffers=64MB",
  "max_wal_size=512MB",
  // What erasing deletes leaves with the old segments (scrub).
  "wal_recycle=off",
  "fsync=on",
  "synchronous_commit=on",
  "full_page_writes=on",
  "jit=off",
  "logging_collector=off",
  "log_destination=stderr",
  "log_min_messages=log",
  "log_min_error_statement=panic",
  "log_error_verbosity=terse",
  "log_statement=none",
]

/** Makes sure that one server runs on the folder: the one that is there, or a new one, on data that is made when missing. To be
 * called by one process at a time.
 * @param port where the server was before, when it has to be found there again; any free port when not named
 * @returns its address, with the password
 * @throws fatal `store-server` with the end of its log; systemic `disk-full` */
export async function ensureServer(dir: string, port?: number): Promise<string> {
  const account = serverAccount()
  if (account !== undefined) letThrough(dir)
  const programs = await binaries(account !== undefined)
  if (!existsSync(clusterOf(dir))) await initialise(dir, programs.initdb, account)
  const data = dataOf(dir)
  const server = (await readyServer(data)) ?? (await start(dir, programs.postgres, account, port))
  const password = readFileSync(passwordOf(clusterOf(dir)), "utf8").trim()
  return `postgres://${user}:${password}@127.0.0.1:${server.port}/postgres`
}

type Account = { readonly uid: number; readonly gid: number } | undefined

/** Prepared aside and renamed, so that a half-made cluster is never taken for one. */
async function initialise(dir: string, initdb: string, account: Account): Promise<void> {
  const made = `${clusterOf(dir)}.new`
  rmSync(made, { recursive: true, force: true })
  mkdirSync(made, { mode: account === undefined ? 0o700 : 0o711 })
  const data = join(made, "data")
  mkdirSync(data, { mode: 0o700 })
  const password = passwordOf(made)
  writeFileSync(password, `${randomBytes(24).toString("base64url")}\n`, { mode: 0o600 })
  if (account !== undefined) for (const path of [data, password]) chownSync(path, account.uid, account.gid)
  const flags = [`--pgdata=${data}`, `--username=${user}`, `--pwfile=${password}`, "--auth=scram-sha-256"]
  const log = openSync(logOf(dir), "a", 0o600)
  const code = await new Promise<number | null>((resolve) => {
    spawn(initdb, [...flags, "--encoding=UTF8", "--locale=C"], options(log, made, account))
      .on("error", () => resolve(null))
      .on("exit", resolve)
  })
  closeSync(log)
  if (code !== 0) throw failed(dir, "the data of the embedded Store could not be made")
  if (account !== undefined) chownSync(password, 0, 0)
  syncFile(password)
  renameSync(made, clusterOf(dir))
  syncFile(dir)
}

const options = (log: number, cwd: string, account: Account) => ({
  ...account,
  cwd,
  // Nothing of this process's environment: it may hold secrets.
  env: Object.fromEntries(
    [
      ["LC_ALL", "C"],
      ["TZ", "UTC"],
      ...["PATH", "SystemRoot", "TEMP", "TMP"].map((name) => [name, process.env[name]]),
    ].filter(([, value]) => value !== undefined),
  ),
  detached: true,
  stdio: ["ignore", log, log] as ["ignore", number, number],
})

function syncFile(path: string): void {
  if (process.platform === "win32") return
  const file = openSync(path, "r")
  fsyncSync(file)
  closeSync(file)
}

const patienceMs = 60_000
const longestLog = 4 << 20

/** The server that runs already, once it is ready; undefined when there is none, or none any more. */
async function readyServer(data: string): Promise<Postmaster | undefined> {
  for (const until = Date.now() + patienceMs; ; await sleep(20)) {
    const server = runningPostmaster(data)
    if (server === undefined || server.status === "ready") return server
    if (Date.now() > until)
      throw fatal("store-server", `the embedded Store's server has been ${server.status} for a minute`)
  }
}

async function start(dir: string, postgres: string, account: Account, port?: number): Promise<Postmaster> {
  // Other processes may still have the address of a server that was killed.
  const before = port ?? lastPort(dataOf(dir))
  for (let attempt = 0; ; attempt++) {
    const from = logSize(dir)
    const server = await startOnce(
      dir,
      postgres,
      account,
      port ?? (attempt === 0 ? before : undefined) ?? (await freePort()),
    )
    if (server !== undefined) return server
    const said = readFileSync(logOf(dir)).subarray(from).toString("utf8")
    // The sessions of a killed server take a moment to notice; a port may have gone to somebody else.
    const passes = /shared memory block|Address already in use|could not create any TCP/.test(said)
    if (!passes || attempt === 40) throw failed(dir, "the embedded Store's server does not start")
    await sleep(250)
  }
}

/** Bytes of the log, which begins anew when it is long. */
function logSize(dir: string): number {
  const size = existsSync(logOf(dir)) ? statSync(logOf(dir)).size : 0
  if (size <= longestLog) return size
  truncateSync(logOf(dir))
  return 0
}

async function startOnce(
  dir: string,
  postgres: string,
  account: Account,
  port: number,
): Promise<Postmaster | undefined> {
  const data = dataOf(dir)
  disownStaleFile(data)
  const log = openSync(logOf(dir), "a", 0o600)
  const flags = ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])]
  const child = spawn(postgres, flags, options(log, clusterOf(dir), account))
  closeSync(log)
  const ended = new AbortController()
  for (const event of ["error", "exit"]) child.on(event, () => ended.abort())
  child.unref()
  for (const until = Date.now() + patienceMs; !ended.signal.aborted && Date.now() < until; await sleep(20)) {
    const server = runningPostmaster(data)
    if (server?.pid === child.pid && server?.status === "ready") return server
  }
  return undefined
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function failed(dir: string, message: string): WeirError {
  const log = existsSync(logOf(dir)) ? readFileSync(logOf(dir), "utf8") : ""
  const tail = log.trimEnd().split("\n").slice(-8).join("\n")
  if (/No space left on device/.test(tail))
    return systemic("disk-full", `${message}: the disk is full`, { hint: `free space for ${dir}` })
  return fatal("store-server", `${message}; the end of ${logOf(dir)}:\n${tail}`, {
    hint: `see ${logOf(dir)}; or name a server of your own: store: { driver: postgres, url: ... }`,
  })
}
