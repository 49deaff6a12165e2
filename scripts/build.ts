/** Makes dist/: plain JavaScript with declarations, the data files beside it and the examples that the commands use. */
import { spawnSync } from "node:child_process"
import { chmodSync, cpSync, existsSync, readFileSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const dist = join(root, "dist")

/** Folders whose code is published; tsconfig.build.json names the same. */
const folders = ["cli", "core", "connectors", "formats", "sinks", "synth", "transforms", "test/kit"]

/** Packages of their own, published by themselves. */
const ownPackages = (path: string): boolean => existsSync(join(path, "package.json"))

function compile(): void {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
  const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" })
  if (status !== 0) throw new Error("tsc found faults; dist is not whole")
}

/** What is no TypeScript source: JSON, SQL, declarations of foreign modules. */
const isAsset = (path: string): boolean => !path.endsWith(".ts") || path.endsWith(".d.ts")

function copyAssets(): void {
  for (const folder of folders)
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      if (entry.isFile() && isAsset(path)) cpSync(path, join(dist, path.slice(root.length + 1)))
    }
  cpSync(join(root, "examples"), join(dist, "examples"), { recursive: true, filter: (path) => !ownPackages(path) })
  // `weir --version` and the like read it beside the code, in the tree as in the package.
  cpSync(join(root, "package.json"), join(dist, "package.json"))
}

/** Everything that package.json points to is there, and the command can be run. */
function checkEntries(): void {
  const { bin, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly bin: Readonly<Record<string, string>>
    readonly exports: Readonly<Record<string, Readonly<Record<string, string>> | string>>
  }
  const files = [
    ...Object.values(bin),
    ...Object.values(exports).flatMap((entry) => (typeof entry === "string" ? [entry] : Object.values(entry))),
  ]
  const missing = files.filter((file) => !existsSync(join(root, file)))
  if (missing.length > 0) throw new Error(`package.json names files that the build did not make: ${missing.join(", ")}`)
  for (const command of Object.values(bin)) chmodSync(join(root, command), 0o755)
}

rmSync(dist, { recursive: true, force: true })
compile()
copyAssets()
checkEntries()
console.log(`built ${readdirSync(dist, { recursive: true }).length} files in dist/`)
