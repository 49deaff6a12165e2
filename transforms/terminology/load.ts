import { readFile, readdir, stat } from "node:fs/promises"
import { basename, extname, join } from "node:path"
import { fatal } from "../../core/index.ts"
import { readConceptMap } from "./concept-map.ts"
import { readCsvTable } from "./csv-table.ts"
import type { CodeTable, MappedCode, TableFault } from "./code-table.ts"

const isTable = (name: string): boolean => /\.(json|csv)$/i.test(name)

/** The table files that the paths name, folders in name order. */
async function filesOf(paths: readonly string[]): Promise<readonly string[]> {
  const files: string[] = []
  for (const path of paths) {
    try {
      if (!(await stat(path)).isDirectory()) files.push(path)
      else
        files.push(
          ...(await readdir(path))
            .filter(isTable)
            .sort()
            .map((name) => join(path, name)),
        )
    } catch (cause) {
      throw fatal("maps-missing", `code tables cannot be read: ${basename(path)}`, { path: "maps", cause })
    }
  }
  if (files.length === 0) throw fatal("maps-missing", "there are no .json or .csv code tables", { path: "maps" })
  return files
}

async function readTable(file: string, faults: TableFault[]): Promise<CodeTable> {
  const extension = extname(file)
  const name = basename(file, extension)
  const read = extension.toLowerCase() === ".csv" ? readCsvTable : readConceptMap
  return read(await readFile(file, "utf8"), basename(file), name, faults)
}

/** All tables as one, by code. */
export class CodeTables {
  readonly #byCode = new Map<string, MappedCode[]>()
  readonly #unmapped: CodeTable["unmapped"]

  private constructor(tables: readonly CodeTable[]) {
    for (const match of tables.flatMap(({ matches }) => matches)) {
      const slot = `${match.fromSystem}\n${match.fromCode}`
      const known = this.#byCode.get(slot)
      if (known === undefined) this.#byCode.set(slot, [match])
      else known.push(match)
    }
    this.#unmapped = tables.flatMap(({ unmapped }) => unmapped)
  }

  /** Loads tables from files and folders. Throws fatal `maps-missing`; `maps-broken` with every fault, as file:line or file:path. */
  static async load(paths: readonly string[]): Promise<CodeTables> {
    const faults: TableFault[] = []
    const tables: CodeTable[] = []
    for (const file of await filesOf(paths)) tables.push(await readTable(file, faults))
    if (faults.length === 0) return new CodeTables(tables)
    const told = faults.slice(0, 50).map(({ file, place, message }) => `${file}:${place}: ${message}`)
    const more = faults.length > told.length ? `\nand ${faults.length - told.length} more` : ""
    throw fatal("maps-broken", `code tables have faults:\n${told.join("\n")}${more}`, { path: "maps" })
  }

  /** Every match of a code in any table. */
  matches(system: string, code: string): readonly MappedCode[] {
    const listed = this.#byCode.get(`${system}\n${code}`) ?? []
    const others = this.#unmapped.filter(({ fromSystem, listed: known }) => fromSystem === system && !known.has(code))
    return others.length === 0 ? listed : [...listed, ...others.map(({ match }) => match(code))]
  }
}
