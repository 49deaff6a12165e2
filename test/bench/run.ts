/** Runs the benches, or those that are named, and holds each figure against its floor, which is measured in the same run:
 *
 *     npm run bench -- [NAME ...] [--json]
 *
 * Ends 1 when a figure is below its target, 64 when a name is unknown. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openEmbeddedStore } from "../../core/drivers/store-embedded/index.ts"
import type { Bench, Figure } from "./figure.ts"
import { holds, shareOf } from "./figure.ts"
import { reportOf } from "./report.ts"

/** A bench that is given the address of a PostgreSQL server of its own. */
const onPostgres =
  (bench: (url: string) => Promise<readonly Figure[]>): Bench =>
  async () => {
    const dir = await mkdtemp(join(tmpdir(), "weir-bench-sink-"))
    const store = await openEmbeddedStore({ dir })
    try {
      return await bench(store.url)
    } finally {
      await store.close()
      await rm(dir, { recursive: true, force: true })
    }
  }

/** By name; a file is loaded when its bench runs. */
const benches: Readonly<Record<string, Bench>> = {
  "log-embedded": async () => (await import("./log-embedded.ts")).benchLogEmbedded(),
  "deidentify-dicom": async (tell) => (await import("./deidentify-dicom.ts")).benchDeidentifyDicom(tell),
  "deid-peers": async (tell) => (await import("./deid-peers.ts")).benchDeidPeers(tell),
  deface: async (tell) => (await import("./deface.ts")).benchDeface(tell),
  "postgres-sink": onPostgres(async (url) => (await import("./postgres-sink.ts")).benchPostgresSink(url)),
  poison: onPostgres(async (url) => (await import("./poison.ts")).benchPoison(url)),
  fhir: async (tell) => (await import("./fhir.ts")).benchFhir(tell),
  phenotype: async (tell) => (await import("./phenotype.ts")).benchPhenotype(tell),
  text: async (tell) => (await import("./text.ts")).benchText(tell),
  ocr: async (tell) => (await import("./ocr.ts")).benchOcr(tell),
  canary: async () => (await import("./canary.ts")).benchCanary(),
  memory: async (tell) => (await import("./memory.ts")).benchMemory(tell),
  peers: async (tell) => (await import("./peers.ts")).benchPeers(tell),
}

const given = process.argv.slice(2)
const json = given.includes("--json")
const names = given.filter((word) => word !== "--json")
const unknown = names.filter((name) => benches[name] === undefined)
if (unknown.length > 0) {
  console.error(`no bench is named ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}`)
  process.exit(64)
}

const figures: Figure[] = []
for (const name of names.length === 0 ? Object.keys(benches) : names) {
  const began = performance.now()
  const tell = (what: string) =>
    console.error(`${name}: ${what} (${((performance.now() - began) / 1000).toFixed(0)} s)`)
  tell("begins")
  figures.push(...(await benches[name]!(tell)))
  tell("done")
}
if (json)
  console.log(JSON.stringify(figures.map((figure) => ({ ...figure, share: shareOf(figure), held: holds(figure) }))))
else console.log(reportOf(figures))
process.exit(figures.every(holds) ? 0 : 1)
