import { accession, titles } from "./identity-treatment.ts"
import type { Case, Treatment } from "./case.ts"
import { contentSequences, itemSubject } from "./content-item.ts"
import type { ItemSubject } from "./content-item.ts"
import { capAge, noOffset, shiftDates } from "./dates.ts"
import type { Why } from "./decision.ts"
import { isRegisteredUid, lookup } from "./dictionary.ts"
import { dummyValue } from "./dummy.ts"
import type { DataSet, Element } from "./element.ts"
import { OffTable } from "./off-table.ts"
import { PrivateTreatments } from "./private-treatment.ts"
import { basicAction } from "./profile.ts"
import type { BasicAction, Rule } from "./profile.ts"
import { ascii } from "./pseudonyms.ts"
import { rawText } from "./raw-text.ts"
import { isLength, isPrivate, tagText } from "./tag.ts"
import { cleanedText, speaksOfSomebody } from "./text-treatment.ts"
import { isOfKind, isOffset, isTimes, isUidText } from "./value-kinds.ts"
import { Values } from "./values.ts"
import { yearDates } from "./years.ts"
import { AE, AS, charsetVrs, CS, DA, DT, numberWidth, OB, PN, SQ, UI, UN } from "./vr.ts"

const PATIENT_NAME = 0x00100010
const PATIENT_ID = 0x00100020
const ACCESSION_NUMBER = 0x00080050
/** Container Identifier and Specimen Identifier: type 1, and different for each container and specimen. */
const distinct: ReadonlySet<number> = new Set([0x00400512, 0x00400551])

const MEASURED_VALUE = 0x0040a300
const CONCEPT_CODE = 0x0040a168
/** Values of content items that may tell a birth date or an identity. */
const itemValues: ReadonlySet<number> = new Set([0x0040a120, 0x0040a121, 0x0040a123, 0x0040a124, 0x0040a160])

const nothing = new Uint8Array(0)
const OFFSET_FROM_UTC = 0x00080201
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
  private offTable: OffTable | undefined
  private why: Why = "basic"

  constructor(its: Case, dataSet: DataSet, parent: number, around?: Treatments) {
    this.its = its
    this.dataSet = dataSet
    this.parent = parent
    this.around = around
  }

  /** Values in the data set's character set, which may be that of one around it. */
  private get values(): Values {
    return (this.valuesMade ??= new Values(this.its.source, this.dataSet, this.around?.values.charset))
  }

  /** Whether the data set lies in structured content. */
  private get inContent(): boolean {
    return contentSequences.has(this.parent) || this.around?.inContent === true
  }

  /** The treatment of an element, counted. Throws `RefusedInside` for pictures inside items.
   * @param path for the trace, where there is one */
  of(element: Element, path = ""): Treatment {
    const treatment = this.decide(element)
    if (this.its.trace !== undefined) this.tell(element, path, treatment)
    return treatment
  }

  private tell({ tag }: Element, path: string, treatment: Treatment): void {
    const rule = isPrivate(tag) || isLength(tag) ? undefined : this.its.rules.get(tag)
    const basic = rule === undefined ? undefined : basicAction(rule.basic, this.its.sopClass, this.parent, tag)
    this.its.trace!({ path: path + tagText(tag), tag, rule, basic, why: this.why, treatment })
  }

  private decide(element: Element): Treatment {
    const { tag } = element
    this.why = "length"
    if (isLength(tag)) return "drop"
    this.why = "private"
    if (isPrivate(tag)) return this.ofPrivate(element)
    this.why = "content-item"
    const subject = this.parent !== 0 && this.its.cleaning ? this.ofSubject(element) : undefined
    if (subject !== undefined) return subject
    const rule = this.its.rules.get(tag)
    if (rule === undefined) return this.passedOver().of(element, () => this.values)
    this.why = rule.option === undefined ? "basic" : "option"
    return this.byRule(element, rule)
  }

  private passedOver(): OffTable {
    return (this.offTable ??= new OffTable(this.its, this.dataSet, this.parent, this.inContent, {
      drop: (count) => this.drop(count),
      emptied: (vr) => this.value(vr, nothing, "emptied"),
      dummy: (element, vr) => this.dummy(element, vr),
      uids: (element) => this.uids(element, UI),
      strange: (element, vr) => this.strange(element, vr),
      shifted: (element, vr) => this.shifted(element, vr),
      unreadable: (element) => this.unreadable(element, "X"),
      because: (why) => {
        this.why = why
      },
    }))
  }

  private ofPrivate(element: Element): Treatment {
    if (!this.its.safePrivate) return this.drop("removedPrivate")
    this.privates ??= new PrivateTreatments(this.its, this.dataSet, this.values, {
      uids: (one) => this.uids(one, UI),
      shifted: (one, vr) => this.shifted(one, vr),
    })
    const treatment = this.privates.of(element)
    if (treatment === "drop") return this.drop("removedPrivate")
    this.why = "private-safe"
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
  dummyOf(element: Element, path = ""): Treatment {
    this.why = "dummy-sequence"
    const treatment = this.dummyOrDate(element)
    if (this.its.trace !== undefined) this.tell(element, path, treatment)
    return treatment
  }

  /** Who verified a report goes, and when is a date like the others (PS3.15 E.3.6). */
  private dummyOrDate(element: Element): Treatment {
    const vr = lookup(element.tag)?.vr
    if (vr === undefined || isLength(element.tag) || isPrivate(element.tag)) return "drop"
    const isShifted = isDate(vr) && this.its.rules.get(element.tag)?.option === "date"
    return isShifted ? this.date(element, "D") : this.dummy(element, vr)
  }

  private drop(count: "removed" | "removedPrivate" | "removedUnknown"): Treatment {
    this.its.counts[count]++
    return "drop"
  }

  private otherKind(): Treatment {
    this.why = "other-kind"
    return this.drop("removedUnknown")
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
    if (element.items !== undefined) return lookup(element.tag)?.vr === SQ ? "clean" : this.otherKind()
    const vr = lookup(element.tag)?.vr ?? element.vr
    const claims = element.vr === PN || element.vr === UI || isDate(element.vr)
    if (this.strange(element, vr) || (claims && element.vr !== vr)) return this.otherKind()
    if (rule.option === "text") return this.cleaned(element, vr, basic)
    if (element.tag === OFFSET_FROM_UTC && !isOffset(this.text(element))) return this.unreadable(element, basic)
    // A binary timestamp may be signed, with names in it; 8 bytes are a time and no more (PS3.3 C.34.1.2, NTP).
    if (vr === OB && element.valueEnd - element.valueStart > 8) return this.act(element, basic)
    if (vr === UI) return isUidText(this.text(element)) ? "keep" : this.uids(element, vr)
    if (!isEmpty(element) && !isOfKind(this.text(element), vr)) return this.unreadable(element, basic)
    // What would be found in the result takes the basic action now, as one attribute must not cost the whole object.
    const told =
      charsetVrs.has(vr) && !isEmpty(element) && speaksOfSomebody(this.its, this.values.text(element, vr), vr)
    if (told) this.why = "names-person"
    return told ? this.act(element, basic) : "keep"
  }

  /** What an option asks to be cleaned (C): texts; titles, each consistently by another; codes only where nothing is to be taken out. */
  private cleaned(element: Element, vr: number, basic: BasicAction): Treatment {
    if (isEmpty(element)) return vr === SQ ? "keep" : this.act(element, basic)
    if (charsetVrs.has(vr) && vr !== PN)
      return cleanedText(this.its, element, vr, this.values) ?? this.act(element, basic)
    if (vr === AE) return this.value(AE, titles(this.text(element), this.its.pseudonyms), "replaced")
    if (vr === CS && cleanedText(this.its, element, vr, this.values) === "keep") return "keep"
    return this.act(element, basic)
  }

  private act(element: Element, action: BasicAction): Treatment {
    const { tag } = element
    const vr = lookup(tag)?.vr ?? element.vr
    if (tag === PATIENT_ID) return this.value(vr, ascii(this.its.pseudonyms.patientId()), "replaced")
    if (tag === PATIENT_NAME) return this.value(vr, ascii(this.its.pseudonyms.patientName()), "replaced")
    if (tag === ACCESSION_NUMBER) {
      if (isOpaque(element)) return this.otherKind()
      const number = accession(element, vr, this.dataSet, this.values, this.its.pseudonyms)
      return this.value(vr, number, number.length === 0 ? "emptied" : "replaced")
    }
    if (action === "X") return this.drop("removed")
    if (action === "Z") return this.value(vr, nothing, "emptied")
    // Where Retain UIDs keeps a UID, its row says so.
    return action === "U" ? this.uids(element, vr, false) : this.dummy(element, vr)
  }

  private uid(value: string): string {
    return value === "" || isRegisteredUid(value) ? value : this.its.pseudonyms.uid(value)
  }

  private uids(element: Element, vr: number, retained = this.its.retainUids): Treatment {
    if (element.items !== undefined) return "clean"
    if (element.fragments !== undefined || vr !== UI) return this.otherKind()
    if (retained && isUidText(this.text(element))) return "keep"
    const values = this.text(element)
      .split("\\")
      .map((value) => value.trim())
    if (values.every((value) => value === "" || isRegisteredUid(value))) return "keep"
    return this.value(UI, ascii(values.map((value) => this.uid(value)).join("\\")), "uidsMapped")
  }

  private date(element: Element, basic: BasicAction): Treatment {
    const vr = lookup(element.tag)?.vr ?? element.vr
    if (isOpaque(element)) return this.otherKind()
    if (isDate(vr)) return this.shifted(element, vr) ?? this.unreadable(element, basic)
    if (this.its.dates === "year") return this.act(element, basic)
    if (element.tag === OFFSET_FROM_UTC) return this.offset(element, vr, basic)
    // Times of day stay; anything else that the option would have cleaned takes the basic action.
    if (vr === OB) return this.act(element, basic)
    return isTimes(this.text(element)) ? "keep" : this.unreadable(element, basic)
  }

  /** The offset of all dates and times: that of none of them, as offsets change with summer time and so would tell the true season. */
  private offset(element: Element, vr: number, basic: BasicAction): Treatment {
    if (isEmpty(element)) return "keep"
    if (!isOffset(this.text(element))) return this.unreadable(element, basic)
    return this.value(vr, ascii(noOffset), "replaced")
  }

  /** Undefined when it cannot be read as dates. */
  private shifted(element: Element, vr: number): Treatment | undefined {
    const text = this.text(element)
    if (text.trim() === "") return "keep"
    const { dates, local, tellsYear, pseudonyms } = this.its
    const moved =
      dates === "year"
        ? yearDates(text, vr === DA ? "DA" : "DT", tellsYear, local)
        : shiftDates(text, pseudonyms.shiftDays, local)
    return moved === undefined ? undefined : this.value(vr, ascii(moved), "datesShifted")
  }

  private unreadable(element: Element, basic: BasicAction): Treatment {
    this.its.counts.unreadableDates++
    this.why = "unreadable"
    return this.act(element, basic)
  }

  private age(element: Element, basic: BasicAction): Treatment {
    if (isOpaque(element)) return this.otherKind()
    const text = this.text(element).trim()
    if (text === "") return "keep"
    const capped = capAge(text)
    if (capped === undefined) return this.unreadable(element, basic)
    if (capped === text) return "keep"
    this.its.counts.agesCapped++
    return { vr: AS, value: ascii(capped) }
  }

  /** A value of another kind than the attribute's: a sequence that is none, encapsulated bytes, text where numbers belong. */
  private strange(element: Element, vr: number): boolean {
    if (element.fragments !== undefined) return true
    if (vr === SQ) return !isEmpty(element)
    return numberWidth.has(vr) && !numberWidth.has(element.vr) && element.vr !== UN
  }

  private dummy(element: Element, vr: number): Treatment {
    if (vr === SQ && element.items === undefined) return isEmpty(element) ? "keep" : this.otherKind()
    if (vr !== SQ && element.items !== undefined) return this.otherKind()
    this.its.counts.replaced++
    if (vr === SQ) return "dummies"
    const text = element.fragments === undefined ? this.text(element).trim() : ""
    if (vr === UI && text === "") return { vr, value: nothing }
    if (vr === UI) return { vr, value: ascii(this.its.retainUids && isUidText(text) ? text : this.uid(text)) }
    if (distinct.has(element.tag) && text !== "")
      return { vr, value: ascii(this.its.pseudonyms.identifier(tagText(element.tag), text)) }
    return { vr, value: dummyValue(vr, text) }
  }
}
