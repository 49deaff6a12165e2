import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { openEmbeddedLog } from "../../core/drivers/log-embedded/index.ts"
import { logContract } from "../kit/log-contract.ts"

const made: string[] = []
const folder = () => {
  const dir = mkdtempSync(join(tmpdir(), "weir-log-"))
  made.push(dir)
  return dir
}
afterAll(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true })
})

const shared = folder()
logContract("a folder", () => openEmbeddedLog({ dir: join(shared, "new") }))
