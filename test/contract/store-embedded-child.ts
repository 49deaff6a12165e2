import { openEmbeddedStore } from "../../core/drivers/store-embedded/index.ts"

// A process of its own that opens an embedded Store, commits a step, begins another, says so, and stays until it is told to go.
const [dir, mode] = process.argv.slice(2)
const store = await openEmbeddedStore({ dir: dir! })
const nothing = { deletes: [], sharedPuts: [], sharedDeletes: [], timers: [], cancels: [] }
if (mode === "work") {
  const task = await store.claim("p", "s", 0)
  const change = {
    ...nothing,
    puts: [["k", "", "1"]] as const,
    positions: [{ topic: "t", next: 1n }],
    outbox: Buffer.from("1"),
  }
  await (await task.begin()).commit(change)
  await (await task.begin()).get([["k", ""]])
}
process.stdout.write("ready\n")
process.stdin.once("data", () => void store.close().then(() => process.exit(0)))
