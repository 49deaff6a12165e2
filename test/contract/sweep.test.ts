import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openFolderObjects } from "../../core/drivers/objects-folder/index.ts"
import { openEmbeddedStore } from "../../core/drivers/store-embedded/index.ts"
import { refreshing } from "../../core/engine/objects.ts"
import { sweepObjects, uncountedMs } from "../../core/engine/sweep.ts"
import type { CompiledPipeline, CompiledTopic } from "../../core/pipeline/model.ts"
import type { Objects } from "../../core/ports/objects.ts"
import type { Store } from "../../core/ports/store.ts"
import type { Zone } from "../../core/record.ts"

const topic = (zone: Zone, retention: number | undefined, compact = false) =>
  ({ zone, retention, compact }) as CompiledTopic
const pipelineOf = (sweepAfter: number | undefined, ...topics: readonly CompiledTopic[]) =>
  ({ sweepAfter, topics: new Map(topics.map((one, at) => [String(at), one])) }) as unknown as CompiledPipeline

describe("what sweeps objects", () => {
  let folder: string
  let store: Store
  let buckets: Map<Zone, Objects>
  const logged: string[] = []
  const logger = {
    info: (event: string) => void logged.push(event),
    warn: (event: string) => void logged.push(event),
    error: (event: string) => void logged.push(event),
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "weir-sweep-"))
    store = await openEmbeddedStore({ dir: join(folder, "store") })
    const open = (zone: Zone) => openFolderObjects({ dir: join(folder, zone) })
    buckets = new Map([
      ["phi", await open("phi")],
      ["limited", await open("limited")],
      ["clean", await open("clean")],
    ])
  }, 60_000)
  afterAll(async () => {
    await store?.close()
    await rm(folder, { recursive: true, force: true })
  })

  const sweep = (pipeline: CompiledPipeline, objects: ReadonlyMap<Zone, Objects> = buckets) =>
    sweepObjects({ pipeline, store, objects, logger })
  const phi = () => buckets.get("phi")!
  const writer = () => refreshing(phi(), store, "phi")
  const isThere = async (key: string) => (await phi().head(key)) !== undefined
  const bytes = Buffer.from("x")

  it("lets a writer of the same object wait, and leaves what that one then puts", async () => {
    await writer().put("a/1", bytes)
    await store.objects.count("phi", ["a/1"], 1)
    await store.objects.count("phi", ["a/1"], -1)
    let removing = (): void => {}
    const removed = new Promise<void>((resolve) => (removing = resolve))
    let put: Promise<unknown> | undefined
    const slow: Objects = {
      ...writer(),
      delete: async (keys) => {
        // The writer comes while the rows are locked and the object is not gone yet.
        put = writer().put("a/1", bytes)
        removing()
        await store.audit("test", "a turn of the database")
        await phi().delete(keys)
      },
    }
    const sweeping = sweep(pipelineOf(0, topic("phi", undefined)), new Map([...buckets, ["phi", slow]]))
    await removed
    await Promise.all([sweeping, put])
    expect(await isThere("a/1")).toBe(true)
    await sweep(pipelineOf(0, topic("phi", undefined)))
    expect(await isThere("a/1")).toBe(true)
  })

  it("leaves objects whose records nobody may have read, as long as the zone's topics keep records", async () => {
    await writer().put("b/1", bytes)
    await sweep(pipelineOf(0, topic("phi", 3_600_000), topic("limited", 0)))
    expect(await isThere("b/1")).toBe(true)
    await sweep(pipelineOf(0, topic("phi", 0), topic("limited", undefined)))
    expect(await isThere("b/1")).toBe(false)
  })

  it("takes the longest of the topics' retentions, for ever where a topic is compacted or a zone has none", () => {
    expect(uncountedMs(pipelineOf(0, topic("phi", 5), topic("phi", 9), topic("limited", 99)), "phi")).toBe(9)
    expect(uncountedMs(pipelineOf(0, topic("phi", 5), topic("phi", undefined)), "phi")).toBe(Infinity)
    expect(uncountedMs(pipelineOf(0, topic("phi", 5, true)), "phi")).toBe(Infinity)
    expect(uncountedMs(pipelineOf(0), "phi")).toBe(Infinity)
  })

  it("removes nothing where the pipeline says forever, and goes on where a bucket fails", async () => {
    await writer().put("c/1", bytes)
    await store.objects.count("phi", ["c/1"], 1)
    await store.objects.count("phi", ["c/1"], -1)
    await sweep(pipelineOf(undefined, topic("phi", undefined)))
    expect(await isThere("c/1")).toBe(true)
    logged.length = 0
    const failing: Objects = { ...writer(), delete: () => Promise.reject(new Error("no")) }
    await sweep(pipelineOf(0, topic("phi", undefined)), new Map([...buckets, ["phi", failing]]))
    expect(logged).toEqual(["sweep-failed"])
    await sweep(pipelineOf(0, topic("phi", undefined)))
    expect([await isThere("c/1"), logged]).toEqual([false, ["sweep-failed", "objects-swept"]])
  })
})
