import type { Case, Treatment } from "./case.ts"
import { charsetAs, encodeText } from "./charset.ts"
import { mentions } from "./clean-text.ts"
import { isRegisteredUid } from "./dictionary.ts"
import type { Element } from "./element.ts"
import { withoutOwnWords } from "./own-words.ts"
import type { Values } from "./values.ts"
import { PN, SH, singleTextVrs } from "./vr.ts"

const uidText = /^(?:0|[12])(?:\.(?:0|[1-9]\d*)){4,}$/
const someUid = /(?<![\d.])[012](?:\.(?:0|[1-9]\d*)){6,}(?![\d.]*\d)/

/** A day of this or the last century, in the forms in which machines write it, alone or inside other text. */
const dateLike =
  /(?<!\d)(?:19|20)\d\d(?:([-/. ]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01]))(?!\d)|(?<!\d)(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{4,6}(?!\d)|(?<!\d)\d{1,2}([-/.])\d{1,2}\2(?:19|20)?\d\d(?!\d)/

/** A day with the name of its month, as people write it. */
const namedDay =
  /\d[\s.,-]*(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)[A-Z]{0,6}\b|\b(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)[A-Z]{0,6}[\s.,-]+\d/i

/** Addresses of mail and the web, phone and social security numbers, and what follows a title. */
const contact =
  /\S@\S|\b(?:https?|ftp):|\bwww\.|\b\d{3}-\d\d-\d{4}\b|\(\d{3}\)\s*\d{3}|\b\d{3}[-. ]\d{3}[-. ]\d{4}\b|\b(?:Dr|Prof|Mrs?|Ms)\.?\s+\p{Lu}/u

/** Whether a text tells how somebody is reached or called. */
export const hasContact = (text: string): boolean => contact.test(text)

/** Whether a text has a date in it, or is one. */
export const hasDate = (text: string): boolean => dateLike.test(text) || namedDay.test(text)

/** Whether a text is a UID that is not registered, or has one in it. */
export const hasUid = (text: string): boolean => {
  const found = uidText.test(text.trim()) ? text.trim() : someUid.exec(text)?.[0]
  return found !== undefined && !isRegisteredUid(found)
}

/** Whether a value speaks of the patient. */
export const speaksOfPerson = (its: Case, text: string, vr: number): boolean =>
  its.isHit(text, vr) || mentions(text, its.patient)

/** Whether a value speaks of the patient, or has a word of another person's name in the object: such names some options keep, but nobody
 * asked for them in other attributes. */
export function speaksOfSomebody(its: Case, text: string, vr: number): boolean {
  if (speaksOfPerson(its, text, vr)) return true
  const pattern = vr === PN ? undefined : its.named()
  return pattern !== undefined && text.search(pattern) >= 0
}

/** A value that is one UID and nothing else, mapped; undefined for all other texts. Text VRs may hold UIDs (PS3.3 C.12.1.1.1). */
function mappedUid(its: Case, value: string): string | undefined {
  if (!uidText.test(value) || isRegisteredUid(value)) return undefined
  return its.retainUids ? value : its.pseudonyms.uid(value)
}

/** Longest values of VRs that have an upper bound near a UID's length, characters (PS3.5 6.2). */
const longest = 64

/** A text with what identifies taken out of each of its values, in its own character set; undefined when nothing harmless is left, or
 * it cannot be written. */
export function cleanedText(its: Case, element: Element, vr: number, values: Values): Treatment | undefined {
  const text = values.text(element, vr)
  const parts = singleTextVrs.has(vr) ? [text] : text.split("\\")
  const cleaned = parts.map((part) => mappedUid(its, part.trim()) ?? its.cleanText(part, its.whose()))
  if (cleaned.every((part, at) => part === parts[at])) return "keep"
  const joined = cleaned.join("\\")
  if (joined.replaceAll("\\", "").trim() === "") return undefined
  const value = encodeText(joined, charsetAs(values.bytes(element), values.charset))
  if (value === undefined) return undefined
  its.counts.textsCleaned++
  return { vr, value }
}

/** UIDs in values of text VRs, mapped where a value is one; `keep` where there is none, undefined where one stands inside other text
 * or does not fit. */
export function mappedText(its: Case, element: Element, vr: number, values: Values): Treatment | undefined {
  if (its.retainUids || element.valueEnd - element.valueStart < 9) return "keep"
  const text = values.text(element, vr)
  if (!hasUid(text)) return "keep"
  const parts = (singleTextVrs.has(vr) ? [text] : text.split("\\")).map((part) => mappedUid(its, part.trim()) ?? part)
  const tooLong = parts.some((part) => part.length > longest) || vr === SH
  if (tooLong || parts.some(hasUid)) return undefined
  const value = encodeText(parts.join("\\"), charsetAs(values.bytes(element), values.charset))
  if (value === undefined) return undefined
  its.counts.uidsMapped++
  return { vr, value }
}

/** A text with the words of persons' names in it replaced; `keep` where there is none, undefined where the result is too long for its
 * VR, cannot be written, or tells the person still.
 * @param whose whether the patient's own words as well; else the search of the result decides on them */
export function withoutNames(
  its: Case,
  element: Element,
  vr: number,
  values: Values,
  whose: "all" | "others",
): Treatment | undefined {
  if (element.valueEnd === element.valueStart) return "keep"
  const pattern = its.named()
  const text = values.text(element, vr)
  const others = pattern === undefined ? text : text.replace(pattern, "ANONYMOUS")
  const taken = whose === "all" ? withoutOwnWords(others, its.patient) : others
  const isLeft = whose === "all" && !hasUid(taken) && its.isHit(taken, vr)
  if (taken === text) return isLeft ? undefined : "keep"
  const parts = singleTextVrs.has(vr) ? [] : taken.split("\\")
  if (isLeft || parts.some((part) => part.length > (vr === SH ? 16 : longest)) || hasUid(text)) return undefined
  const value = encodeText(taken, charsetAs(values.bytes(element), values.charset))
  if (value === undefined) return undefined
  its.counts.textsCleaned++
  return { vr, value }
}
