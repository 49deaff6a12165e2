import { execFileSync, spawnSync } from "node:child_process"
import { chmodSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { fatal } from "../../errors.ts"

/** The account that the server runs under: PostgreSQL refuses root, so for root it is the system's `postgres`, made when missing;
 * for anybody else it is their own (undefined). */
export function serverAccount(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const ids = idsOf("postgres") ?? makeAccount("postgres")
  if (ids !== undefined) return ids
  throw fatal("store-server", "the embedded Store's server cannot run as root, and the user postgres cannot be made", {
    hint: "run Weir as an ordinary user, or make a system user named postgres",
  })
}

function idsOf(user: string): { uid: number; gid: number } | undefined {
  try {
    const id = (flag: string) =>
      Number(execFileSync("id", [flag, user], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }))
    return { uid: id("-u"), gid: id("-g") }
  } catch {
    return undefined
  }
}

function makeAccount(user: string): { uid: number; gid: number } | undefined {
  const flags = ["--system", "--user-group", "--no-create-home", "--shell", "/bin/false"]
  spawnSync("useradd", [...flags, user], { stdio: "ignore" })
  return idsOf(user)
}

/** Lets other accounts pass through a folder and those above it (pass, not list), so that the server's can reach what is its. */
export function letThrough(folder: string): void {
  for (let each = folder; ; each = dirname(each)) {
    const { mode } = statSync(each)
    if ((mode & 0o001) === 0) chmodSync(each, (mode & 0o7777) | 0o001)
    if (each === dirname(each)) return
  }
}
