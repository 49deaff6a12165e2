import type { Case } from "./case.ts"
import { capAge, shiftDates } from "./dates.ts"
import type { LocalTime } from "./dates.ts"
import { find } from "./element.ts"
import type { Parsed } from "./parse.ts"
import { rawText } from "./raw-text.ts"

/** The years of the dates of a DA or DT value: `YYYY0101` in DA, which has no form for a year, `YYYY` in DT (PS3.5 6.2). Undefined
 * where {@link shiftDates} is, and where a date may not be told by its year.
 * @param mayTell whether the year of a date, YYYYMMDD or the start of one, may be told */
export function yearDates(
  text: string,
  form: "DA" | "DT",
  mayTell: (date: string) => boolean,
  local?: LocalTime,
): string | undefined {
  const told = shiftDates(text, 0, local)?.split("\\")
  if (told === undefined || !told.every((one) => one === "" || mayTell(one.replaceAll(".", "").slice(0, 8))))
    return undefined
  return told.map((one) => (one === "" ? "" : one.slice(0, 4) + (form === "DA" ? "0101" : ""))).join("\\")
}

/** Whether whoever was born on a day, YYYYMMDD or the start of one, may be 90 or more on another. */
export function mayBeNinety(born: string, date: string): boolean {
  const at = (date.replace(/[+-].*$/, "") + "1231".slice(Math.max(0, date.length - 4))).slice(0, 8)
  const birth = (born + "0101".slice(Math.max(0, born.length - 4))).slice(0, 8)
  const years = Number(at.slice(0, 4)) - Number(birth.slice(0, 4)) - (at.slice(4) < birth.slice(4) ? 1 : 0)
  return years >= 90
}

/** Whether the years of dates may be told: by the birth date and the age that the object states. */
export function yearsTold({ source, dataSet }: Parsed): Case["tellsYear"] {
  const text = (tag: number) => {
    const element = find(dataSet, tag)
    const none = element === undefined || element.items !== undefined || element.fragments !== undefined
    return none ? "" : rawText(source, element).trim()
  }
  if (capAge(text(0x00101010)) === "090Y") return () => false
  const born = /^\d{4}(?:\.?\d\d){0,2}/.exec(text(0x00100030))?.[0].replaceAll(".", "")
  return born === undefined ? () => true : (date) => !mayBeNinety(born, date)
}
