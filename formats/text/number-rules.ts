import { dayNumber, movedBack, weekdayOf, weekdays, wordLike } from "./calendar.ts"
import type { Day } from "./calendar.ts"
import {
  dayFirstDate,
  dayOf,
  germanYearless,
  monthAlone,
  monthFirstDate,
  numericDate,
  shifted,
  writtenAs,
  yearlessDate,
} from "./date-text.ts"
import type { DateText } from "./date-text.ts"
import type { Times } from "./draft.ts"
import { kindOf, kinds } from "./fold.ts"
import { isAgeUnit, isSexAfterAge, numberEnd } from "./numbers.ts"
import type { Scan } from "./scan.ts"
import { isAllCapitals, isCapital, skip, skipBack, wordAt, wordBefore } from "./word-at.ts"
import type { Word } from "./word-at.ts"

/** The greatest age that is told as it is (45 CFR 164.514(b)(2)(i)(C)). */
const greatestAge = 89
const capped = `${greatestAge + 1}+`
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
  "on since from dated until till through thru before after date prior comparison comparisons exam study seen scheduled to the am vom seit bis den le du el del desde hasta il dal and by of ct mri mr xray radiograph ultrasound pet signed admitted discharged last received performed surgery visit",
)
const beforeMonth = list(
  "in since last early late until till by of during this next mid from through and before after im seit en desde depuis nel anfang ende",
)
const notDate =
  /\s?(?:strength|murmur|pulses?|reflex|systolic|diastolic|motor|tablets?|tabs?|pain|of\b|in\b|inch|mm|cm|mg|ml|x\b|power|scale|grade|muscle|teaspoon|cup|pack|ppd|hpf|positive|negative|nodes?|cores?|lymph|vision|bilaterally|intensity|size|full|throughout)/iy
const ninety =
  /ninety(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?(?=[- ]?(?:years?|yrs?|y\.?o|yo))|(?:(?:one|a)[ -])?hundred(?:[- ](?:and[- ])?\p{L}{3,9}(?:-\p{L}{3,5})?)?(?=[- ](?:years?|yrs?)[- ]?old)|nonagenarian|centenarian/iuy
const mailName = /[\w.+%-]+$/
const mailHost = /@[\w-]+(?:\.[\w-]+)*/y
const urlRest = /[^\s<>"'()]*[^\s<>"'().,;:!?]/y

/** Rules that begin with a number, or with a word that says what a number is. */
export class NumberRules {
  readonly #scan: Scan
  #weekday: Word | undefined
  /** Where a birth date or an age is expected. */
  #birth = -1
  #age = -1

  constructor(scan: Scan) {
    this.#scan = scan
  }

  get #text(): string {
    return this.#scan.text
  }

  /** A number; gives where the scan goes on. */
  number(start: number): number {
    const text = this.#text
    let end = start + 1
    while (end < text.length && kindOf[text.charCodeAt(end)] === kinds.digit) end++
    const own = this.#scan.known.ids.endAt(text, start)
    if (own >= end) return this.#id(start, own)
    const before = text[start - 1]
    if (before === "." && kindOf[text.charCodeAt(start - 2)] === kinds.digit) return end
    const length = end - start
    return (
      this.#date(start, end) ||
      this.#phoneOrId(start, end, before) ||
      this.#ageAt(start, end, length) ||
      this.#postal(start, end, length) ||
      end
    )
  }

  #id(start: number, end: number): number {
    const { ids, maker } = this.#scan.known
    this.#scan.add("id", start, end, ids.surrogate(this.#text.slice(start, end), maker))
    return end
  }

  #shape(kind: "phone" | "id" | "ip", start: number, end: number): number {
    this.#scan.add(kind, start, end, this.#scan.known.maker.shape(kind, this.#text.slice(start, end)))
    return end
  }

  #phoneOrId(start: number, end: number, before: string | undefined): number {
    const text = this.#text
    const next = text[end]
    if (next === "/" && numberEnd.national(text, start) > 0)
      return this.#shape("phone", start, numberEnd.national(text, start))
    if (next === "." || before === "(" || before === "+" || next === "-" || next === " " || next === ")") {
      const from = before === "(" || before === "+" ? start - 1 : start
      const uid = next === "." ? numberEnd.uid(text, start) : 0
      if (uid > 0) return this.#uid(start, uid)
      const ip = next === "." ? numberEnd.ip(text, start) : 0
      if (ip > 0) return this.#shape("ip", start, ip)
      const ssn = numberEnd.ssn(text, start)
      if (ssn > 0) return this.#shape("id", start, ssn)
      const phone =
        numberEnd.phone(text, from) ||
        (before === "+" ? numberEnd.international(text, from) : 0) ||
        numberEnd.national(text, start)
      if (phone > 0) return this.#shape("phone", from, phone)
    }
    const long = numberEnd.digits(text, start)
    return long > 0 ? this.#shape("id", start, long) : 0
  }

  #uid(start: number, end: number): number {
    const uid = this.#text.slice(start, end)
    if (!uid.startsWith("1.2.840.10008.")) this.#scan.add("uid", start, end, this.#scan.known.maker.given.uid(uid))
    return end
  }

  /** A five-figure number after the letters of a state. */
  #postal(start: number, end: number, length: number): number {
    return length === 5 ? this.#scan.postal(start, end) : length <= 6 ? this.#scan.street(start, end) : 0
  }

  #date(start: number, end: number): number {
    const text = this.#text
    const { order } = this.#scan.known
    const next = text[end]
    const joins = next === "/" || next === "-" || next === "." || next === " "
    if (joins || end - start >= 8) {
      const date = numericDate(text, start, order)
      if (date !== undefined) return this.#found(date)
      const ofGermans = next === "." && this.#isAfter(start, beforeDate) ? germanYearless(text, start) : undefined
      if (ofGermans !== undefined) return this.#found(ofGermans)
      if (next === "/" && text[start - 1] !== "/") {
        const short = yearlessDate(text, start, order)
        if (short !== undefined && this.#isDate(short)) return this.#found(short)
      }
    }
    if (end - start > 2 || next === undefined) return 0
    const named = dayFirstDate(text, start)
    return named === undefined ? 0 : this.#found(named)
  }

  /** Whether 3/4 is a day: by what stands before it, or because no score has such numbers. */
  #isDate({ start, end, day, month }: DateText): boolean {
    const text = this.#text
    notDate.lastIndex = end
    if (notDate.test(text)) return false
    if (/^\s?(?:[-–]|to|at|through)\s?\d{1,2}[/:]\d/.test(text.slice(end, end + 14))) return true
    if (/\d{1,2}\/\d{1,2}\s?(?:[-–]|to|through)\s?$/.test(text.slice(Math.max(0, start - 14), start))) return true
    return this.#isAfter(start, beforeDate) || (day! > 12 && day! !== 20 && month < day!)
  }

  #isAfter(start: number, words: ReadonlySet<string>): boolean {
    const before = wordBefore(this.#text, skipBack(this.#text, start, "(:,"))
    return before !== undefined && words.has(before.folded)
  }

  /** A word for a month. */
  month(word: Word): number {
    const text = this.#text
    const date = monthFirstDate(text, word.start)
    const short = word.folded.length <= 4
    if (date !== undefined && (isCapital(word.text) || date.year !== undefined || !short)) return this.#found(date)
    if (!isCapital(word.text) || isAllCapitals(word.text) || !this.#isAfter(word.start, beforeMonth)) return 0
    const alone = monthAlone(text, word.start, word.end)
    return alone === undefined ? 0 : this.#found(alone)
  }

  weekday(word: Word): void {
    this.#weekday = word
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
    else
      this.#scan.add(
        "date",
        date.start,
        date.end,
        (times) => shifted(text, date, yearOf(times), days),
        day === undefined ? {} : { day },
      )
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
    if (this.#birth === start) return true
    if (year === undefined || day === undefined) return false
    return this.#scan.known.birthDays.some(
      (birth) => birth.month === month && birth.day === day && birth.year % 100 === year % 100,
    )
  }

  /** A label of birth dates or ages: what follows is one. */
  birthOrAge(word: Word, birth: boolean): void {
    const text = this.#text
    let at = skip(text, word.end, ".:,(")
    for (let words = 0; words < 2; words++) {
      const next = wordAt(text, at)
      if (next === undefined || !/^(?:date|of|on|is|am|en|el|le|was|o|old)$/.test(next.folded)) break
      at = skip(text, next.end, ".:,(")
    }
    if (birth) {
      this.#birth = at
      const named = wordAt(text, at)
      if (named !== undefined) this.#birth = named.start
    } else this.#age = at
  }

  #ageAt(start: number, end: number, length: number): number {
    if (length < 2 || length > 3) return 0
    const text = this.#text
    const years = Number(text.slice(start, end))
    if (years <= greatestAge || years > 130) return 0
    const bearsUnit = isAgeUnit(text, end) || (years < 110 && isSexAfterAge(text, end) && this.#isPerson(end))
    if (!bearsUnit && this.#age !== start) return 0
    const more = text[end] === "+" ? 1 : 0
    this.#scan.add("age", start, end + more, capped)
    return end + more
  }

  /** 92F, 92 M: beside what else says that it is a person. */
  #isPerson(end: number): boolean {
    const rest = this.#text.slice(end, end + 30)
    return /^[ ]?[MFmf](?:[,.]|$|\s+(?:with|who|s\/p|status|presents|presenting|admitted|here|c\/o))/.test(rest)
  }

  /** Ages in words. */
  spelledAge(word: Word): void {
    ninety.lastIndex = /^hundred/i.test(word.text) ? this.#hundredFrom(word) : word.start
    const from = ninety.lastIndex
    if (ninety.test(this.#text))
      this.#scan.add("age", from, ninety.lastIndex, /arian/i.test(word.text) ? `person of ${capped}` : capped)
  }

  #hundredFrom(word: Word): number {
    const before = wordBefore(this.#text, skipBack(this.#text, word.start, "-"))
    return before !== undefined && /^(?:one|a)$/.test(before.folded) ? before.start : word.start
  }

  /** Letters with digits: own identifiers, and others that are too long for a code. */
  code(start: number, wordEnd: number): number {
    const text = this.#text
    if (kindOf[text.charCodeAt(start - 1)] === kinds.digit) return 0
    const own = this.#scan.known.ids.endAt(text, start)
    if (own > 0) return this.#id(start, own)
    const end = numberEnd.mixed(text, start)
    return end > wordEnd && !dayNamed(text, start, wordEnd) ? this.#shape("id", start, end) : 0
  }

  /** What stands after a label of identifiers. */
  labelledId(word: Word, sure: boolean): number {
    if (sure && word.folded.length <= 4 && !/^(?:mrn|ssn|csn|npi|dln|mpi|acct|hicn|mbi|msrn|nhs)$/.test(word.folded))
      return this.#value(word, true)
    // ID before many figures is a label, and before few an inner diameter.
    const isLabel = word.text === "ID" && /^ \d{4,}(?!\d|\.\d)/.test(this.#text.slice(word.end, word.end + 20))
    return this.#value(word, !sure && !isLabel)
  }

  #value(word: Word, strict: boolean): number {
    const text = this.#text
    const from = (strict ? numberEnd.strict : numberEnd.between)(text, word.end) || (strict ? 0 : skip(text, word.end))
    if (from === 0) return 0
    const end = this.#scan.known.ids.endAt(text, from) || numberEnd.labelled(text, from)
    if (end === 0 || (strict && end - from < 3)) return 0
    if (numericDate(text, from, this.#scan.known.order) !== undefined && !/^\d{8}$/.test(text.slice(from, end)))
      return 0
    return this.#id(from, end)
  }

  labelledPhone(word: Word): number {
    const text = this.#text
    const sure = !/^(?:x|call|called|page|cell|portable|mobile)$/.test(word.folded)
    const from = skip(text, word.end, sure ? ".:#()+" : ":")
    const begins = text[from - 1] === "(" || text[from - 1] === "+" ? from - 1 : from
    const end = numberEnd.labelledPhone(text, begins)
    const digits = text.slice(begins, end).replace(/\D/g, "").length
    if (digits < (sure ? 4 : 7) || digits > 16) return 0
    if (numericDate(text, from, this.#scan.known.order) !== undefined) return 0
    return this.#shape("phone", begins, end)
  }

  /** An e-mail address, from its at sign. */
  mail(at: number): number {
    const text = this.#text
    const name = mailName.exec(text.slice(Math.max(0, at - 64), at))?.[0]
    mailHost.lastIndex = at
    if (name === undefined || !mailHost.test(text)) return 0
    const end = mailHost.lastIndex
    const { maker } = this.#scan.known
    const whole = text.slice(at - name.length, end).toLowerCase()
    this.#scan.add("email", at - name.length, end, `${maker.given.key("email", whole).slice(0, 8)}@example.org`)
    return end
  }

  /** A web address, from its scheme, www, or the end of its host. */
  address(word: Word): number {
    const text = this.#text
    let start = word.start
    const scheme = text.startsWith("://", word.end)
    const www = word.folded === "www" && text[word.end] === "."
    if (!scheme && !www) {
      if (text[word.start - 1] !== "." || /^(?:www|https?|ftp)$/.test(word.folded)) return 0
      const host = /[\p{L}\p{N}.-]+$/u.exec(text.slice(Math.max(0, start - 80), start))?.[0] ?? ""
      if (host.length < 3 || text[start - host.length - 1] === "@") return 0
      start -= host.length
    }
    urlRest.lastIndex = word.end
    const end =
      urlRest.test(text) && (scheme || www || "/:?".includes(text[word.end] ?? " ")) ? urlRest.lastIndex : word.end
    const key = this.#scan.known.maker.given.key("url", text.slice(start, end).toLowerCase()).slice(0, 8)
    this.#scan.add("url", start, end, `https://example.org/${key}`)
    return end
  }
}

function dayNamed(text: string, start: number, wordEnd: number): boolean {
  return (text[wordEnd] === "-" || text[wordEnd] === "/") && monthFirstDate(text, start) !== undefined
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
