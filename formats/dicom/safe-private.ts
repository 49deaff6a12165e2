import table from "./data/safe-private.json" with { type: "json" }
import type { DataSet, Element } from "./element.ts"
import { find } from "./element.ts"
import { rawText } from "./raw-text.ts"
import type { Source } from "./source.ts"
import { vrCode } from "./vr.ts"

/** A private attribute that is known to hold nothing identifying (PS3.15 E.3.10; TCIA's and CTP's tables): kept, or after its UIDs are
 * mapped or its dates shifted. `vr` is what its vendor says, UN where nobody says. */
export interface SafeAttribute {
  readonly vr: number
  readonly action: "keep" | "uid" | "date"
}

const safe = new Map<string, ReadonlyMap<number, SafeAttribute>>()
for (const [creator, group, element, vr, action] of table.rows as [string, string, string, string, string][]) {
  const known = (safe.get(creator) ?? new Map()) as Map<number, SafeAttribute>
  const tag = parseInt(group, 16) * 0x10000 + parseInt(element, 16)
  known.set(tag, { vr: vrCode(vr), action: action as SafeAttribute["action"] })
  safe.set(creator, known)
}

const normal = (creator: string): string => creator.trim().replace(/\s+/g, " ").toUpperCase()

/** The entry of a private attribute of a creator, whichever block it has reserved; undefined for what is not known to be safe. */
export const safeAttribute = (creator: string, tag: number): SafeAttribute | undefined =>
  safe.get(normal(creator))?.get((tag & 0xffff00ff) >>> 0)

/** Whether an element reserves a block (PS3.5 7.8.1): (gggg,0010) to (gggg,00FF) of an odd group. */
export const isCreator = (tag: number): boolean => (tag & 0xffff) >= 0x10 && (tag & 0xffff) <= 0xff

/** Tag of the element that reserves the block of a private attribute; undefined for one that is in no block. */
export const creatorTag = (tag: number): number | undefined =>
  (tag & 0xffff) < 0x1000 ? undefined : ((tag & 0xffff0000) | ((tag >>> 8) & 0xff)) >>> 0

/** The creator of a private attribute, as its own data set says; undefined when that says none. */
export function creatorOf(
  source: Source,
  dataSet: Pick<DataSet, "elements" | "sorted">,
  tag: number,
): string | undefined {
  const reserved = creatorTag(tag)
  const element: Element | undefined = reserved === undefined ? undefined : find(dataSet as DataSet, reserved)
  if (element === undefined || element.items !== undefined || element.fragments !== undefined) return undefined
  if (element.valueEnd - element.valueStart > 64) return undefined
  const text = rawText(source, element).trim()
  return text === "" ? undefined : text
}
