import { RefusedInside } from "./case.ts"
import type { Case, Treatment } from "./case.ts"
import type { Charset } from "./charset.ts"
import { hasOwnMeaning, itemSubject } from "./content-item.ts"
import type { ItemSubject } from "./content-item.ts"
import { capAge, shiftDates } from "./dates.ts"
import { isRegisteredUid, lookup } from "./dictionary.ts"
import { dummyValue } from "./dummy.ts"
import { find } from "./element.ts"
import type { DataSet, Element } from "./element.ts"
import { PrivateTreatments } from "./private-treatment.ts"
import { basicAction } from "./profile.ts"
import type { BasicAction, Rule } from "./profile.ts"
import { ascii } from "./pseudonyms.ts"
import { rawText } from "./raw-text.ts"
import { refuse } from "./refusal.ts"
import { isCurve, isOverlay, isPrivate, tagText } from "./tag.ts"
import { cleanedText, mappedText, speaksOfPerson } from "./text-treatment.ts"
import { Values } from "./values.ts"
import { AE, AS, charsetVrs, CS, DA, DS, DT, IS, numberWidth, OB, PN, SQ, TM, UI, UN } from "./vr.ts"

const PATIENT_NAME = 0x00100010
const PATIENT_ID = 0x00100020
const ACCESSION_NUMBER = 0x00080050
const ACCESSION_ISSUER = 0x00080051
/** What the table passes over and yet tells who or when (docs/decisions/0011): birth and death dates in other calendars, retired
 * order numbers, addresses that hold UIDs as they were, and encrypted originals under keys that are not ours. */
const alsoRemoved: ReadonlySet<number> = new Set([
  0x00100033, 0x00100034, 0x00401006, 0x00401007, 0x00402006, 0x00402007, 0x00081190, 0x0040e010, 0x00404073,
  0x04000500,
])
/** Groups below 0008 belong to commands, file meta information and media directories (PS3.5 7.1). */
const firstDataSetTag = 0x00080000
/** Container Identifier and Specimen Identifier: type 1, and different for each container and specimen. */
const distinct: ReadonlySet<number> = new Set([0x00400512, 0x00400551])

/** Group lengths and Length to End are retired (PS3.5 7.2) and would be wrong. */
export const isLength = (tag: number): boolean => (tag & 0xffff) === 0 || tag === 0x00080001

/** Curves and overlays (rows 50xx and 60xx of Table E.1-1) go as a whole: what they draw cannot be read, and without its data the rest
 * of a plane is no plane. */
const repeatingRow = (tag: number): boolean => isCurve(tag) || isOverlay(tag)

/** Text Value and Unformatted Text Value: free text of content items and annotations, wherever they stand. */
const freeText: ReadonlySet<number> = new Set([0x0040a160, 0x00700006])
const CODE_MEANING = 0x00080104
const MEASURED_VALUE = 0x0040a300
const CONCEPT_CODE = 0x0040a168
/** Values of content items that may tell a birth date or an identity. */
const itemValues: ReadonlySet<number> = new Set([0x0040a120, 0x0040a121, 0x0040a123, 0x0040a124, 0x0040a160])

/** HHMMSS.F, the old HH:MM:SS, or nothing. */
const timeOfDay = /^(?:\d{2,6}(?:\.\d{1,9})?|\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?$/

const nothing = new Uint8Array(0)
const OFFSET_FROM_UTC = 0x00080201
const offsetFromUtc = /^(?:[+-]\d{4})?$/
const dateTime = /^\d{4}(?:\d\d(?:\d\d(?:\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?)?)?)?(?:[+-]\d{4})?$/
const kinds: ReadonlyMap<number, RegExp> = new Map([
  [DA, /^(?:\d{8}|\d{4}\.\d\d\.\d\d)?$/],
  [DT, dateTime],
  [TM, timeOfDay],
  [DS, /^[\d.+\-eE]{0,16}$/],
  [IS, /^[+-]?\d{0,12}$/],
  [CS, /^[A-Z\d_ ]{0,16}$/],
])

/** Whether each value is what its VR says; of VRs that may be any text, always. What is not of its kind may say anything. */
function isOfKind(text: string, vr: number): boolean {
  const kind = kinds.get(vr)
  return kind === undefined || text.split("\\").every((value) => value.trim() === "" || kind.test(value.trim()))
}

/** Text that is no UID may say anything: it is not kept as one. */
export const isUidText = (text: string): boolean => /^[\d.\\\s]*$/.test(text)
const isEmpty = (element: Element): boolean => element.valueEnd === element.valueStart
const isDate = (vr: number): boolean => vr === DA || vr === DT
const isOpaque = (element: Element): boolean => element.items !== undefined || element.fragments !== undefined

/** Decides on the elements of one data set, by PS3.15 Table E.1-1 under the options that are on. */
export class Treatments {
  private readonly its: Case
  private readonly dataSet: DataSet
  /** Tag of the enclosing sequence, 0 at the top. */
  private readonly parent: number
  private readonly around: Treatments | undefined
  private valuesMade: Values | undefined
  private privates: PrivateTreatments | undefined
  private subjectRead: { readonly subject: ItemSubject | undefined } | undefined

  constructor(its: Case, dataSet: DataSet, parent: number, around?: Treatments) {
    this.its = its
    this.dataSet = dataSet
    this.parent = parent
    this.around = around
  }

  /** Values in the data set's character set, which may be that of one around it. */
  private get values(): Values {
    return (this.valuesMade ??= new Values(this.its.source, this.dataSet, this.charsetAround()))
  }

  private charsetAround(): Charset | undefined {
    return this.around?.values.charset
  }

  /** The treatment of an element, counted. Throws `RefusedInside` for pictures inside items. */
  of(element: Element): Treatment {
    const { tag } = element
    if (isLength(tag)) return "drop"
    if (isPrivate(tag)) return this.ofPrivate(element)
    const subject = this.parent !== 0 && this.its.cleaning ? this.ofSubject(element) : undefined
    if (subject !== undefined) return subject
    const rule = this.its.rules.get(tag)
    return rule === undefined ? this.offTable(element) : this.byRule(element, rule)
  }

  private ofPrivate(element: Element): Treatment {
    if (!this.its.safePrivate) return this.drop("removedPrivate")
    this.privates ??= new PrivateTreatments(this.its, this.dataSet, this.values, {
      uids: (one) => this.uids(one, UI),
      shifted: (one, vr) => this.shifted(one, vr),
    })
    const treatment = this.privates.of(element)
    if (treatment === "drop") return this.drop("removedPrivate")
    this.its.counts.keptPrivate++
    return treatment
  }

  /** Content items whose concept says that they are about the patient or other persons, whatever the kind of their value. */
  private ofSubject(element: Element): Treatment | undefined {
    const { tag } = element
    if (!itemValues.has(tag) && tag !== MEASURED_VALUE && tag !== CONCEPT_CODE) return undefined
    this.subjectRead ??= { subject: itemSubject(this.its.source, this.dataSet) }
    const { subject } = this.subjectRead
    if (subject === undefined) return undefined
    const own = subject === "birth-date" || subject === "identity"
    if (own && itemValues.has(tag) && tag !== 0x0040a124) return this.dummy(element, lookup(tag)!.vr)
    const told = (subject === "age" && tag === MEASURED_VALUE) || (subject === "sex" && tag === CONCEPT_CODE)
    // An age may be above 90 in any unit: without its value the item stays true (PS3.3 C.18.1, at most one).
    if (told && !(this.its.characteristics && subject === "sex"))
      return subject === "age" ? this.value(SQ, nothing, "emptied") : this.dummy(element, SQ)
    return undefined
  }

  /** A dummy of the attribute's VR, for what must have a value but may not say anything. */
  dummyOf(element: Element): Treatment {
    const vr = lookup(element.tag)?.vr
    if (vr === undefined || isLength(element.tag) || isPrivate(element.tag)) return "drop"
    return this.dummy(element, vr)
  }

  private drop(count: "removed" | "removedPrivate" | "removedUnknown"): Treatment {
    this.its.counts[count]++
    return "drop"
  }

  private value(
    vr: number,
    value: Uint8Array,
    count: "replaced" | "emptied" | "datesShifted" | "uidsMapped",
  ): Treatment {
    this.its.counts[count]++
    return { vr, value }
  }

  private text(element: Element): string {
    return rawText(this.its.source, element)
  }

  private byRule(element: Element, rule: Rule): Treatment {
    const basic = basicAction(rule.basic, this.its.sopClass, this.parent, element.tag)
    if (rule.option === undefined) return this.act(element, basic)
    if (rule.option === "date") return this.date(element, basic)
    if (rule.option === "age") return this.age(element, basic)
    if (element.items !== undefined) return lookup(element.tag)?.vr === SQ ? "clean" : this.drop("removedUnknown")
    const vr = lookup(element.tag)?.vr ?? element.vr
    const claims = element.vr === PN || element.vr === UI || isDate(element.vr)
    if (this.strange(element, vr) || (claims && element.vr !== vr)) return this.drop("removedUnknown")
    if (rule.option === "text") return this.cleaned(element, vr, basic)
    if (element.tag === OFFSET_FROM_UTC && !offsetFromUtc.test(this.text(element).trim()))
      return this.unreadable(element, basic)
    // A binary timestamp may be signed, with names in it; 8 bytes are a time and no more (PS3.3 C.34.1.2, NTP).
    if (vr === OB && element.valueEnd - element.valueStart > 8) return this.act(element, basic)
    if (vr === UI) return isUidText(this.text(element)) ? "keep" : this.uids(element, vr)
    if (!isEmpty(element) && !isOfKind(this.text(element), vr)) return this.unreadable(element, basic)
    // What would be found in the result takes the basic action now, as one attribute must not cost the whole object.
    const told = charsetVrs.has(vr) && !isEmpty(element) && speaksOfPerson(this.its, this.values.text(element, vr), vr)
    return told ? this.act(element, basic) : "keep"
  }

  /** What an option asks to be cleaned (C): texts; titles, each consistently by another; codes only where nothing is to be taken out. */
  private cleaned(element: Element, vr: number, basic: BasicAction): Treatment {
    if (isEmpty(element)) return vr === SQ ? "keep" : this.act(element, basic)
    if (charsetVrs.has(vr) && vr !== PN)
      return cleanedText(this.its, element, vr, this.values) ?? this.act(element, basic)
    if (vr === AE) return this.titles(element)
    if (vr === CS && cleanedText(this.its, element, vr, this.values) === "keep") return "keep"
    return this.act(element, basic)
  }

  private titles(element: Element): Treatment {
    const title = (value: string) =>
      value === "" ? "" : this.its.pseudonyms.identifier("application-entity", value).slice(0, 16)
    const values = this.text(element)
      .split("\\")
      .map((value) => title(value.trim()))
    return this.value(AE, ascii(values.join("\\")), "replaced")
  }

  private act(element: Element, action: BasicAction): Treatment {
    const { tag } = element
    const vr = lookup(tag)?.vr ?? element.vr
    if (tag === PATIENT_ID) return this.value(vr, ascii(this.its.pseudonyms.patientId()), "replaced")
    if (tag === PATIENT_NAME) return this.value(vr, ascii(this.its.pseudonyms.patientName()), "replaced")
    if (tag === ACCESSION_NUMBER) return this.accession(element, vr)
    if (action === "X") return this.drop("removed")
    if (action === "Z") return this.value(vr, nothing, "emptied")
    return action === "U" ? this.uids(element, vr) : this.dummy(element, vr)
  }

  private accession(element: Element, vr: number): Treatment {
    if (isOpaque(element)) return this.drop("removedUnknown")
    const value = this.values.text(element, vr).trim()
    if (value === "") return this.value(vr, nothing, "emptied")
    return this.value(vr, ascii(this.its.pseudonyms.accession(value, this.issuer())), "replaced")
  }

  /** Local Namespace Entity ID, else Universal Entity ID, of the issuer beside the accession number. */
  private issuer(): string {
    const item = find(this.dataSet, ACCESSION_ISSUER)?.items?.[0]
    if (item === undefined) return ""
    const values = new Values(this.its.source, item, this.values.charset)
    const text = (tag: number) => {
      const element = find(item, tag)
      return element === undefined || isOpaque(element) ? "" : values.text(element, lookup(tag)!.vr).trim()
    }
    return text(0x00400031) || text(0x00400032)
  }

  private uid(value: string): string {
    return value === "" || isRegisteredUid(value) ? value : this.its.pseudonyms.uid(value)
  }

  private uids(element: Element, vr: number): Treatment {
    if (element.items !== undefined) return "clean"
    if (element.fragments !== undefined || vr !== UI) return this.drop("removedUnknown")
    if (this.its.retainUids && isUidText(this.text(element))) return "keep"
    const values = this.text(element)
      .split("\\")
      .map((value) => value.trim())
    if (values.every((value) => value === "" || isRegisteredUid(value))) return "keep"
    return this.value(UI, ascii(values.map((value) => this.uid(value)).join("\\")), "uidsMapped")
  }

  private date(element: Element, basic: BasicAction): Treatment {
    const vr = lookup(element.tag)?.vr ?? element.vr
    if (isOpaque(element)) return this.drop("removedUnknown")
    if (isDate(vr)) return this.shifted(element, vr) ?? this.unreadable(element, basic)
    // Times of day stay; anything else that the option would have cleaned takes the basic action.
    if (vr === OB) return this.act(element, basic)
    const isTime = this.text(element)
      .split("\\")
      .every((value) => timeOfDay.test(value.trim()))
    return isTime ? "keep" : this.unreadable(element, basic)
  }

  /** Undefined when the value cannot be read as dates. */
  private shifted(element: Element, vr: number): Treatment | undefined {
    const text = this.text(element)
    if (text.trim() === "") return "keep"
    const moved = shiftDates(text, this.its.pseudonyms.shiftDays)
    return moved === undefined ? undefined : this.value(vr, ascii(moved), "datesShifted")
  }

  private unreadable(element: Element, basic: BasicAction): Treatment {
    this.its.counts.unreadableDates++
    return this.act(element, basic)
  }

  private age(element: Element, basic: BasicAction): Treatment {
    if (isOpaque(element)) return this.drop("removedUnknown")
    const text = this.text(element).trim()
    if (text === "") return "keep"
    const capped = capAge(text)
    if (capped === undefined) return this.unreadable(element, basic)
    if (capped === text) return "keep"
    this.its.counts.agesCapped++
    return { vr: AS, value: ascii(capped) }
  }

  private offTable(element: Element): Treatment {
    const { tag } = element
    const entry = lookup(tag)
    if (entry === undefined || tag < firstDataSetTag) return this.drop("removedUnknown")
    this.refusePictures(element)
    if (repeatingRow(tag) || alsoRemoved.has(tag)) return this.drop("removed")
    if (element.items !== undefined) return entry.vr === SQ ? "clean" : this.drop("removedUnknown")
    if (this.strange(element, entry.vr)) return this.drop("removedUnknown")
    if (entry.vr === UI || element.vr === UI) return this.uids(element, UI)
    if (isEmpty(element)) return "keep"
    // The table passes over some names and dates, but a name is never kept, and a date that stays would tell the shift.
    if (entry.vr === PN || element.vr === PN) return this.value(PN, nothing, "emptied")
    if (isDate(entry.vr) || isDate(element.vr)) return this.offTableDate(element, entry.vr)
    return charsetVrs.has(entry.vr) ? this.offTableText(element, entry.vr) : "keep"
  }

  private offTableDate(element: Element, vr: number): Treatment {
    if (this.its.dates === "kept") return "keep"
    if (this.its.dates === "removed") return this.drop("removed")
    return this.shifted(element, isDate(vr) ? vr : element.vr) ?? this.unreadable(element, "X")
  }

  /** Texts stay as they are, but for UIDs in them, free text, and what a site calls its own codes where options clean texts. */
  private offTableText(element: Element, vr: number): Treatment {
    const { tag } = element
    const own = tag === CODE_MEANING && this.its.cleaning && hasOwnMeaning(this.its.source, this.dataSet)
    if (!freeText.has(tag) && !own) return mappedText(this.its, element, vr, this.values) ?? this.drop("removed")
    const cleaned = this.its.cleaning ? cleanedText(this.its, element, vr, this.values) : undefined
    return cleaned ?? this.dummy(element, vr)
  }

  /** A value of another kind than the attribute's: a sequence that is none, encapsulated bytes, text where numbers belong. */
  private strange(element: Element, vr: number): boolean {
    if (element.fragments !== undefined) return true
    if (vr === SQ) return !isEmpty(element)
    return numberWidth.has(vr) && !numberWidth.has(element.vr) && element.vr !== UN
  }

  private refusePictures(element: Element): void {
    const { tag } = element
    if (this.parent === 0 || isEmpty(element)) return
    if (tag >>> 24 === 0x7f) throw new RefusedInside(refuse("unexpected-pixel-data", tagText(tag), "nested"))
  }

  private dummy(element: Element, vr: number): Treatment {
    if (vr === SQ && element.items === undefined) return isEmpty(element) ? "keep" : this.drop("removedUnknown")
    if (vr !== SQ && element.items !== undefined) return this.drop("removedUnknown")
    this.its.counts.replaced++
    if (vr === SQ) return "dummies"
    const text = element.fragments === undefined ? this.text(element).trim() : ""
    if (vr === UI && text === "") return { vr, value: nothing }
    if (vr === UI) return { vr, value: ascii(this.its.retainUids && isUidText(text) ? text : this.uid(text)) }
    if (distinct.has(element.tag) && text !== "")
      return { vr, value: ascii(this.its.pseudonyms.identifier(tagText(element.tag), text)) }
    return { vr, value: dummyValue(vr) }
  }
}
