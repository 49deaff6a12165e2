import { capAge, shiftDates } from "./dates.ts"
import { isRegisteredUid, lookup } from "./dictionary.ts"
import { dummyValue } from "./dummy.ts"
import type { Coding, DataSet, Element } from "./element.ts"
import { find } from "./element.ts"
import type { Output } from "./output.ts"
import { rawText } from "./parse.ts"
import { basicAction } from "./profile.ts"
import type { Action, BasicAction, Rule } from "./profile.ts"
import { refuse } from "./refusal.ts"
import type { Refused } from "./refusal.ts"
import type { Source } from "./source.ts"
import { isCurve, isOverlay, isPixelData, isPrivate, tagText } from "./tag.ts"
import { Values } from "./values.ts"
import { DA, DT, numberWidth, OB, PN, SQ, UI, UN } from "./vr.ts"

/** What takes identity out, for one person. Texts must be ASCII and fit their VR. */
export interface Pseudonyms {
  /** Patient ID (0010,0020), at most 64 characters. */
  patientId(): string
  /** Patient's Name (0010,0010). */
  patientName(): string
  /** A UID for a UID, always the same. */
  uid(uid: string): string
  /** At most 16 characters for an accession number and its issuer. */
  accession(value: string, issuer: string): string
  /** For identifiers that must stay distinct (specimens, containers), at most 64 characters. */
  identifier(namespace: string, value: string): string
  /** Whole days, 1 or more, by which dates move backwards. */
  readonly shiftDays: number
}

/** What was done, in elements; nested ones count, those inside removed sequences do not. */
export interface Counts {
  removed: number
  emptied: number
  replaced: number
  uidsMapped: number
  datesShifted: number
  agesCapped: number
  /** Private attributes that were removed. */
  removedPrivate: number
  /** Standard-group attributes in neither table nor dictionary, or with a value of another kind, that were removed. */
  removedUnknown: number
  /** Dates and ages that no rule could read, which took the basic action. */
  unreadableDates: number
}

export const noCounts = (): Counts => ({
  removed: 0,
  emptied: 0,
  replaced: 0,
  uidsMapped: 0,
  datesShifted: 0,
  agesCapped: 0,
  removedPrivate: 0,
  removedUnknown: 0,
  unreadableDates: 0,
})

/** Thrown to unwind when something inside a sequence must not pass. */
export class RefusedInside extends Error {
  readonly refused: Refused
  constructor(refused: Refused) {
    super(refused.reason)
    this.refused = refused
  }
}

/** One instance on its way: what is the same for all its data sets. */
export interface Job {
  readonly source: Source
  readonly output: Output
  readonly rules: ReadonlyMap<number, Rule>
  readonly sopClass: string
  readonly pseudonyms: Pseudonyms
  readonly retainUids: boolean
  readonly shiftDates: boolean
  readonly counts: Counts
}

/** An element that is written instead of what the data set holds: `dataSet` says where among its elements it belongs. */
export interface Insertion {
  readonly tag: number
  readonly vr: number
  readonly value: Uint8Array
}

const PATIENT_NAME = 0x00100010
const PATIENT_ID = 0x00100020
const ACCESSION_NUMBER = 0x00080050
const ACCESSION_ISSUER = 0x00080051
/** Container Identifier and Specimen Identifier: type 1, and different for each container and specimen. */
const distinct: ReadonlySet<number> = new Set([0x00400512, 0x00400551])
/** Group lengths and Length to End are retired (PS3.5 7.2) and would be wrong. */
const isLength = (tag: number): boolean => (tag & 0xffff) === 0 || tag === 0x00080001

/** Groups below 0008 belong to commands, file meta information and media directories (PS3.5 7.1). */
const firstDataSetTag = 0x00080000
/** Rows of Table E.1-1 for repeating groups, all of them X: curves, overlay data and overlay comments; what has data was refused. */
const repeatingRow = (tag: number): boolean =>
  isCurve(tag) || (isOverlay(tag) && ((tag & 0xffff) === 0x3000 || (tag & 0xffff) === 0x4000))

/** Encrypted Attributes Sequence: originals, under keys that are not ours. The table passes over it (docs/decisions/0011). */
const ENCRYPTED_ATTRIBUTES = 0x04000500

const timeOrOffset = /^(?:\d{2,6}(?:\.\d{1,6})?|\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?|[+-]\d{4})?$/

const ascii = (text: string): Uint8Array => {
  // eslint-disable-next-line no-control-regex
  if (!/^[\x20-\x7e]*$/.test(text)) throw new RangeError("a pseudonym holds a character that is not ASCII")
  return Buffer.from(text, "latin1")
}

/** Copies elements of a data set to the output, each treated by its rule; neighbours that stay are copied as one run. */
class Rewriter {
  private readonly job: Job
  private readonly dataSet: DataSet
  private readonly parent: number
  private runFrom = 0
  private runTo = 0

  constructor(job: Job, dataSet: DataSet, parent: number) {
    this.job = job
    this.dataSet = dataSet
    this.parent = parent
  }

  private flush(): void {
    if (this.runTo > this.runFrom) this.job.output.append(this.job.source.bytes(this.runFrom, this.runTo))
    this.runFrom = this.runTo = 0
  }

  private keep(element: Element): void {
    if (element.start !== this.runTo) {
      this.flush()
      this.runFrom = element.start
    }
    this.runTo = element.end
  }

  /** Writes an element with the dictionary's VR, padded to even length. */
  private put(tag: number, vr: number, value: Uint8Array): void {
    this.flush()
    const odd = value.length % 2
    this.job.output.header(tag, vr, value.length + odd, this.dataSet.coding)
    this.job.output.append(value)
    if (odd === 1) this.job.output.append(Uint8Array.of(vr === UI || vr === UN ? 0 : 0x20))
  }

  /** Writes the data set up to, and without, the pixel data of the top level. */
  write(insertions: readonly Insertion[] = []): void {
    const { elements, sorted } = this.dataSet
    const ordered = sorted ? elements : [...elements].sort((a, b) => a.tag - b.tag)
    let next = 0
    for (const element of ordered) {
      while (next < insertions.length && insertions[next]!.tag <= element.tag) this.insert(insertions[next++]!)
      if (insertions.some(({ tag }) => tag === element.tag)) continue
      if (this.parent === 0 && isPixelData(element.tag)) continue
      this.element(element)
    }
    while (next < insertions.length) this.insert(insertions[next++]!)
    this.flush()
  }

  private insert({ tag, vr, value }: Insertion): void {
    if (vr !== SQ) return this.put(tag, vr, value)
    this.flush()
    this.job.output.header(tag, SQ, value.length, this.dataSet.coding)
    this.job.output.append(value)
  }

  private element(element: Element): void {
    const { tag } = element
    if (isLength(tag)) return
    if (isPrivate(tag)) {
      this.job.counts.removedPrivate++
      return
    }
    const rule = this.job.rules.get(tag)
    if (rule !== undefined) this.byRule(element, rule)
    else this.offTable(element)
  }

  private byRule(element: Element, rule: Rule): void {
    const { tag } = element
    const basic = basicAction(rule.basic, this.job.sopClass, this.parent, tag)
    if (rule.option === undefined) return this.act(element, basic)
    if (rule.option === "date") return this.date(element, basic)
    if (rule.option === "age") return this.age(element, basic)
    if (element.items !== undefined) return this.clean(element)
    const vr = lookup(element.tag)?.vr ?? element.vr
    const claims = element.vr === PN || element.vr === DA || element.vr === DT || element.vr === UI
    if (this.strange(element, vr) || (claims && element.vr !== vr)) return this.unknown()
    this.keep(element)
  }

  private act(element: Element, action: BasicAction | Action): void {
    const { tag } = element
    const vr = lookup(tag)?.vr ?? element.vr
    if (tag === PATIENT_ID || tag === PATIENT_NAME) return this.person(tag, vr)
    if (tag === ACCESSION_NUMBER) return this.accession(element, vr)
    if (action === "X") this.job.counts.removed++
    else if (action === "Z") this.empty(tag, vr)
    else if (action === "U") this.uids(element, vr)
    else this.dummy(element, vr)
  }

  private person(tag: number, vr: number): void {
    const { pseudonyms, counts } = this.job
    counts.replaced++
    this.put(tag, vr, ascii(tag === PATIENT_ID ? pseudonyms.patientId() : pseudonyms.patientName()))
  }

  private accession(element: Element, vr: number): void {
    if (element.items !== undefined) return this.unknown()
    const values = new Values(this.job.source, this.dataSet)
    const value = values.text(element, vr).trim()
    if (value === "") return this.empty(element.tag, vr)
    this.job.counts.replaced++
    this.put(element.tag, vr, ascii(this.job.pseudonyms.accession(value, this.issuer())))
  }

  /** Local Namespace Entity ID, else Universal Entity ID, of the issuer beside the accession number. */
  private issuer(): string {
    const item = find(this.dataSet, ACCESSION_ISSUER)?.items?.[0]
    if (item === undefined) return ""
    const values = new Values(this.job.source, item)
    const text = (tag: number) => {
      const element = find(item, tag)
      return element === undefined || element.items !== undefined ? "" : values.text(element, lookup(tag)!.vr).trim()
    }
    return text(0x00400031) || text(0x00400032)
  }

  private empty(tag: number, vr: number): void {
    this.job.counts.emptied++
    this.put(tag, vr, new Uint8Array(0))
  }

  private unknown(): void {
    this.job.counts.removedUnknown++
  }

  private uids(element: Element, vr: number): void {
    if (element.items !== undefined) return this.clean(element)
    if (element.fragments !== undefined || vr !== UI) return this.unknown()
    if (this.job.retainUids) return this.keep(element)
    const text = rawText(this.job.source, element)
    const values = text.split("\\").map((value) => value.trim())
    if (values.every((value) => value === "" || isRegisteredUid(value))) return this.keep(element)
    this.job.counts.uidsMapped++
    this.put(element.tag, UI, ascii(values.map((value) => this.uid(value)).join("\\")))
  }

  private uid(value: string): string {
    return value === "" || isRegisteredUid(value) ? value : this.job.pseudonyms.uid(value)
  }

  private date(element: Element, basic: BasicAction): void {
    const vr = lookup(element.tag)?.vr ?? element.vr
    if (vr !== DA && vr !== DT) {
      // Times of day and the offset from UTC stay; anything else that the option would clean takes the basic action.
      if (element.items !== undefined || element.fragments !== undefined) return this.unknown()
      return this.keepsTime(element) ? this.keep(element) : this.act(element, basic)
    }
    if (element.items !== undefined || element.fragments !== undefined) return this.unknown()
    const text = rawText(this.job.source, element)
    if (text.trim() === "") return this.keep(element)
    const shifted = shiftDates(text, this.job.pseudonyms.shiftDays)
    if (shifted === undefined) {
      this.job.counts.unreadableDates++
      return this.act(element, basic)
    }
    this.job.counts.datesShifted++
    this.put(element.tag, vr, ascii(shifted))
  }

  /** Whether all values are times of day (HHMMSS.F, the old HH:MM:SS) or offsets from UTC. */
  private keepsTime(element: Element): boolean {
    if (lookup(element.tag)?.vr === OB) return false
    const readable = rawText(this.job.source, element)
      .split("\\")
      .every((value) => timeOrOffset.test(value.trim()))
    if (!readable) this.job.counts.unreadableDates++
    return readable
  }

  private age(element: Element, basic: BasicAction): void {
    const text = element.items === undefined ? rawText(this.job.source, element) : "?"
    if (text.trim() === "") return this.keep(element)
    const capped = capAge(text)
    if (capped === undefined) {
      this.job.counts.unreadableDates++
      return this.act(element, basic)
    }
    if (capped === text.trim()) return this.keep(element)
    this.job.counts.agesCapped++
    this.put(element.tag, lookup(element.tag)!.vr, ascii(capped))
  }

  private offTable(element: Element): void {
    const { tag } = element
    const entry = lookup(tag)
    if (entry === undefined || tag < firstDataSetTag) return this.unknown()
    this.refusePictures(element)
    if (repeatingRow(tag) || tag === ENCRYPTED_ATTRIBUTES) return void this.job.counts.removed++
    if (element.items !== undefined) return entry.vr === SQ ? this.clean(element) : this.unknown()
    if (this.strange(element, entry.vr)) return this.unknown()
    if (entry.vr === UI || element.vr === UI) return this.uids(element, UI)
    if (entry.vr === PN || element.vr === PN) return this.name(element)
    if (entry.vr === DA || entry.vr === DT || element.vr === DA || element.vr === DT) return this.offTableDate(element)
    this.keep(element)
  }

  /** A value of another kind than the attribute's: a sequence that is none, encapsulated bytes, text where numbers belong. */
  private strange(element: Element, vr: number): boolean {
    if (element.fragments !== undefined) return true
    if (vr === SQ) return !this.vacant(element)
    return numberWidth.has(vr) && !numberWidth.has(element.vr) && element.vr !== UN
  }

  private vacant(element: Element): boolean {
    return element.valueEnd === element.valueStart
  }

  private refusePictures({ tag, valueStart, valueEnd }: Element): void {
    if (this.parent === 0 || valueEnd === valueStart) return
    if (tag >>> 24 === 0x7f) throw new RefusedInside(refuse("unexpected-pixel-data", tagText(tag), "nested"))
    if (isCurve(tag)) throw new RefusedInside(refuse("curve", tagText(tag), "nested"))
    if (isOverlay(tag) && (tag & 0xffff) === 0x3000) throw new RefusedInside(refuse("overlay", tagText(tag), "nested"))
  }

  /** Names of persons are never kept, though the table passes over some (docs/decisions/0011). */
  private name(element: Element): void {
    if (this.vacant(element)) return this.keep(element)
    this.empty(element.tag, PN)
  }

  /** Nor are dates unshifted: one that stays would tell the shift. */
  private offTableDate(element: Element): void {
    if (this.vacant(element)) return this.keep(element)
    if (!this.job.shiftDates) return this.act(element, "X")
    const shifted = shiftDates(rawText(this.job.source, element), this.job.pseudonyms.shiftDays)
    if (shifted === undefined) this.job.counts.unreadableDates++
    if (shifted === undefined) return this.act(element, "X")
    this.job.counts.datesShifted++
    this.put(element.tag, element.vr === DA || element.vr === DT ? element.vr : lookup(element.tag)!.vr, ascii(shifted))
  }

  /** Keeps a sequence and treats each item, with lengths as they then are. */
  private clean(element: Element): void {
    this.nested(element, element.items!, (item) => new Rewriter(this.job, item, element.tag).write())
  }

  /** Copies the headers as they stand, so that VR, form of length and byte order stay, and sets lengths anew. */
  private nested(element: Element, items: readonly DataSet[], body: (item: DataSet) => void): void {
    this.flush()
    const { output, source } = this.job
    output.append(source.bytes(element.start, element.valueStart))
    const valueStart = output.length
    for (const item of items) {
      output.append(source.bytes(item.start, item.valueStart))
      const itemStart = output.length
      body(item)
      if (item.undefinedLength) output.append(source.bytes(item.valueEnd, item.valueEnd + 8))
      else output.patchLength(itemStart, item.coding.bigEndian)
    }
    if (element.undefinedLength) output.append(source.bytes(element.valueEnd, element.valueEnd + 8))
    else output.patchLength(valueStart, this.dataSet.coding.bigEndian)
  }

  private dummy(element: Element, vr: number): void {
    const { tag } = element
    if (vr === SQ && element.items === undefined) return this.vacant(element) ? this.keep(element) : this.unknown()
    if (vr !== SQ && element.items !== undefined) return this.unknown()
    this.job.counts.replaced++
    if (vr === SQ) return this.dummyItems(element)
    if (vr === UI) return this.dummyUid(element)
    if (distinct.has(tag) && element.valueEnd > element.valueStart && element.fragments === undefined)
      return this.put(
        tag,
        vr,
        ascii(this.job.pseudonyms.identifier(tagText(tag), rawText(this.job.source, element).trim())),
      )
    this.put(tag, vr, dummyValue(vr))
  }

  private dummyUid(element: Element): void {
    const value = element.fragments === undefined ? rawText(this.job.source, element).trim() : ""
    this.put(element.tag, UI, ascii(this.job.retainUids ? value : this.uid(value)))
  }

  /** The first item, with a dummy for every standard attribute in it: its form stays, nothing that it said does. */
  private dummyItems(element: Element): void {
    this.nested(element, element.items!.slice(0, 1), (item) => new Rewriter(this.job, item, element.tag).writeDummies())
  }

  /** Writes the data set with a dummy for every value. */
  private writeDummies(): void {
    for (const element of [...this.dataSet.elements].sort((a, b) => a.tag - b.tag)) {
      const vr = lookup(element.tag)?.vr
      if (vr !== undefined && !isLength(element.tag) && !isPrivate(element.tag)) this.dummy(element, vr)
    }
    this.flush()
  }
}

/** Writes the data set of an instance, without its pixel data, treated by the rules, with the insertions in their places (tags
 * ascending; an insertion takes the place of the element with its tag). Throws `RefusedInside` for pictures inside items. */
export function rewrite(job: Job, dataSet: DataSet, insertions: readonly Insertion[]): void {
  new Rewriter(job, dataSet, 0).write(insertions)
}

/** Bytes of a sequence value of one item for each group of elements, of defined length. */
export function sequenceValue(output: Output, items: readonly (readonly Insertion[])[], coding: Coding): Uint8Array {
  for (const item of items) {
    output.header(0xfffee000, 0, 0, coding)
    const start = output.length
    for (const { tag, vr, value } of item) {
      output.header(tag, vr, value.length, coding)
      output.append(value)
    }
    output.patchLength(start, coding.bigEndian)
  }
  return output.bytes()
}
