import type { Report } from "./finding.ts"
import { everyElement } from "./reader.ts"
import type { DicomFile, Element } from "./reader.ts"
import type { Asked } from "./rules.ts"
import { searchExact } from "./search.ts"
import type { Standard } from "./standard.ts"
import { isText, valuesOf } from "./text.ts"
import { isInDummy } from "./pair.ts"
import type { Pair } from "./pair.ts"

const month = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ")

/** Days since 1970 of a date or date and time; undefined for what is none. */
export function dayOf(text: string): number | undefined {
  const found = /^(\d{4})[.]?(\d\d)[.]?(\d\d)/.exec(text)
  if (found === null) return undefined
  const time = Date.UTC(Number(found[1]), Number(found[2]) - 1, Number(found[3]))
  const back = new Date(time)
  return back.getUTCMonth() + 1 === Number(found[2]) && Number(found[1]) >= 1800 ? time / 86_400_000 : undefined
}

/** Whether a day stands for none: shifted by a person's days it would tell those to everybody who knows what it stands for, and so the
 * true dates of all else (PS3.15 E.3.6: dates are modified so as to reduce the possibility of matching). It has to become another or
 * none, and has no interval to others. */
export const isPlaceholder = (value: string): boolean =>
  /^(?:0|1[0-8]|1900[.]?01[.]?01|1970[.]?01[.]?01|2[1-9]|[3-9])/.test(value)

/** Whether an element's dates may stay as they are: kept by an option, or standard and not in the table. */
function isKept(element: Element, asked: Asked, standard: Standard): boolean {
  if ((element.tag >>> 16) % 2 === 1) return false
  const row = standard.rowOf(element.tag)
  return row === undefined || asked.of(row) === "K"
}

/** Original dates of an input that no output may have, as YYYYMMDD. */
export function originalDates(file: DicomFile, asked: Asked, standard: Standard): ReadonlySet<string> {
  const dates = new Set<string>()
  for (const element of everyElement(file.data)) {
    if ((element.vr !== "DA" && element.vr !== "DT") || isKept(element, asked, standard)) continue
    for (const value of valuesOf(element))
      if (dayOf(value) !== undefined) dates.add(value.replaceAll(".", "").slice(0, 8))
  }
  for (const element of everyElement(file.data))
    if (["DA", "DT"].includes(element.vr) && isKept(element, asked, standard))
      for (const value of valuesOf(element)) dates.delete(value.replaceAll(".", "").slice(0, 8))
  return dates
}

/** The ways in which people write a date. */
function formsOf(date: string): readonly string[] {
  const [y, m, d] = [date.slice(0, 4), date.slice(4, 6), date.slice(6)]
  const [name, day] = [month[Number(m) - 1] ?? "", String(Number(d))]
  return [
    date,
    ...[".", "-", "/"].flatMap((mark) => [[y, m, d].join(mark), [d, m, y].join(mark), [m, d, y].join(mark)]),
    ...[" ", "-"].flatMap((mark) => [[d, name, y].join(mark), [day, name, y].join(mark)]),
    `${name} ${day}, ${y}`,
  ]
}

/** Grades the dates of outputs; one shift for all dates of a person. */
export class Dates {
  readonly #shifts = new Map<string, number>()

  grade(pair: Pair, report: Report): void {
    const shifted = pair.asked.has("retain-longitudinal-modified-dates") ? this.#shift(pair, report) : new Set<string>()
    const dates = originalDates(pair.input, pair.asked, pair.standard)
    const forms = new Map([...dates].flatMap((date) => formsOf(date).map((form) => [form, date] as const)))
    const told = new Set<string>()
    searchExact(pair.output, [...forms.keys()], /\d/, (form, element, place) => {
      const path = element?.path ?? place
      if (told.has(path) || shifted.has(path)) return
      const date = forms.get(form)!
      // Digits of a number or of bytes say nothing; a UID is graded as such.
      if (element !== undefined && ((!isText(element) && element.vr !== "OB") || element.vr === "UI")) return
      told.add(path)
      const isNumber = element !== undefined && ["DS", "IS", "SH", "CS"].includes(element.vr) && form === date
      report(isNumber ? "ambiguous" : "dates", path, "original-date", date)
    })
    for (const date of dates) if (pair.outputName.includes(date)) report("ambiguous", "name", "original-date", date)
  }

  /** Paths of which the dates are the shifted ones of the same place. */
  #shift(pair: Pair, report: Report): ReadonlySet<string> {
    const explained = new Set<string>()
    for (const [path, before] of pair.before) {
      const after = pair.after.get(path)
      const row = pair.standard.rowOf(before.tag)
      if (after === undefined || row === undefined || pair.asked.of(row) !== "C") continue
      if ((before.vr !== "DA" && before.vr !== "DT") || isInDummy(path, pair)) continue
      const [old, made] = [valuesOf(before), valuesOf(after)]
      for (const [at, value] of old.entries()) {
        const [from, to] = [dayOf(value), dayOf(made[at] ?? "")]
        if (from === undefined || to === undefined || isPlaceholder(value)) continue
        const shift = to - from
        const known = this.#shifts.get(pair.person) ?? shift
        this.#shifts.set(pair.person, known)
        if (shift === 0) report("date-shift", path, "not-shifted", value)
        else if (shift !== known) report("date-shift", path, "other-shift-of-the-person", value)
        else explained.add(path)
        if (before.vr === "DT" && clock(value) !== clock(made[at]!)) report("date-shift", path, "time-of-day-changed")
      }
    }
    return explained
  }
}

const clock = (value: string): string => value.slice(8, 14).replace(/[^\d].*/, "")
