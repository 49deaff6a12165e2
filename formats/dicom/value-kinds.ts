import { CS, DA, DS, DT, IS, TM } from "./vr.ts"

/** HHMMSS.F, the old HH:MM:SS, or nothing. */
const timeOfDay = /^(?:\d{2,6}(?:\.\d{1,9})?|\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?$/
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

const each = (text: string, of: (value: string) => boolean): boolean => text.split("\\").every((one) => of(one.trim()))

/** Whether each value is what its VR says (PS3.5 6.2); of VRs that may be any text, always. What is not of its kind may say anything. */
export function isOfKind(text: string, vr: number): boolean {
  const kind = kinds.get(vr)
  return kind === undefined || each(text, (value) => value === "" || kind.test(value))
}

/** Whether each value is a time of day, in the form of today or in the old one. */
export const isTimes = (text: string): boolean => each(text, (value) => timeOfDay.test(value))

/** Whether a text is what (0008,0201) may say, or nothing (PS3.3 C.12.1.1.8). */
export const isOffset = (text: string): boolean => offsetFromUtc.test(text.trim())

/** Text that is no UID may say anything: it is not kept as one. */
export const isUidText = (text: string): boolean => /^[\d.\\\s]*$/.test(text)
