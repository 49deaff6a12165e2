import { tmpdir } from "node:os"
import { join } from "node:path"
import { sweepSuite } from "./sweep-suite.ts"

sweepSuite("folders", async (name) => `{ driver: folder, dir: ${join(tmpdir(), name)}, sweep-after: 0s }`)
