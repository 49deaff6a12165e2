import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeAll, describe, expect, it } from "vitest"

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[]
      readonly title: string
      readonly status: string
    }[]
  }[]
}

/** The promises that the contract found broken, by plugin. */
async function foundBroken(): Promise<ReadonlyMap<string, readonly string[]>> {
  const config = join(import.meta.dirname, "broken-plugins", "vitest.config.ts")
  const folder = await mkdtemp(join(tmpdir(), "weir-broken-"))
  const report = join(folder, "report.json")
  const args = ["vitest", "run", "--config", config, "--reporter=json", `--outputFile=${report}`]
  // It fails, as it must: what counts is the report.
  await new Promise<void>((resolve) => execFile("npx", args, { maxBuffer: 1 << 26 }, () => resolve()))
  const text = await readFile(report, "utf8")
  await rm(folder, { recursive: true })
  const found = new Map<string, string[]>()
  for (const { ancestorTitles, title, status } of (JSON.parse(text) as Report).testResults[0]!.assertionResults) {
    const plugin = ancestorTitles[0]!.split(" ")[0]!
    const broken = found.get(plugin) ?? []
    if (status === "failed") broken.push(title)
    found.set(plugin, broken)
  }
  return found
}

describe("the contract of plugins", () => {
  let found: ReadonlyMap<string, readonly string[]>
  beforeAll(async () => {
    found = await foundBroken()
  })

  it.each([
    ["sound", []],
    ["counts", []],
    ["reads-on", []],
    ["sets-rows", []],
    ["keeps-position", []],
  ])("passes a plugin that keeps it: %s", (plugin, broken) => expect(found.get(plugin)).toEqual(broken))

  it.each([
    ["forgets-one", /ends each record once/],
    ["ends-twice", /ends each record once/],
    ["changes-input", /changes nothing of its input/],
    ["counts-batches", /however the batch is cut/],
    ["reads-a-clock", /same of the same input at any time/],
    ["tells-values", /tells no planted value/],
    ["drops-with-values", /tells no planted value/],
    ["lets-out", /tells no planted value/],
    ["undescribed", /each with a description/],
    ["begins-at-two", /revisions 1, 2, 3/],
    ["counts-in-any-order", /in any order/],
    ["keeps-in-memory", /again after a crash/],
    ["starts-over", /loses and repeats nothing/],
    ["skips-one", /loses and repeats nothing/],
    ["only-inserts", /keeps its delivery claim/],
    ["forgets-position", /keeps its delivery claim/],
    ["does-not-fence", /keeps its delivery claim/],
  ])("finds what is broken: %s", (plugin, promise) => {
    expect(found.get(plugin)?.filter((title) => promise.test(title))).toHaveLength(1)
  })
})
