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
const placeWords = (text: string): readonly string[] =>
  text.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== "" && !isClinicalWord(word.toUpperCase()))

/** All names at the top of a data set, the patient's and others', and what else identifies there: not to stay in its texts. */
export function namesIn({ source, dataSet }: Parsed): readonly string[] {
  const values = new Values(source, dataSet)
  const found: string[] = []
  for (const element of dataSet.elements) {
    if (element.items !== undefined || element.fragments !== undefined) continue
    const vr = lookup(element.tag)?.vr ?? element.vr
    if (places.has(element.tag)) found.push(...values.texts(element, vr).flatMap(placeWords))
    if (vr === PN || identifying.has(element.tag))
      found.push(...values.texts(element, vr === DA ? element.vr : vr).filter((text) => text !== ""))
  }
  return found
}
