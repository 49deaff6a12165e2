import { spawn } from "node:child_process"
import { addressesOfEnvironment } from "./addresses.ts"
import { down, up } from "./start.ts"

/** Runs the suites that need real services, with whatever is missing brought up, and taken down again. */
async function main(): Promise<number> {
  const given = Object.keys(addressesOfEnvironment()).length === 3
  const begun = given ? [] : await up()
  try {
    return await vitest(process.argv.slice(2))
  } finally {
    if (begun.length > 0) await down()
  }
}

function vitest(args: readonly string[]): Promise<number> {
  const child = spawn("npx", ["vitest", "run", "--project", "services", ...args], { stdio: "inherit" })
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal))
  return new Promise((resolve, reject) => child.on("error", reject).on("exit", (code) => resolve(code ?? 1)))
}

process.exit(await main())
