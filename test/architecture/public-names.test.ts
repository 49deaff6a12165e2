import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { exportedFrom } from "./exports.ts"

/** The public surface is a promise: a name goes, comes or changes its kind only on purpose. After such a change:
 *
 *     WEIR_UPDATE_NAMES=1 npx vitest run --project unit test/architecture/public-names.test.ts */
const snapshot = join(import.meta.dirname, "public-names.json")
const entries = { weir: "core/index.ts", "weir/testing": "test/kit/index.ts" } as const

const names = (file: string): string[] =>
  exportedFrom(file)
    .map(({ name, kind }) => `${kind} ${name}`)
    .toSorted()
const current = Object.fromEntries(Object.entries(entries).map(([entry, file]) => [entry, names(file)]))
if (process.env["WEIR_UPDATE_NAMES"] === "1") writeFileSync(snapshot, `${JSON.stringify(current, null, 2)}\n`)

describe.each(Object.entries(entries))("the public surface %s", (entry, file) => {
  it("exports the names that are written down, and no others", () => {
    const written = JSON.parse(readFileSync(snapshot, "utf8")) as Readonly<Record<string, readonly string[]>>
    expect(current[entry]).toEqual(written[entry])
  })

  it("is read here as the module gives it", async () => {
    const values = exportedFrom(file).filter(({ kind }) => kind !== "interface" && kind !== "type")
    const module = (await import(join("../..", file))) as object
    expect([...new Set(values.map(({ name }) => name))].toSorted()).toEqual(Object.keys(module).toSorted())
  })

  it("says of every name what it is", () => {
    const silent = exportedFrom(file).filter(({ documented }) => !documented)
    expect(silent.map(({ file: where, line, name }) => `${where}:${line} ${name}`)).toEqual([])
  })
})
