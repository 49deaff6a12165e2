import { isMaker } from "./defined-terms.ts"
import { lookup } from "./dictionary.ts"
import type { Parsed } from "./parse.ts"
import { Values } from "./values.ts"
import { isClinicalWord } from "./vocabulary.ts"
import { DA, PN } from "./vr.ts"

/** Identifying attributes of the top level that are no names: birth date, other ids, address, phone numbers, order numbers. */
const identifying: ReadonlySet<number> = new Set([
  0x00100030, 0x00101000, 0x00101040, 0x00102154, 0x00200010, 0x00380010, 0x00401001, 0x00402016, 0x00402017,
])
/** Places, of whose names the clinical words tell nothing: institution, its address and department, station. */
const places: ReadonlySet<number> = new Set([0x00080080, 0x00080081, 0x00081010, 0x00081040])
/** What many institutions, streets and makers are called. */
const common = new Set(
  `HEALTHCARE TECHNOLOGIES SOLUTIONS CORPORATION UNIVERSITY CLINIC CLINICS INSTITUTE SCHOOL COLLEGE FOUNDATION NATIONAL INTERNATIONAL
  STREET AVENUE ROAD BOULEVARD DRIVE SUITE NORTH SOUTH EAST WEST`.split(/\s+/),
)
const institution: ReadonlySet<number> = new Set([0x00080080, 0x00080081])
const placeWords = (text: string): readonly string[] =>
  text.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== "" && !isClinicalWord(word.toUpperCase()))

/** What identifies at the top of a data set, and is not to stay in its texts. */
export interface Named {
  /** The patient's: names, ids, birth date, phone numbers. */
  readonly identifying: readonly string[]
  /** Names of others, words of places and addresses. */
  readonly others: readonly string[]
}

const ADDRESS = 0x00101040
const ofPatient = (tag: number): boolean => tag >>> 16 === 0x0010 && tag !== ADDRESS

/** All names at the top of a data set, the patient's and others', and what else identifies there. */
export function namesIn({ source, dataSet }: Parsed): Named {
  const values = new Values(source, dataSet)
  const found: { readonly identifying: string[]; readonly others: string[] } = { identifying: [], others: [] }
  for (const element of dataSet.elements) {
    if (element.items !== undefined || element.fragments !== undefined) continue
    const { tag } = element
    const vr = lookup(tag)?.vr ?? element.vr
    const into = ofPatient(tag) ? found.identifying : found.others
    if (places.has(tag)) into.push(...values.texts(element, vr).flatMap(placeWords))
    if (vr === PN || identifying.has(tag))
      into.push(...values.texts(element, vr === DA ? element.vr : vr).filter((text) => text !== ""))
  }
  return found
}

/** Words of the patient's address, and of the institution's name and address where those are not retained: not to stay in what an option
 * keeps of devices, nor in texts that the table passes over. Not those that makers and many institutions are called. */
export function placesIn({ source, dataSet }: Parsed, withInstitution: boolean): readonly string[] {
  const values = new Values(source, dataSet)
  return dataSet.elements
    .filter(({ tag }) => tag === ADDRESS || (withInstitution && institution.has(tag)))
    .filter(({ items, fragments }) => items === undefined && fragments === undefined)
    .flatMap((element) => values.texts(element, lookup(element.tag)?.vr ?? element.vr).flatMap(placeWords))
    .filter((word) => !isMaker(word.toUpperCase()) && !common.has(word.toUpperCase()))
}

/** Shortest words that are searched for; two ideographs are a full name, three letters are none. */
// eslint-disable-next-line no-control-regex
const isTelling = (word: string): boolean => (/^[\x00-\x7f]*$/.test(word) ? word.length > 3 : word.length > 1)
const isCommon = (word: string): boolean => isClinicalWord(word.toUpperCase()) || /^ANONYMOUS$|^\d+$/i.test(word)

/** The words of all names in an object but the patient's, which the search of the result finds, as a pattern that finds each where it stands alone; undefined when there is none. Words that
 * clinical texts have, and what is too short to tell a person, are left out. */
export function namePattern(names: readonly string[]): RegExp | undefined {
  const words = new Set(names.flatMap((name) => name.match(/[\p{L}\p{M}\p{N}]+/gu) ?? []).filter(isTelling))
  const telling = [...words].filter((word) => !isCommon(word))
  if (telling.length === 0) return undefined
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${telling.join("|")})(?![\\p{L}\\p{N}])`, "giu")
}
