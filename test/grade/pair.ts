import { everyElement } from "./reader.ts"
import type { DicomFile, Element } from "./reader.ts"
import type { Asked } from "./rules.ts"
import type { Standard } from "./standard.ts"
import { valuesOf } from "./text.ts"

/** An input with what was made of it. */
export interface Pair {
  readonly input: DicomFile
  readonly output: DicomFile
  readonly before: ReadonlyMap<string, Element>
  readonly after: ReadonlyMap<string, Element>
  readonly sopClass: string
  /** Whose it is, by the input: Patient ID and issuer, or the study. */
  readonly person: string
  readonly inputName: string
  readonly outputName: string
  readonly asked: Asked
  readonly standard: Standard
}

const byPath = (file: DicomFile): ReadonlyMap<string, Element> =>
  new Map([...everyElement(file.meta), ...everyElement(file.data)].map((element) => [element.path, element]))

/** First value at a path, "" without. */
export function valueAt(elements: ReadonlyMap<string, Element>, path: string): string {
  const element = elements.get(path)
  return element === undefined ? "" : (valuesOf(element)[0] ?? "")
}

/** Joins an input and its output. */
export function pairOf(
  input: DicomFile,
  output: DicomFile,
  names: Pick<Pair, "inputName" | "outputName">,
  asked: Asked,
  standard: Standard,
): Pair {
  const before = byPath(input)
  const patient = valueAt(before, "00100020")
  const person = patient === "" ? `study ${valueAt(before, "0020000D")}` : `${patient}|${valueAt(before, "00100021")}`
  const sopClass = valueAt(before, "00080016") || valueAt(before, "00020002")
  return { input, output, before, after: byPath(output), sopClass, person, ...names, asked, standard }
}

/** Whether a path lies in a sequence of which the items are replaced by dummies, so that nothing in it follows from the original. */
export function isInDummy(path: string, { asked, standard }: Pick<Pair, "asked" | "standard">): boolean {
  return [...path.matchAll(/([0-9A-F]{8})\[\d+\]\./g)].some(([, tag]) => {
    const row = standard.rowOf(parseInt(tag!, 16))
    return row !== undefined && asked.of(row) === undefined && !row.basic.includes("U")
  })
}
