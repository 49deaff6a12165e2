import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.services.test.ts", "**/node_modules/**"],
        },
      },
      { extends: true, test: { name: "services", include: ["test/**/*.services.test.ts"] } },
    ],
  },
})
