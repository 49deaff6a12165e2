import { execFile } from "node:child_process"
import { readdirSync } from "node:fs"
import { promisify } from "node:util"
import { expect, test } from "vitest"

const pipelines = readdirSync("examples").filter((name) => name.endsWith(".yaml"))
const environment = { WEIR_TEST_DATA: "data", WEIR_PROJECT_KEY: "0".repeat(32), WEIR_IDENTITY_KEY: "1".repeat(32) }

test.each(pipelines)("weir check finds nothing wrong with examples/%s", async (name) => {
  const { stdout } = await promisify(execFile)(process.execPath, ["cli/bin.ts", "check", `examples/${name}`], {
    env: { ...process.env, ...environment },
  })
  expect(stdout).toContain("is right")
})
