import { rmSync } from "node:fs"
import { join } from "node:path"
import { type Addresses, cache, readState, type Started, writeState } from "./cache.ts"
import { startKafka } from "./kafka.ts"
import { startPostgres } from "./postgres.ts"
import { isRunning, stop } from "./processes.ts"
import { startS3 } from "./s3.ts"

/** Brings up what does not run yet, and records it; resolves the names of what was started. */
export async function up(): Promise<readonly string[]> {
  const begun: string[] = []
  for (const name of ["kafka", "postgres", "s3"] as const) {
    const { addresses, processes } = readState()
    const own = processes.filter((each) => each.name === name || each.name.startsWith(`${name}-`))
    if (addresses[name] !== undefined && own.length > 0 && own.every(isRunning)) continue
    for (const each of own) await stop(each)
    const started = await startOne(name)
    writeState({
      addresses: { ...addresses, [name]: started.address },
      processes: [...processes.filter((each) => !own.includes(each)), ...started.processes],
    })
    begun.push(name)
  }
  return begun
}

/** Ends what is recorded, and nothing else. */
export async function down(): Promise<readonly string[]> {
  const { processes } = readState()
  await Promise.all(processes.map((each) => stop(each, each.name === "postgres" ? "SIGINT" : "SIGTERM")))
  writeState({ addresses: {}, processes: [] })
  for (const name of ["kafka", "postgres", "s3"]) rmSync(join(cache, "run", name), { recursive: true, force: true })
  return processes.map(({ name }) => name)
}

async function startOne(
  name: keyof Addresses,
): Promise<{ readonly address: Addresses[keyof Addresses]; readonly processes: readonly Started[] }> {
  const folder = join(cache, "run", name)
  rmSync(folder, { recursive: true, force: true })
  if (name === "kafka") {
    const { address, brokers } = await startKafka(folder)
    return { address, processes: brokers.map(({ process }) => process) }
  }
  const { address, process } = await (name === "postgres" ? startPostgres(folder) : startS3(folder))
  return { address, processes: [process] }
}
