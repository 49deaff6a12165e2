import { join } from "node:path"
import { defineConfig } from "vitest/config"

/** Runs the plugins of this folder alone, each of which breaks one promise. */
export default defineConfig({
  test: {
    root: join(import.meta.dirname, "../../.."),
    include: ["test/contract/broken-plugins/suite.ts"],
    watch: false,
  },
})
