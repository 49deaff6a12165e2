import { lookup } from "./dictionary.ts"
import { find } from "./element.ts"
import type { DataSet, Element } from "./element.ts"
import { ascii } from "./pseudonyms.ts"
import type { Pseudonyms } from "./pseudonyms.ts"
import { Values } from "./values.ts"

const ACCESSION_ISSUER = 0x00080051

/** Local Namespace Entity ID, else Universal Entity ID, of the issuer beside the accession number. */
function issuerOf(dataSet: DataSet, around: Values): string {
  const item = find(dataSet, ACCESSION_ISSUER)?.items?.[0]
  if (item === undefined) return ""
  const values = new Values(around.source, item, around.charset)
  const text = (tag: number) => {
    const element = find(item, tag)
    const none = element === undefined || element.items !== undefined || element.fragments !== undefined
    return none ? "" : values.text(element, lookup(tag)!.vr).trim()
  }
  return text(0x00400031) || text(0x00400032)
}

/** The pseudonym of an accession number; empty where there is none. */
export function accession(
  element: Element,
  vr: number,
  dataSet: DataSet,
  values: Values,
  pseudonyms: Pseudonyms,
): Uint8Array {
  const value = values.text(element, vr).trim()
  return value === "" ? new Uint8Array(0) : ascii(pseudonyms.accession(value, issuerOf(dataSet, values)))
}

/** Application entity titles, each consistently by another. */
export function titles(text: string, pseudonyms: Pseudonyms): Uint8Array {
  const title = (value: string) => (value === "" ? "" : pseudonyms.identifier("application-entity", value).slice(0, 16))
  return ascii(
    text
      .split("\\")
      .map((value) => title(value.trim()))
      .join("\\"),
  )
}
