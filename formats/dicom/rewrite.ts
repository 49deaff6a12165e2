import type { Coding, DataSet, Element } from "./element.ts"
import type { Why } from "./decision.ts"
import type { Output } from "./output.ts"
import { isPixelData, tagText } from "./tag.ts"
import { Treatments } from "./treatment.ts"
import type { Case, Replacement, Treatment } from "./case.ts"
import { SQ, UI, UN } from "./vr.ts"

/** An element that the output has whatever the input has. */
export interface Insertion extends Replacement {
  readonly tag: number
}

/** Patient's Name and Patient ID, which every output has. */
const identity: ReadonlySet<number> = new Set([0x00100010, 0x00100020])

/** Writes one data set, each element as it is treated; neighbours that stay are copied as one run. */
class Rewriter {
  private readonly its: Case
  private readonly output: Output
  private readonly dataSet: DataSet
  private readonly isTop: boolean
  private readonly treatments: Treatments
  /** Of the sequence and item around; for the trace. */
  private readonly path: string
  private runFrom = 0
  private runTo = 0

  constructor(its: Case, output: Output, dataSet: DataSet, parent: number, path = "", around?: Treatments) {
    this.its = its
    this.output = output
    this.dataSet = dataSet
    this.isTop = parent === 0
    this.path = path
    this.treatments = new Treatments(its, dataSet, parent, around)
  }

  /** All elements but the pixel data of the top level, and the insertions, in order of tags. */
  write(insertions: readonly Insertion[]): void {
    let next = 0
    for (const element of this.ordered()) {
      let inserted = false
      while (next < insertions.length && insertions[next]!.tag <= element.tag) {
        inserted = insertions[next]!.tag === element.tag
        this.insert(insertions[next++]!)
      }
      if (inserted) continue
      if (this.isTop && isPixelData(element.tag)) this.tell(element.tag, "pixel-data", "keep")
      else this.apply(element, this.treatments.of(element, this.path))
    }
    while (next < insertions.length) this.insert(insertions[next++]!)
    this.flush()
  }

  /** All elements, with a dummy for each value. */
  writeDummies(): void {
    for (const element of this.ordered()) this.apply(element, this.treatments.dummyOf(element, this.path))
    this.flush()
  }

  private ordered(): readonly Element[] {
    const { elements, sorted } = this.dataSet
    return sorted ? elements : [...elements].sort((a, b) => a.tag - b.tag)
  }

  private apply(element: Element, treatment: Treatment): void {
    if (treatment === "drop") return
    if (treatment === "keep") this.keep(element)
    else if (treatment === "clean") this.items(element, element.items!, (inside) => inside.write([]))
    else if (treatment === "dummies") this.items(element, element.items!.slice(0, 1), (inside) => inside.writeDummies())
    else this.put(element.tag, treatment)
  }

  private flush(): void {
    if (this.runTo > this.runFrom) this.output.append(this.its.source.bytes(this.runFrom, this.runTo))
    this.runFrom = this.runTo = 0
  }

  private keep(element: Element): void {
    if (element.start !== this.runTo) {
      this.flush()
      this.runFrom = element.start
    }
    this.runTo = element.end
  }

  private put(tag: number, { vr, value }: Replacement): void {
    this.flush()
    const odd = value.length % 2
    this.output.header(tag, vr, value.length + odd, this.dataSet.coding)
    this.output.append(value)
    if (odd === 1) this.output.append(Uint8Array.of(vr === UI || vr === UN ? 0 : 0x20))
  }

  private tell(tag: number, why: Why, treatment: Treatment): void {
    const { trace, rules } = this.its
    trace?.({ path: tagText(tag), tag, rule: rules.get(tag), basic: undefined, why, treatment })
  }

  private insert(insertion: Insertion): void {
    this.tell(insertion.tag, identity.has(insertion.tag) ? "identity" : "statement", insertion)
    this.put(insertion.tag, insertion)
  }

  /** Copies the headers as they stand, so that VR, form of length and byte order stay, and sets lengths anew. */
  private items(element: Element, items: readonly DataSet[], body: (inside: Rewriter) => void): void {
    this.flush()
    const { output } = this
    const { source } = this.its
    output.append(source.bytes(element.start, element.valueStart))
    const valueStart = output.length
    const traced = this.its.trace !== undefined
    for (const [at, item] of items.entries()) {
      const path = traced ? `${this.path}${tagText(element.tag)}[${at}].` : ""
      output.append(source.bytes(item.start, item.valueStart))
      const itemStart = output.length
      body(new Rewriter(this.its, output, item, element.tag, path, this.treatments))
      if (item.undefinedLength) output.append(source.bytes(item.valueEnd, item.end))
      else output.patchLength(itemStart, item.coding.bigEndian)
    }
    if (element.undefinedLength) output.append(source.bytes(element.valueEnd, element.end))
    else output.patchLength(valueStart, this.dataSet.coding.bigEndian)
  }
}

/** Writes the data set of an instance, without its pixel data, with the insertions in their places; tags of insertions ascend, and
 * one takes the place of the element with its tag. Throws `RefusedInside` for pictures inside items. */
export function rewrite(its: Case, output: Output, dataSet: DataSet, insertions: readonly Insertion[]): void {
  new Rewriter(its, output, dataSet, 0).write(insertions)
}

/** Bytes of a sequence value: one item for each group of elements, all of defined length. */
export function sequenceValue(output: Output, items: readonly (readonly Insertion[])[], coding: Coding): Uint8Array {
  for (const item of items) {
    output.header(0xfffee000, SQ, 0, coding)
    const start = output.length
    for (const { tag, vr, value } of item) {
      output.header(tag, vr, value.length, coding)
      output.append(value)
    }
    output.patchLength(start, coding.bigEndian)
  }
  return output.bytes()
}
