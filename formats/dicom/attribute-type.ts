import classes from "./data/sop-classes.json" with { type: "json" }
import { isPrivate } from "./tag.ts"
import types from "./data/attribute-types.json" with { type: "json" }

/** Type of an attribute in an IOD (PS3.5 7.4), the strictest of its modules; 3 also for an attribute that the IOD does not have. */
export type AttributeType = "1" | "1C" | "2" | "2C" | "3"

/** By enclosing sequence (0 at the top) and tag. */
type Types = Map<number, Map<number, AttributeType>>

const tagNumber = (text: string): number => (text === "" ? 0 : parseInt(text, 16))

function add(into: Types, parent: number, tag: number, type: AttributeType): void {
  const tags = into.get(parent) ?? new Map<number, AttributeType>()
  const known = tags.get(tag)
  if (known === undefined || type < known) tags.set(tag, type)
  into.set(parent, tags)
}

const byModule = new Map<string, (readonly [number, number, AttributeType])[]>()
/** Inside sequences an attribute has one meaning in all modules, so types of other IODs fill what the tables lack. */
const anywhere: Types = new Map()
for (const [module, parent, tag, type] of types.rows as [string, string, string, AttributeType][]) {
  const row = [tagNumber(parent), tagNumber(tag), type] as const
  byModule.set(module, [...(byModule.get(module) ?? []), row])
  if (row[0] !== 0) add(anywhere, ...row)
}

/** Functional group and content item macros, which the tables lack: PS3.3 tables C.7.6.16-6 (Referenced Image), C.7.6.16-7 (Derivation
 * Image), C.17-6 (Document Relationship). */
for (const group of [0x52009229, 0x52009230]) add(anywhere, group, 0x00081140, "2")
add(anywhere, 0x00089124, 0x00082112, "2")
add(anywhere, 0x0040a730, 0x0040a032, "1C")

const modulesOf = new Map((classes.rows as string[][]).map(([uid, , ...modules]) => [uid!, modules]))
const byClass = new Map<string, Types>()

function typesOf(sopClass: string): Types {
  let found = byClass.get(sopClass)
  if (found !== undefined) return found
  found = new Map()
  const modules = modulesOf.get(sopClass) ?? []
  for (const module of modules) for (const row of byModule.get(module) ?? []) add(found, ...row)
  if (modulesOf.has(sopClass)) byClass.set(sopClass, found)
  return found
}

/** Type of an attribute in the objects of a SOP class. Known are those whose action in PS3.15 Table E.1-1 depends on it; undefined
 * where the SOP class, or what is inside a private sequence, is not known.
 * @param parent tag of the enclosing sequence, 0 at the top level */
export function attributeType(sopClass: string, parent: number, tag: number): AttributeType | undefined {
  if (isPrivate(parent) || !modulesOf.has(sopClass)) return undefined
  return typesOf(sopClass).get(parent)?.get(tag) ?? (parent === 0 ? undefined : anywhere.get(parent)?.get(tag)) ?? "3"
}
