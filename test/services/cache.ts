import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"

/** A process that was started for the tests; `mark` is a path on its command line, by which it is known again. */
export interface Started {
  readonly name: string
  readonly pid: number
  readonly mark: string
}

/** Addresses of services, as tests get them. */
export interface Addresses {
  /** `host:port`, several separated by commas. */
  readonly kafka: string
  readonly postgres: string
  readonly s3: { readonly endpoint: string; readonly key: string; readonly secret: string }
}

/** What `services:up` left running. */
export interface State {
  readonly addresses: Partial<Addresses>
  readonly processes: readonly Started[]
}

/** Downloads, data and logs of services, outside the repository. */
export const cache = process.env["WEIR_SERVICES_CACHE"] ?? join(homedir(), ".cache", "weir-services")

const stateFile = join(cache, "state.json")

/** What is recorded as running; nothing when no file is there. */
export function readState(): State {
  if (!existsSync(stateFile)) return { addresses: {}, processes: [] }
  return JSON.parse(readFileSync(stateFile, "utf8")) as State
}

/** Records what is running, whole or not at all. */
export function writeState(state: State): void {
  mkdirSync(cache, { recursive: true })
  const temporary = `${stateFile}.${process.pid}`
  writeFileSync(temporary, JSON.stringify(state, undefined, 2))
  renameSync(temporary, stateFile)
}
