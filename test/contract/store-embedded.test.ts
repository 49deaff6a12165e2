import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { openEmbeddedStore } from "../../core/drivers/store-embedded/index.ts"
import { openPostgresStore } from "../../core/drivers/store-postgres/index.ts"
import { storeContract } from "../kit/store-contract.ts"

const made: string[] = []
const folder = () => {
  const dir = mkdtempSync(join(tmpdir(), "weir-store-"))
  made.push(dir)
  return dir
}
afterAll(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true })
})

const shared = folder()
storeContract("an embedded server", {
  open: () => openEmbeddedStore({ dir: shared }),
  openAt: (url) => openPostgresStore({ url }),
})
