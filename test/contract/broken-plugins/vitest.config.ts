import { defineConfig } from "vitest/config"

/** Runs the plugins of this folder alone, each of which breaks one promise. */
export default defineConfig({
  test: { root: import.meta.dirname, include: ["suite.ts"], watch: false },
})
