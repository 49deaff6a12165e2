import { execFile } from "node:child_process"
import { join } from "node:path"
import { expect, it } from "vitest"
import { root } from "./imports.ts"

it("docs/reference is what the declarations give", async () => {
  const script = join(root, "scripts", "docs.ts")
  const said = await new Promise<string>((resolve) =>
    execFile(process.execPath, [script, "--check"], (error, _, stderr) => resolve(error === null ? "" : stderr)),
  )
  expect(said).toBe("")
})
