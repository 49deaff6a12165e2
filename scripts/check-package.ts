/** Packs what `npm run build` made and uses it as a stranger would: in an empty folder, without the tree and its development
 * packages. The last line says how many of the checks passed. */
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"

const root = join(import.meta.dirname, "..")
const example = join(root, "examples", "weir-plugin-example")
const base = realpathSync(mkdtempSync(join(tmpdir(), "weir-package-")))
const user = join(base, "user")

interface Package {
  readonly name: string
  readonly version: string
  readonly devDependencies: Readonly<Record<string, string>>
}
const packageAt = (folder: string): Package => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Package

/** This Node first, as `npm run` has it. */
const environment = { ...process.env, PATH: `${join(process.execPath, "..")}${delimiter}${process.env["PATH"] ?? ""}` }

/** Standard output of a command; throws with all of its output when it fails. */
function run(cwd: string, command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env: environment, encoding: "utf8" })
  if (status === 0) return stdout
  throw new Error(`${command} ${args.join(" ")} ended ${status ?? String(error)}\n${stdout}${stderr}`)
}

const npm = (cwd: string, ...args: readonly string[]): string =>
  run(cwd, "npm", ...args, "--no-audit", "--no-fund", "--loglevel=error")
const bin = (name: string): string => join(user, "node_modules", ".bin", name)

interface Count {
  passed: number
  failed: number
  skipped: number
}
const count: Count = { passed: 0, failed: 0, skipped: 0 }

/** Later steps need the earlier ones: what comes after a failure is skipped. */
function step(name: string, work: () => Partial<Count> | void): void {
  if (count.failed > 0) {
    count.skipped++
    console.log(`skipped: ${name}`)
    return
  }
  try {
    const { passed = 1, failed = 0, skipped = 0 } = work() ?? {}
    count.passed += passed
    count.failed += failed
    count.skipped += skipped
    console.log(`${failed === 0 ? "passed" : "failed"}: ${name}`)
  } catch (error) {
    count.failed++
    console.error(`failed: ${name}\n${(error as Error).message}`)
  }
}

const expect = (holds: boolean, what: string): void => {
  if (!holds) throw new Error(what)
}

const isForeign = (path: string): boolean =>
  path.includes(".test.") || (path.endsWith(".ts") && !path.endsWith(".d.ts"))

function pack(): string {
  const told = JSON.parse(npm(root, "pack", "--json", "--ignore-scripts", "--pack-destination", base)) as unknown
  const [{ filename, files }] = Object.values(told as object) as [
    { filename: string; files: readonly { path: string }[] },
  ]
  const foreign = files.map(({ path }) => path).filter(isForeign)
  expect(foreign.length === 0, `the tarball holds sources or tests: ${foreign.join(", ")}`)
  return join(base, filename)
}

function installAlone(tarball: string): void {
  npm(base, "install", "--prefix", user, "--prefer-offline", tarball)
  const version = run(user, bin("weir"), "--version").trim()
  expect(version.includes(packageAt(root).version), `weir --version said ${JSON.stringify(version)}`)
}

function importPublic(): void {
  const names = run(
    user,
    process.execPath,
    "--input-type=module",
    "-e",
    'console.log(Object.keys(await import("weir")))',
  )
  expect(names.includes("defineSource"), "the package weir exports no defineSource")
}

function installExample(): void {
  cpSync(example, join(user, "weir-plugin-example"), {
    recursive: true,
    filter: (path) => !path.endsWith("node_modules"),
  })
  for (const file of ["pipeline.yaml", "steps.csv"]) cpSync(join(example, file), join(user, file))
  const tools = Object.entries(packageAt(example).devDependencies).map(([name, version]) => `${name}@${version}`)
  npm(user, "install", "--prefer-offline", ...tools, "./weir-plugin-example")
}

function testExample(): Count {
  const report = join(base, "report.json")
  const args = ["run", "--root", "weir-plugin-example", "--reporter=json", `--outputFile=${report}`]
  run(user, bin("vitest"), ...args)
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, "utf8")) as Record<
    string,
    number
  >
  return { passed: numPassedTests!, failed: numFailedTests!, skipped: numPendingTests! }
}

let tarball = ""
try {
  step("the tarball holds what is published and nothing else", () => {
    tarball = pack()
  })
  writeFileSync(join(base, "package.json"), '{"private":true}\n')
  step("it installs into an empty folder, and weir --version runs there", () => installAlone(tarball))
  step("the public surface loads without development packages", importPublic)
  step("a plugin package installs beside it", installExample)
  step("the plugin package's types hold", () => void run(join(user, "weir-plugin-example"), bin("tsc")))
  step("the plugin package passes the published contract", testExample)
  step("weir check passes its pipeline", () => void run(user, bin("weir"), "check", "pipeline.yaml"))
} finally {
  rmSync(base, { recursive: true, force: true })
}
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
process.exit(count.failed === 0 ? 0 : 1)
