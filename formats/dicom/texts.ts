import type { DataSet } from "./element.ts"
import { parseWhole } from "./parse.ts"
import { Values } from "./values.ts"

/** Longest value of unknown kind that is told, bytes. */
const longest = 200

/** All texts of a DICOM file at every nesting depth, decoded by its character sets and each once; pixel data apart. Short values of
 * binary kinds are told as ISO 8859-1. Throws DicomFormatError. */
export function textsOf(bytes: Uint8Array): ReadonlySet<string> {
  const parsed = parseWhole(bytes)
  const texts = new Set<string>()
  gather(new Values(parsed.source, parsed.dataSet), parsed.dataSet, texts)
  return texts
}

function gather(values: Values, dataSet: DataSet, into: Set<string>): void {
  for (const element of dataSet.elements) {
    for (const item of element.items ?? []) gather(new Values(values.source, item, values.charset), item, into)
    if (element.items !== undefined || element.fragments !== undefined || element.tag === 0x7fe00010) continue
    into.add(values.text(element))
    for (const text of values.texts(element)) into.add(text)
    if (element.valueEnd - element.valueStart < longest)
      into.add(Buffer.from(values.source.bytes(element.valueStart, element.valueEnd)).toString("latin1"))
  }
}
