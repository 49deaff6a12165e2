import type { Case, Treatment } from "./case.ts"
import type { DataSet, Element } from "./element.ts"
import { mentions } from "./clean-text.ts"
import { creatorOf, creatorTag, isCreator, safeAttribute } from "./safe-private.ts"
import type { SafeAttribute } from "./safe-private.ts"
import { isPrivate } from "./tag.ts"
import { cleanedText, hasContact, hasDate, hasUid, speaksOfPerson } from "./text-treatment.ts"
import type { Values } from "./values.ts"
import { AS, CS, DA, DS, DT, IS, LO, numberWidth, OB, OW, SH, singleTextVrs, SQ, TM, UC, UI, UN } from "./vr.ts"

/** What the rest of the de-identifier does with a date or a UID, whoever's attribute it is. */
export interface OfStandard {
  readonly uids: (element: Element) => Treatment
  /** Undefined when it cannot be read. */
  readonly shifted: (element: Element, vr: number) => Treatment | undefined
}

const number = /^[\s\d.+\-eE\\]*$/
const code = /^[A-Z0-9_ \\.\-/]*$/i
const timeOfDay = /^(?:[0-2]\d[0-5]\d(?:[0-5]\d(?:\.\d{1,6})?)?\s*\\?)*$/
/** Eight characters of a text, among bytes that should be none. */
const readable = /[\w .,:;^@/-]{8}/

/** Private attributes by the element that reserves their block; once for a data set, which may have a million. */
function blocksOf({ elements }: DataSet): ReadonlyMap<number, readonly Element[]> {
  const blocks = new Map<number, Element[]>()
  for (const element of elements) {
    const reserved = isPrivate(element.tag) ? creatorTag(element.tag) : undefined
    if (reserved === undefined) continue
    const block = blocks.get(reserved)
    if (block === undefined) blocks.set(reserved, [element])
    else block.push(element)
  }
  return blocks
}

/** Kept private attributes of one data set (Retain Safe Private, PS3.15 E.3.10). What the tables call safe is still read: it goes when
 * it is a date or a name, or speaks of the person, or is of another kind than its creator says. */
export class PrivateTreatments {
  private readonly its: Case
  private readonly dataSet: DataSet
  private readonly values: Values
  private readonly standard: OfStandard
  private readonly known = new Map<number, Treatment>()
  private blocks: ReadonlyMap<number, readonly Element[]> | undefined

  constructor(its: Case, dataSet: DataSet, values: Values, standard: OfStandard) {
    this.its = its
    this.dataSet = dataSet
    this.values = values
    this.standard = standard
  }

  /** A creator stays where anything of its block does. */
  of(element: Element): Treatment {
    const known = this.known.get(element.tag)
    if (known !== undefined) return known
    const treatment = isCreator(element.tag) ? this.creator(element.tag) : this.attribute(element)
    this.known.set(element.tag, treatment)
    return treatment
  }

  private creator(tag: number): Treatment {
    this.blocks ??= blocksOf(this.dataSet)
    return this.blocks.get(tag)?.some((one) => this.of(one) !== "drop") === true ? "keep" : "drop"
  }

  private attribute(element: Element): Treatment {
    const creator = creatorOf(this.its.source, this.dataSet, element.tag)
    const safe = creator === undefined ? undefined : safeAttribute(creator, element.tag)
    return safe === undefined ? "drop" : this.safe(element, safe)
  }

  private safe(element: Element, safe: SafeAttribute): Treatment {
    if (element.fragments !== undefined) return "drop"
    if (element.items !== undefined) return element.vr === SQ || safe.vr === SQ ? "clean" : "drop"
    if (element.valueEnd === element.valueStart) return "keep"
    const vr = element.vr === UN ? safe.vr : element.vr
    if (vr === UI) return this.standard.uids(element)
    if (vr === DA || vr === DT) return this.date(element, vr)
    const width = numberWidth.get(vr)
    if (width !== undefined && vr !== OB && vr !== OW)
      return (element.valueEnd - element.valueStart) % width === 0 ? "keep" : "drop"
    const text = this.values.text(element, vr)
    if (vr === OB || vr === OW || vr === UN) return readable.test(text) ? "drop" : "keep"
    return this.text(element, vr, text)
  }

  private date(element: Element, vr: number): Treatment {
    if (this.its.dates === "removed") return "drop"
    return this.its.dates === "kept" ? "keep" : (this.standard.shifted(element, vr) ?? "drop")
  }

  private text(element: Element, vr: number, text: string): Treatment {
    if (vr === TM)
      return this.its.dates !== "removed" && this.its.dates !== "year" && timeOfDay.test(text) ? "keep" : "drop"
    if (vr === AS) return "drop"
    const isUid = text.trim() !== "" && hasUid(text)
    if (isUid && this.its.retainUids && !speaksOfPerson(this.its, text, vr)) return "keep"
    if (hasDate(text) || isUid || hasContact(text)) return "drop"
    if (vr === DS || vr === IS) return number.test(text) && !speaksOfPerson(this.its, text, vr) ? "keep" : "drop"
    if (vr === CS) return code.test(text) && !speaksOfPerson(this.its, text, vr) ? "keep" : "drop"
    if (singleTextVrs.has(vr)) return cleanedText(this.its, element, vr, this.values) ?? "drop"
    const isText = vr === LO || vr === SH || vr === UC
    return isText && !speaksOfPerson(this.its, text, vr) && !mentions(text, this.its.whose()) ? "keep" : "drop"
  }
}
