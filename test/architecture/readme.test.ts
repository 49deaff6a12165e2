import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { compile } from "../../core/pipeline/compile.ts"
import { pluginSet, pluginsOfModule } from "../../core/pipeline/plugins.ts"
import { builtIns } from "../../main.ts"
import { record, runTransform } from "../kit/index.ts"
import { root } from "./imports.ts"

/** The first block of a language in the README. */
async function block(language: string): Promise<string> {
  const text = await readFile(join(root, "README.md"), "utf8")
  return new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(text)![1]!
}

describe("the README", () => {
  it("shows a pipeline file that compiles", async () => {
    const pipeline = compile("README.yaml", await block("yaml"), { plugins: pluginSet(builtIns), environment: {} })
    expect(pipeline.topics.get("curated.labels")?.zone).toBe("limited")
  })

  it("shows a plugin that works", async () => {
    const folder = await mkdtemp(join(root, "test", "architecture", "readme-"))
    try {
      const code = (await block("js")).replace('"weir"', JSON.stringify(join(root, "core", "index.ts")))
      await writeFile(join(folder, "plugin.mjs"), code)
      const [plugin] = pluginsOfModule("readme", await import(join(folder, "plugin.mjs")))
      const instance = await plugin!.create({ year: 2020 }, {} as never, [])
      const batch = [2019, 2020].map((year) => record({ value: {}, time: Date.UTC(year, 5) }))
      const { emitted, dropped } = await runTransform(instance as never, batch)
      expect([emitted.map(({ from }) => from), dropped.map(({ reason }) => reason)]).toEqual([[batch[1]], ["too-old"]])
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
