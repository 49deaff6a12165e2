/** Regenerates formats/dicom/data/safe-private.json, the private attributes that Retain Safe Private (PS3.15 E.3.10) keeps:
 *
 *     node scripts/dicom-safe-private.ts STANDARD
 *
 * STANDARD: folder with ps315_tableE3.10-1_safe_private.json (PS3.15), TCIAPrivateTagKB-02-01-2024-formatted.csv (TCIA, through
 * MIDI-B, Apache-2.0), ctp_private_tag_dictionary.csv (RSNA CTP) and private_dict_pydicom_gdcm.json (pydicom, MIT; VRs only).
 * An attribute is safe when the standard lists it, else when TCIA's or CTP's table keeps it and neither removes it anywhere, but for
 * numbers and codes of which TCIA removes what came without a VR. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const [standard] = process.argv.slice(2)
if (standard === undefined) {
  console.error("usage: node scripts/dicom-safe-private.ts STANDARD")
  process.exit(64)
}
const text = (name: string): string => readFileSync(join(standard, name), "utf8").replace(/^\uFEFF/, "")

/** What all tables say of one attribute. */
interface Said {
  readonly creator: string
  standard: boolean
  readonly tcia: Set<string>
  /** Of values whose VR nobody told (UN). What removes these removes texts, bytes and sequences: of numbers and codes it is known what they are, and a
   * value that is none goes anyway. */
  readonly untyped: Set<string>
  readonly ctp: Set<string>
  readonly vrs: Map<string, number>
}

const said = new Map<string, Said>()
/** Tables write creators in different case and spacing. */
const normal = (creator: string): string => creator.trim().replace(/\s+/g, " ").toUpperCase()

function of(creator: string, group: string, element: string): Said {
  const key = [normal(creator), group.toUpperCase(), element.toUpperCase()].join("|")
  const known = said.get(key)
  if (known !== undefined) return known
  const made: Said = {
    creator: normal(creator),
    standard: false,
    tcia: new Set(),
    untyped: new Set(),
    ctp: new Set(),
    vrs: new Map(),
  }
  said.set(key, made)
  return made
}

const addVr = ({ vrs }: Said, vr: string, weight: number): void => {
  if (/^[A-Z]{2}$/.test(vr) && vr !== "UN") vrs.set(vr, (vrs.get(vr) ?? 0) + weight)
}

/** Fields of a line of CSV. */
function fields(line: string): readonly string[] {
  const found: string[] = []
  for (const [, quoted, plain] of line.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/g))
    found.push(quoted === undefined ? (plain ?? "") : quoted.replaceAll('""', '"'))
  return found
}

const rows = JSON.parse(text("ps315_tableE3.10-1_safe_private.json")) as {
  readonly rows: readonly { readonly group: string; readonly element: string; readonly creator: string }[]
}
for (const { group, element, creator } of rows.rows) of(creator, group, element.slice(2)).standard = true

/** The last private attribute of a path counts, wherever it stands; paths that end in a standard one say nothing. */
const pattern = /^\(([0-9a-f]{4}),\s*"?(.*?)"?,\s*([0-9a-f]{2})\)$/i
const lastOf = (path: string): string => path.slice(path.lastIndexOf("](") + 1)
for (const line of text("TCIAPrivateTagKB-02-01-2024-formatted.csv").split(/\r?\n/).slice(1)) {
  const [path = "", , vr = "", disposition = ""] = fields(line)
  const found = pattern.exec(lastOf(path))
  if (found === null) continue
  const one = of(found[2]!, found[1]!, found[3]!)
  ;(vr.trim() === "UN" ? one.untyped : one.tcia).add(disposition.trim().toLowerCase())
  addVr(one, vr, 1)
}

for (const line of text("ctp_private_tag_dictionary.csv").split(/\r?\n/).slice(1)) {
  const [group = "", element = "", creator = "", , vr = "", , code = ""] = fields(line)
  if (!/^[0-9A-F]{4}$/i.test(group) || !/^[0-9A-F]{2}$/i.test(element)) continue
  const one = of(creator, group, element)
  one.ctp.add(code.trim().toUpperCase())
  addVr(one, vr, 2)
}

const vendors = JSON.parse(text("private_dict_pydicom_gdcm.json")) as Readonly<
  Record<string, Readonly<Record<string, readonly [string, string, string, string]>>>
>
for (const [creator, tags] of Object.entries(vendors))
  for (const [tag, [vr]] of Object.entries(tags)) {
    const one = said.get([normal(creator), tag.slice(0, 4).toUpperCase(), tag.slice(-2).toUpperCase()].join("|"))
    if (one !== undefined) addVr(one, vr.slice(0, 2), 10)
  }

const only = (set: ReadonlySet<string>, ...allowed: readonly string[]): boolean =>
  [...set].every((one) => allowed.includes(one))

const readVrs: ReadonlySet<string> = new Set(["LO", "LT", "OB", "OW", "PN", "SH", "SQ", "ST", "UC", "UN", "UT"])
const best = (vrs: ReadonlyMap<string, number>): string =>
  [...vrs].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))[0]?.[0] ?? "UN"

/** keep, uid (mapped), date (shifted with the dates), or nothing. TCIA: k keeps, h hashes a UID, o offsets a date. CTP: K and KB keep. */
function action({ standard: listed, tcia: typed, untyped, ctp, vrs }: Said): string | undefined {
  if (listed) return "keep"
  const isOpen = readVrs.has(best(vrs))
  const tcia = typed.size === 0 ? untyped : isOpen ? new Set([...typed, ...untyped]) : typed
  if (!only(ctp, "K", "KB")) return undefined
  if (tcia.size === 0) return ctp.size > 0 ? "keep" : undefined
  if (only(tcia, "k")) return "keep"
  if (only(tcia, "h") && vrs.has("UI")) return "uid"
  return only(tcia, "o") && (vrs.has("DA") || vrs.has("DT")) ? "date" : undefined
}

const out = [...said]
  .map(([key, one]) => [...key.split("|"), best(one.vrs), action(one)] as const)
  .filter((row): row is readonly [string, string, string, string, string] => row[4] !== undefined)
  .filter(([creator]) => !creator.startsWith("UNNAMED PRIVATE BLOCK"))
  .filter(([creator, group]) => /^[^\\"]+$/.test(creator) && parseInt(group, 16) % 2 === 1)
  .sort((a, b) => (a.join("|") < b.join("|") ? -1 : 1))

const about = {
  edition: "PS3.15 Table E.3.10-1 (2017), TCIA private tag knowledge base 2024-02-01, RSNA CTP",
  source: "PS3.15; TCIA through MIDI-B (Apache-2.0); RSNA CTP; VRs also of pydicom 3 (MIT)",
  columns: "creator, group, element in its block, VR, action",
}
const head = Object.entries(about).map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)},`)
const file = new URL("../formats/dicom/data/safe-private.json", import.meta.url)
writeFileSync(file, `{${head.join("\n")}\n"rows":[\n${out.map((row) => JSON.stringify(row)).join(",\n")}\n]}\n`)
console.log(`safe-private.json: ${out.length} rows`)
