import { dayNumber, movedBack, weekdayOf, weekdays, wordLike } from "./calendar.ts"
import type { Day } from "./calendar.ts"
import {
  dayFirstDate,
  dayOf,
  germanYearless,
  monthAlone,
  monthFirstDate,
  numericDate,
  quarterAt,
  shifted,
  writtenAs,
  yearlessDate,
} from "./date-text.ts"
import type { DateText } from "./date-text.ts"
import type { Times } from "./draft.ts"
import { isLetterUnit } from "./fold.ts"
import type { Scan } from "./scan.ts"
import { isAllCapitals, isCapital, skipBack, wordBefore } from "./word-at.ts"
import type { Word } from "./word-at.ts"

/** The greatest age that is told as it is (45 CFR 164.514(b)(2)(i)(C)). */
export const greatestAge = 89
/** What stands for a birth date when nothing says how old that makes the person. */
const noBirthDate = "[birth date]"
/** What stands for a date, or a weekday, of which nothing may be told. */
const noDate = "[date]"
const noDay = "[day]"
/** A time of day that belongs to the date before it. */
const timeAfter =
  /(?:,?\s{1,2}(?:at\s)?(?=\d{1,2}:)|T(?=\d)|(?=\d{4}))(?:[01]?\d|2[0-3]):?[0-5]\d(?::?[0-5]\d(?:\.\d+)?)?(?:\s?[ap]\.?m\b\.?)?(?:Z|[+-]\d\d:?\d\d)?/iy

const list = (words: string): ReadonlySet<string> => new Set(words.split(" "))
const beforeDate = list(
  "mammogram mammo colonoscopy endoscopy egd eeg ekg ecg holter cath angiogram dexa tte tee mrcp ercp bronch bx swab extubation intubation admission discharge delivery section operation consult followup appointment rtc rto wk week mailed scanned dictation wef eff effective commenced completed since until arr dep ab den dato kl op informed removed placed inserted pulled extubated intubated started stopped given faxed mailed sent booked cancelled arrived transferred returned told updated consented dictated typed out delivered readmitted next dos doe spatestens bis ab zum termin fecha fech data datum kontrolle indlagt udskrevet clinic bloods labs clinic due op echo cxr collected drawn notified biopsy repeat lmp edd phoned transfused recorded appt dc reviewed reported called on since from dated until till through thru before after date prior comparison comparisons exam study seen scheduled to the am vom seit bis den le du el del desde hasta il dal and by of ct mri mr xray radiograph ultrasound pet signed admitted discharged last received performed surgery visit",
)
const beforeMonth = list(
  "in since last early late until till by of during this next mid from through and before after im seit en desde depuis nel anfang ende",
)
/** Words before two numbers that are a score or an image. */
const beforeScore = list(
  "activity chronicity image images im img series se slice slices page item score index grade lead leads fibrosis acuity vision pain mood energy strength power ratio gcs apgar nodes cores hpf",
)
const ordinalDay =
  /[ ](?:the )?\d{1,2}(?:st|nd|rd|th)(?=[ ]?(?:[.,;)\n\r]|$)|[ ](?:after|at|half|and|with|for|am|pm|when|she|he)(?!\p{L}))/uy
const dayAlone =
  /(?:on|since|until|till|from|by|before|after) the $|(?:appt|appointment|due|review|clinic|back|seen) $/i
const dottedBirth = /\bd\. ?o\. ?b\.?[:,]? ?$/i
const germanRange = /^ ?[-–] ?\d{1,2}\.\d{1,2}\./
/** The days after the first of a list: April 3, 10 and 17, 2019. */
const moreDays =
  /((?:, \d{1,2})*),? (?:and|&) (\d{1,2})(?:st|nd|rd|th)?(?:, ((?:19|20)\d\d))?(?![\d/:.]\d|[\d%]| ?(?:mg|ml|cm|mm|g|weeks?|days?|months?|years?|hours?)\b)/y
const afterDose = /^ (?:or|to) \d|^ ?(?:g|mg|mcg|ml|mmol|units?|tabs?|cm|mm|%|x)(?!\p{L})/iu
const notDate =
  /\s?(?:strength|murmur|pulses?|reflex|systolic|diastolic|motor|tablets?|tabs?|pain|of\b|in\b|inch|mm|cm|mg|ml|x\b|power|scale|grade|muscle|teaspoon|cup|pack|ppd|hpf|positive|negative|nodes?|cores?|lymph|vision|bilaterally|intensity|size|full|throughout)/iy

/** Rules that find dates, and tell those of birth. */
export class DateRules {
  readonly #scan: Scan
  #weekday: Word | undefined
  /** Where a birth date is expected. */
  #birth = -1

  constructor(scan: Scan) {
    this.#scan = scan
  }

  get #text(): string {
    return this.#scan.text
  }

  /** Says that a date here is one of birth. */
  birthAt(start: number): void {
    this.#birth = start
  }

  /** A date that begins with a number; 0 where none does, else where the scan goes on. */
  number(start: number, end: number): number {
    const text = this.#text
    const { order } = this.#scan.known
    const next = text[end]
    const joins = next === "/" || next === "-" || next === "." || next === " "
    if (joins || end - start >= 8) {
      const date = numericDate(text, start, order, next === "." && this.#isExpected(start))
      if (date !== undefined) return this.#found(date)
      if (next === "-" && end - start === 4) {
        const inQuarter = this.quarter(start)
        if (inQuarter > 0) return inQuarter
      }
      const ofGermans = next === "." ? germanYearless(text, start) : undefined
      if (
        ofGermans !== undefined &&
        (this.#isAfter(start, beforeDate) || germanRange.test(text.slice(ofGermans.end, ofGermans.end + 12)))
      )
        return this.#found(ofGermans)
      if (next === "/" && text[start - 1] !== "/") {
        const short = yearlessDate(text, start, order)
        if (short !== undefined && this.#isDate(short)) return this.#found(short)
      }
    }
    if (end - start > 2 || next === undefined || isLetterUnit(text.charCodeAt(start - 1))) return 0
    const named = dayFirstDate(text, start)
    return named === undefined ? this.#dayAlone(start, end) : this.#found(named)
  }

  /** Whether what stands before says that a date follows. */
  #isExpected(start: number): boolean {
    if (isAfterDottedBirth(this.#text, start)) return true
    return (
      this.#birth === start || this.#weekday?.end === skipBack(this.#text, start) || this.#isAfter(start, beforeDate)
    )
  }

  /** "since the 4th.": a day of a month that nothing names. */
  #dayAlone(start: number, end: number): number {
    const text = this.#text
    // st, nd, rd, th.
    if (
      text[start - 1] !== " " ||
      !"snrt".includes(text[end] ?? " ") ||
      !dayAlone.test(text.slice(Math.max(0, start - 12), start))
    )
      return 0
    ordinalDay.lastIndex = start - 1
    if (!ordinalDay.test(text) || this.#isTrue) return 0
    this.#scan.add("date", start, ordinalDay.lastIndex, noDate)
    return ordinalDay.lastIndex
  }

  get #isTrue(): boolean {
    return this.#scan.known.maker.given.dates === "true"
  }

  /** A quarter of a year, as 2019-Q2 or Q2 2019; 0 where none begins. */
  quarter(start: number): number {
    const found = quarterAt(this.#text, start)
    if (found === undefined || this.#isTrue) return 0
    const { dates, shiftDays } = this.#scan.known.maker.given
    const { year, month } = movedBack({ year: found.year, month: found.quarter * 3 - 1, day: 15 }, shiftDays)
    const made =
      dates === "year"
        ? String(found.year)
        : this.#text
            .slice(start, found.end)
            .replace(/\d{4}/, String(year))
            .replace(/Q\d/, `Q${Math.ceil(month / 3)}`)
    this.#scan.add("date", start, found.end, made)
    return found.end
  }

  /** Whether 3/4 is a day: by what stands before it, or because no score has such numbers. */
  #isDate({ start, end, day, month }: DateText): boolean {
    const text = this.#text
    notDate.lastIndex = end
    if (notDate.test(text)) return false
    if (this.#isAfter(start, beforeScore) || /[,;] im(?:age)? $/i.test(text.slice(Math.max(0, start - 8), start)))
      return false
    if (/^ ?leads?\b/.test(text.slice(end, end + 6))) return false
    if (/^\s?(?:[-–]|to|at|through)\s?\d{1,2}[/:]\d/.test(text.slice(end, end + 14))) return true
    if (/\d{1,2}\/\d{1,2}\s?(?:[-–]|to|through)\s?$/.test(text.slice(Math.max(0, start - 14), start))) return true
    if (/^0\d\/(?:0|1[0-2]|[12]\d|3[01])/.test(text.slice(start, end)) || this.#weekday?.end === skipBack(text, start))
      return true
    // A value and its day: INR 2.4 (3/4).
    if (/\d\.\d+ \($/.test(text.slice(Math.max(0, start - 8), start)) && text[end] === ")") return true
    const last = this.#scan.drafts.at(-1)
    if (last?.kind === "name" && last.end === skipBack(text, start) && start - last.end === 1) return true
    if (/^\d{1,2}\/(?:7|52)$/.test(text.slice(start, end)) && day! > 12) return false
    return this.#isAfter(start, beforeDate) || (day! > 12 && day! !== 20 && month < day!)
  }

  #isAfter(start: number, words: ReadonlySet<string>): boolean {
    const before = wordBefore(this.#text, skipBack(this.#text, start, "(:,"))
    if (before?.folded === "and" && words === beforeDate) {
      // The and of two dates, and none of two scores.
      const last = this.#scan.drafts.at(-1)
      return last?.kind === "date" && last.end === skipBack(this.#text, before.start)
    }
    return before !== undefined && words.has(before.folded)
  }

  /** A word for a month. */
  month(word: Word): number {
    const text = this.#text
    const date = monthFirstDate(text, word.start)
    const short = word.folded.length <= 4
    // Capitals are no Spanish months; Mayo is a clinic and its score.
    if (word.folded === "mayo" && isCapital(word.text) && date?.year === undefined) return 0
    // "staples out 4/17": a word of English that is a month of another language.
    if (date !== undefined && short && !isCapital(word.text) && text.slice(date.start, date.end).includes("/")) return 0
    // Mag 4 g is a dose.
    if (date !== undefined && date.year === undefined && afterDose.test(text.slice(date.end, date.end + 8))) return 0
    if (date !== undefined && (isCapital(word.text) || date.year !== undefined || !short))
      return (date.year === undefined && date.day !== undefined && this.#list(date)) || this.#found(date)
    if (!isCapital(word.text) || isAllCapitals(word.text) || !this.#isAfter(word.start, beforeMonth)) return 0
    const alone = monthAlone(text, word.start, word.end)
    return alone === undefined ? 0 : this.#found(alone)
  }

  /** "April 3, 10 and 17, 2019"; 0 where no list follows. */
  #list(date: DateText): number {
    const text = this.#text
    moreDays.lastIndex = date.end
    const found = moreDays.exec(text)
    if (found === null || Number(found[2]) > 31) return 0
    const year = found[3] === undefined ? {} : { year: Number(found[3]) }
    this.#found({ ...date, ...year })
    const end = moreDays.lastIndex - (found[3]?.length ?? 0)
    for (const each of text.slice(date.end, end).matchAll(/\d{1,2}/g)) {
      const start = date.end + each.index
      const at = start + each[0].length
      this.#found({
        ...date,
        ...year,
        start,
        end: at,
        day: Number(each[0]),
        pieces: [{ part: "day", from: start, to: at }],
      })
    }
    if (found[3] !== undefined) this.#year(end, moreDays.lastIndex, { ...date, year: Number(found[3]) })
    return moreDays.lastIndex
  }

  /** The year of the last of a list of dates. */
  #year(start: number, end: number, date: DateText): void {
    const { year, month } = date
    const pieces = [{ part: "year", from: start, to: end }] as const
    this.#found({ year, month, day: date.day, shortYear: false, start, end, pieces })
  }

  /** A word for a day of the week: it moves with the date that follows. */
  weekday(word: Word): void {
    this.#weekday = word
    ordinalDay.lastIndex = word.end
    if (isCapital(word.text) && !this.#isTrue && ordinalDay.test(this.#text))
      this.#scan.add("date", word.start, ordinalDay.lastIndex, noDate)
  }

  /** Keeps a date, with the weekday before it. */
  #found(date: DateText): number {
    const text = this.#text
    const { maker } = this.#scan.known
    const days = maker.given.shiftDays
    const birth = this.#isBirth(date)
    if (maker.given.dates !== undefined && maker.given.dates !== "shifted") return this.#notMoved(date, birth)
    const yearOf = (times: Times) => date.year ?? times.yearAt(date.start)
    const day = date.year === undefined ? undefined : dayOf(date, date.year)
    if (birth) this.#scan.add("birth-date", date.start, date.end, (times) => birthDate(text, date, times, days))
    else this.#scan.add("date", date.start, date.end, (times) => shifted(text, date, yearOf(times), days), day)
    this.#weekdayBefore(date, yearOf, days)
    return date.end
  }

  /** A date whose year alone is told, or that stays; a birth date is told by neither. */
  #notMoved(date: DateText, birth: boolean): number {
    const text = this.#text
    const { maker, birthDays } = this.#scan.known
    if (maker.given.dates === "true") return date.end
    if (birth) {
      this.#scan.add("birth-date", date.start, date.end, noBirthDate)
      return date.end
    }
    const weekday = this.#weekday
    this.#weekday = undefined
    if (weekday !== undefined && /^[^\p{L}\n]{0,4}$/u.test(text.slice(weekday.end, date.start)))
      this.#scan.add("date", weekday.start, weekday.end, noDay)
    timeAfter.lastIndex = date.end
    const end = timeAfter.test(text) ? timeAfter.lastIndex : date.end
    this.#scan.add("date", date.start, end, toldYear(date, birthDays))
    return end
  }

  #weekdayBefore(date: DateText, yearOf: (times: Times) => number, days: number): void {
    const weekday = this.#weekday
    this.#weekday = undefined
    if (weekday === undefined || date.day === undefined) return
    if (!/^[.,]?\s{0,2}(?:(?:the|den|der|le|el|dem)\s)?$/.test(this.#text.slice(weekday.end, date.start))) return
    const word = weekdays.get(weekday.folded)![0]!
    this.#scan.add("date", weekday.start, weekday.end, (times) =>
      wordLike(word, weekdayOf(movedBack(dayOf(date, yearOf(times)), days)), weekday.text),
    )
  }

  #isBirth({ start, year, month, day }: DateText): boolean {
    if (this.#birth === start || isAfterDottedBirth(this.#text, start)) return true
    if (year === undefined || day === undefined) return false
    return this.#scan.known.birthDays.some(
      (birth) => birth.month === month && birth.day === day && birth.year % 100 === year % 100,
    )
  }
}

/** Whether "d.o.b." stands before; its last letter is looked at first. */
function isAfterDottedBirth(text: string, start: number): boolean {
  let at = start - 1
  if (text[at] === " ") at--
  if (text[at] === ":" || text[at] === ",") at--
  if (text[at] === ".") at--
  return (text[at] === "b" || text[at] === "B") && dottedBirth.test(text.slice(Math.max(0, start - 9), start))
}

/** The year of a date, of nobody at 90 or more (45 CFR 164.514(b)(2)(i)(C)): beside an age it would tell a greater one. */
function toldYear(date: DateText, birthDays: readonly Day[]): string {
  const { year } = date
  if (year === undefined) return noDate
  // The end of what is meant, so that a month alone is that of the greatest age.
  const at = date.month * 100 + (date.last ?? date.day ?? 31)
  const isOld = birthDays.some((born) => year - born.year - (at < born.month * 100 + born.day ? 1 : 0) > greatestAge)
  return isOld ? noDate : String(year)
}

/** A birth date moved back; of whoever may be 90 or older, 90 years before the newest date that is known. */
function birthDate(text: string, date: DateText, { newest }: Times, days: number): string {
  if (newest === undefined || date.year === undefined) return noBirthDate
  const century = date.shortYear && dayNumber(dayOf(date, date.year)) > dayNumber(newest) ? 100 : 0
  const born: Day = dayOf(date, date.year - century)
  const age = newest.year - born.year - (newest.month * 100 + newest.day < born.month * 100 + born.day ? 1 : 0)
  if (age <= greatestAge) return writtenAs(text, date, movedBack(born, days))
  const { year, month, day } = movedBack(newest, days)
  return writtenAs(text, date, { year: year - greatestAge - 1, month, day })
}
