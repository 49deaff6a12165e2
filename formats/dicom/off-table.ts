import { RefusedInside } from "./case.ts"
import type { Case, Treatment } from "./case.ts"
import { hasOwnMeaning } from "./content-item.ts"
import type { Why } from "./decision.ts"
import { lookup } from "./dictionary.ts"
import type { DataSet, Element } from "./element.ts"
import { withoutOwnWords } from "./own-words.ts"
import { rawText } from "./raw-text.ts"
import { refuse } from "./refusal.ts"
import { isCurve, isOverlay, tagText } from "./tag.ts"
import { cleanedText, hasContact, hasDate, mappedText, withoutNames } from "./text-treatment.ts"
import { isUidText } from "./value-kinds.ts"
import type { Values } from "./values.ts"
import { charsetVrs, CS, DA, DS, DT, IS, LO, PN, singleTextVrs, SQ, TM, UI } from "./vr.ts"

/** What the table passes over and yet tells who or when (docs/decisions/0011): birth and death dates in other calendars, retired
 * order numbers, addresses that hold UIDs as they were, and encrypted originals under keys that are not ours. */
const alsoRemoved: ReadonlySet<number> = new Set([
  0x00100033, 0x00100034, 0x00401006, 0x00401007, 0x00402006, 0x00402007, 0x00081190, 0x0040e010, 0x00404073,
  0x04000500,
])
/** UIDs of classes, transfer syntaxes, coding schemes, context groups and software versions, which the table passes over as they name
 * no instance and nobody (docs/decisions/0047); all others are mapped. */
const ofKinds: ReadonlySet<number> = new Set([
  0x00080016, 0x0008001a, 0x0008001b, 0x00080062, 0x0008010c, 0x00080117, 0x00080118, 0x0008040e, 0x00081150,
  0x0008115a, 0x00083002, 0x00089123, 0x00340003, 0x04000010, 0x04000510, 0x30100052, 0x30100053,
])
/** Whether the UIDs of an attribute name kinds of things, and none of a patient's. */
export const isOfKinds = (tag: number): boolean => ofKinds.has(tag)
/** Groups below 0008 belong to commands, file meta information and media directories (PS3.5 7.1). */
const firstDataSetTag = 0x00080000
/** Text Value and Unformatted Text Value: free text of content items and annotations, wherever they stand. */
const freeText: ReadonlySet<number> = new Set([0x0040a160, 0x00700006])
const CODE_MEANING = 0x00080104
/** Coding Scheme Responsible Organization. */
const SCHEME_OWNER = 0x00080116
/** Code Value, Coding Scheme Designator and Version, Long Code Value: what names a code (PS3.3 8.8). */
const codes: ReadonlySet<number> = new Set([0x00080100, 0x00080102, 0x00080103, 0x00080119])
/** Manufacturer, its model and its coils: a patient's name there says that the attributes of the object are mixed up, and it is held. */
const equipment: ReadonlySet<number> = new Set([0x00080070, 0x00081090, 0x00181250, 0x00181251])

const webAddress = /\b(?:https?:\/\/|www\.)\S+/giu

/** Keywords of attributes that hold what people write. */
const description = /Description|Comment|Explanation|Label|Reason|Remark|Note(?:s|$)|Text$/

/** Curves and overlays (rows 50xx and 60xx of Table E.1-1) go as a whole: what they draw cannot be read, and without its data the rest
 * of a plane is no plane. */
const repeatingRow = (tag: number): boolean => isCurve(tag) || isOverlay(tag)
/** Digits from which on a number is searched for identifiers (docs/decisions/0047). */
const shortestNumber = 6
const isEmpty = (element: Element): boolean => element.valueEnd === element.valueStart
const isDate = (vr: number): boolean => vr === DA || vr === DT

/** What the rest of the de-identifier does, whoever's attribute it is. */
export interface Acts {
  readonly drop: (count: "removed" | "removedUnknown") => Treatment
  readonly emptied: (vr: number) => Treatment
  readonly dummy: (element: Element, vr: number) => Treatment
  readonly uids: (element: Element) => Treatment
  /** A sequence that is none, encapsulated bytes, text where numbers belong. */
  readonly strange: (element: Element, vr: number) => boolean
  /** Undefined when it cannot be read. */
  readonly shifted: (element: Element, vr: number) => Treatment | undefined
  readonly unreadable: (element: Element) => Treatment
  readonly because: (why: Why) => void
}

/** Decides on elements that are in no row of Table E.1-1. They stay as they are, but for what is in no dictionary, dates, names, UIDs of
 * instances, free text, and texts with a UID or a name in them. */
export class OffTable {
  private readonly its: Case
  private readonly dataSet: DataSet
  /** Tag of the enclosing sequence, 0 at the top. */
  private readonly parent: number
  private readonly acts: Acts
  /** Whether the meanings of a site's own codes are to be cleaned. */
  private readonly cleansMeanings: boolean

  constructor(its: Case, dataSet: DataSet, parent: number, inContent: boolean, acts: Acts) {
    this.its = its
    this.dataSet = dataSet
    this.parent = parent
    this.acts = acts
    this.cleansMeanings = its.descriptors || (its.cleaning && inContent)
  }

  /** Throws `RefusedInside` for pictures inside items.
   * @param values those of the data set; read only for texts */
  of(element: Element, values: () => Values): Treatment {
    const { acts } = this
    const { tag } = element
    const entry = lookup(tag)
    acts.because("unknown")
    if (entry === undefined || tag < firstDataSetTag) return acts.drop("removedUnknown")
    this.refusePictures(element)
    acts.because("off-table-removed")
    if (repeatingRow(tag) || alsoRemoved.has(tag)) return acts.drop("removed")
    acts.because("other-kind")
    if (element.items !== undefined && entry.vr !== SQ) return acts.drop("removedUnknown")
    if (element.items === undefined && acts.strange(element, entry.vr)) return acts.drop("removedUnknown")
    acts.because("off-table")
    return element.items === undefined ? this.value(element, entry.vr, values) : "clean"
  }

  private value(element: Element, vr: number, values: () => Values): Treatment {
    if (vr === UI || element.vr === UI) return this.uids(element)
    if (isEmpty(element)) return "keep"
    // The table passes over some names and dates, but a name is never kept, and a date that stays would tell the shift.
    if (vr === PN || element.vr === PN) {
      this.acts.because("off-table-name")
      return this.acts.emptied(PN)
    }
    if (isDate(vr) || isDate(element.vr)) return this.date(element, vr)
    if (this.its.dates === "year" && (vr === TM || element.vr === TM)) {
      this.acts.because("off-table-date")
      return this.acts.drop("removed")
    }
    if (vr === IS || vr === DS) return this.number(element, vr)
    if (vr === CS && description.test(lookup(element.tag)!.keyword)) return this.label(element)
    return charsetVrs.has(vr) ? this.text(element, vr, values()) : "keep"
  }

  /** A series is often given the number of its patient or order; what an image is made of (group 0028) is left to the self-check. */
  private number(element: Element, vr: number): Treatment {
    const tooShort = element.valueEnd - element.valueStart < shortestNumber
    if (tooShort || element.tag >>> 16 === 0x0028 || !this.its.isHit(rawText(this.its.source, element), vr))
      return "keep"
    this.acts.because("names-person")
    return this.acts.dummy(element, vr)
  }

  /** A code string that people write, as Content Label is. */
  private label(element: Element): Treatment {
    const { its } = this
    const text = rawText(its.source, element)
    if (!its.isHit(text, LO) && withoutOwnWords(text, its.patient) === text) return "keep"
    this.acts.because("names-person")
    return this.acts.dummy(element, CS)
  }

  private uids(element: Element): Treatment {
    if (isOfKinds(element.tag) && isUidText(rawText(this.its.source, element))) return "keep"
    this.acts.because("uid")
    return this.acts.uids(element)
  }

  private date(element: Element, vr: number): Treatment {
    if (this.its.dates === "kept") return "keep"
    this.acts.because("off-table-date")
    if (this.its.dates === "removed") return this.acts.drop("removed")
    return this.acts.shifted(element, isDate(vr) ? vr : element.vr) ?? this.acts.unreadable(element)
  }

  /** Texts stay as they are, but for UIDs and names in them, free text, and what a site calls its own codes where options clean texts. */
  private text(element: Element, vr: number, values: Values): Treatment {
    const { tag } = element
    const isMeaning = tag === CODE_MEANING
    const isOwn = isMeaning && hasOwnMeaning(this.its.source, this.dataSet)
    if (freeText.has(tag) || (isOwn && this.cleansMeanings)) {
      this.acts.because("off-table-text")
      const cleaned = this.its.cleaning ? cleanedText(this.its, element, vr, values) : undefined
      return cleaned ?? this.acts.dummy(element, vr)
    }
    if (this.its.dates === "year" && hasDate(values.text(element, vr))) {
      this.acts.because("off-table-date")
      return isMeaning ? this.acts.dummy(element, vr) : this.acts.drop("removed")
    }
    const named = this.names(element, vr, values)
    if (named !== "keep") {
      this.acts.because("off-table-text")
      return named ?? this.acts.dummy(element, vr)
    }
    if (this.tells(element, vr, values)) {
      this.acts.because("off-table-text")
      const cleaned = this.its.cleaning ? cleanedText(this.its, element, vr, values) : undefined
      return cleaned ?? this.acts.dummy(element, vr)
    }
    const mapped = mappedText(this.its, element, vr, values)
    if (mapped !== "keep") this.acts.because("uid")
    return mapped ?? this.acts.drop("removed")
  }

  /** Whether people write a day into a description, which would tell the shift of all others, or how somebody is reached or called. */
  private tells(element: Element, vr: number, values: Values): boolean {
    const text = values.text(element, vr)
    // Programs and coding schemes are often called by the address that they come from.
    const { tag } = element
    if (hasContact(equipment.has(tag) || tag === SCHEME_OWNER ? text.replace(webAddress, "") : text)) return true
    const isDescription = singleTextVrs.has(vr) || description.test(lookup(element.tag)!.keyword)
    return isDescription && this.its.dates !== "kept" && hasDate(text)
  }

  /** What a published scheme means by a code is nobody's name; a code with a part taken out of it is none. */
  private names(element: Element, vr: number, values: Values): Treatment | undefined {
    const { its } = this
    const isCode = codes.has(element.tag)
    const isPublished = (isCode || element.tag === CODE_MEANING) && !hasOwnMeaning(its.source, this.dataSet)
    if (isPublished && !isCode) return "keep"
    const named = withoutNames(its, element, vr, values, isCode || equipment.has(element.tag) ? "others" : "all")
    const isOwn = isCode && !isPublished && its.isHit(values.text(element, vr), vr)
    return isOwn || (isCode && named !== "keep") ? undefined : named
  }

  private refusePictures(element: Element): void {
    const { tag } = element
    if (this.parent === 0 || isEmpty(element)) return
    if (tag >>> 24 === 0x7f) throw new RefusedInside(refuse("unexpected-pixel-data", tagText(tag), "nested"))
  }
}
