import { DateRules, greatestAge } from "./date-rules.ts"
import { dayFirstDate, monthFirstDate, numericDate } from "./date-text.ts"
import { fold, isFigure, kindOf, kinds } from "./fold.ts"
import { isAgeUnit, isSexAfterAge, numberEnd } from "./numbers.ts"
import type { Scan } from "./scan.ts"
import { skip, skipBack, wordAt, wordBefore } from "./word-at.ts"
import type { Word } from "./word-at.ts"

const capped = `${greatestAge + 1}+`
const ninety =
  /ninety(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?(?=[- ]?(?:years?|yrs?|y\.?o|yo))|ninety-(?:one|two|three|four|five|six|seven|eight|nine)(?!\p{L}|[- ](?:per|degrees?|minutes?|days?|seconds?|millimet|centimet|m[lg]\b))|(?:(?:one|a)[ -])?hundred(?:[- ](?:and[- ])?\p{L}{3,9}(?:-\p{L}{3,5})?)?(?=[- ](?:years?|yrs?)[- ]?(?:old|of age))|nonagenarian|centenarian/iuy
/** Labels that no sign has to follow where a value does. */
const openLabels: ReadonlySet<string> = new Set(
  "badge serial plate account claim subject incident inmate donor case job rx lot batch specimen accession requisition policy member visit encounter licence license certificate passport chart folder invoice ticket star tag reg crew straw report order reference confirmation flight chit aadhaar medicaid subscriber unit barcode permit visa docket warrant booking asset inventory cylinder scope pump monitor incubator".split(
    " ",
  ),
)
const openValue =
  /^ (?!(?:19|20)\d\d(?![\d-]))(?=[A-Z\d/-]*\d{3}|[A-Z\d]*\d[A-Z\d]*[A-Z][A-Z\d]*\d)[A-Z\d][A-Z\d-]{3,}(?:\/\d{2,})*(?![\p{L}\d%]|\.\d| ?(?:mg|ml|mcg|units?|cc|mm|cm|g|kg|days?|weeks?|hours?|h)(?!\p{L}))/u
/** A word in capitals between a label and its value: donor UNOS AFD3281. */
const between = /^ [A-Z]{2,5}(?= (?=[A-Z]*\d)[A-Z\d-]{4,}(?![\p{L}\d.]))/u
/** Labels of a few letters that are nothing else. */
const shortLabels: ReadonlySet<string> = new Set(
  "udi nir nric cnic amka oib egn cnp cuit svnr ahv insz niss rrn hkid empi cpf cpr bsn nie dni crm qid eid ramq pps ppsn ird tfn ihi mrn ssn csn npi dln mpi acct hicn mbi msrn nhs nhi ohip phn uhid ipp urn chi iban pnr ssid".split(
    " ",
  ),
)
const userLabels: ReadonlySet<string> = new Set(["user", "username", "login"])
/** Words before a telephone number that stand before other numbers as well. */
const unsurePhones: ReadonlySet<string> = new Set("x call called page cell portable mobile direct sms".split(" "))
/** Labels of numbers of a few figures. */
const shortPhones: ReadonlySet<string> = new Set("bleep pager beeper ext extension durchwahl".split(" "))
const vehicle: ReadonlySet<string> = new Set(["plate", "vehicle", "car", "reg", "registration", "tag"])
const labelBefore =
  /(?:S\/N|№|[nN][°º]|\bN[or]\.?|\b(?:gate|door|key|safe|access|entry|lock|alarm)(?: safe| box)? \(?(?:code|pin))[ :#]*$/i
/** Before the four figures of a number that are told instead of it. */
const lastFour =
  /(?:\blast (?:4|four)(?: digits)?(?: of [\w ]{2,20})?|\b(?:ssn|social|card|account|acct|phone)[\w #]{0,16} end(?:s|ing)(?: in| with)?|[xX*]{3}-?[xX*]{2}-)[:# ]*$/i
/** Before a number that stands for a concept or a publication. */
const publishedCode = /(?:SNOMED(?:[ -]?CT)?|LOINC|RxNorm|HCPCS|CPT|OMIM|PMID|DOI)(?: code)?[ :#]*$/i
const handle = /@[A-Za-z_][\w.]{2,}/y
const townBefore = /(\p{Lu}[\p{L}'’-]+(?: \p{Lu}[\p{L}'’-]+){0,2}),? (?:[A-Z]{2,3} )?$/u
const australian = /(\p{Lu}[\p{L}'’-]+(?: \p{Lu}[\p{L}'’-]+){0,2}),? (?:QLD|NSW|VIC|TAS|ACT|NT|WA|SA),? $/u
/** Letters before an at sign that are read. */
const longestMailName = 64
const mailHost = /@[\w-]+(?:\.[\w-]+)*/y
const urlRest = /[^\s<>"'()]*[^\s<>"'().,;:!?]/y

/** Rules that begin with a number, or with a word that says what a number is. */
export class NumberRules {
  readonly #scan: Scan
  readonly #dates: DateRules
  /** Where an age is expected. */
  #age = -1

  constructor(scan: Scan) {
    this.#scan = scan
    this.#dates = new DateRules(scan)
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
    if (before === "#" || (before === " " && text[start - 2] === "#")) {
      const value = numberEnd.labelled(text, start)
      if (length > 3 || value - start > 4) return this.#shape("id", start, Math.max(end, value))
    }
    // 7/22 Banksia Crescent is no day.
    if (
      text[end] === "/" &&
      isCapitalAfterNumber(text, end + 1) &&
      /^\/\d{1,5}[A-Za-z]? \p{Lu}\p{Ll}/u.test(text.slice(end, end + 9))
    ) {
      const street = this.#scan.street(start, end)
      if (street > 0) return street
    }
    const written = text[end] === "-" || text[end] === "+" || text[end] === "." ? this.#written(start, end) : 0
    if (written > 0) return this.#shape("id", start, written)
    return (
      this.#dates.number(start, end) ||
      this.#phoneOrId(start, end, before) ||
      this.#ageAt(start, end, length) ||
      this.#postal(start, end, length) ||
      this.#labelBefore(start, end) ||
      end
    )
  }

  /** A quarter of a year. */
  quarter = (start: number): number => this.#dates.quarter(start)

  /** Numbers whose form says what they are. */
  #written(start: number, end: number): number {
    const { text } = this.#scan
    const length = end - start
    const personal = length === 3 || length === 6 || length === 8 ? numberEnd.personal(text, start) : 0
    if (personal > 0 || length !== 2 || text[end] !== "-") return personal
    const specimen = numberEnd.yearSpecimen(text, start)
    return specimen > 0 && dayFirstDate(text, start) === undefined ? specimen : 0
  }

  /** "S/N 300918M", "no 0118", "n° 19-H-04418"; and what begins with a zero as counts do not. */
  #labelBefore(start: number, end: number): number {
    const text = this.#text
    // What stands before has to be a label, so most numbers end here.
    if (end - start < 2 || !":# )°ºr.№N-".includes(text[start - 1] ?? " ") || start === 0) return 0
    const value = numberEnd.labelled(text, start)
    if (value - start === 4 && value === end && lastFour.test(text.slice(Math.max(0, start - 40), start)))
      return this.#shape("id", start, end)
    const isLabelled = value - start > 3 && labelBefore.test(text.slice(Math.max(0, start - 16), start))
    if (isLabelled && (text[start] === "0" || value > end || !/\bN[or]\s$/i.test(text.slice(start - 4, start))))
      return this.#shape("id", start, value)
    const isCounted =
      end - start >= 5 &&
      text[start] === "0" &&
      !/[.,:/-]/.test(text[end] ?? "") &&
      !/[.,:/-]/.test(text[start - 1] ?? "")
    return isCounted ? this.#shape("id", start, end) : 0
  }

  #id(start: number, end: number): number {
    const { ids, maker } = this.#scan.known
    this.#scan.add("id", start, end, ids.surrogate(this.#text.slice(start, end), maker))
    return end
  }

  #shape(kind: "phone" | "id" | "ip" | "address", start: number, end: number): number {
    this.#scan.add(kind, start, end, this.#scan.known.maker.shape(kind, this.#text.slice(start, end)))
    return end
  }

  #postcode(start: number, end: number): number {
    return this.#scan.known.maker.given.towns === true ? end : this.#shape("address", start, end)
  }

  #phoneOrId(start: number, end: number, before: string | undefined): number {
    const text = this.#text
    const next = text[end]
    const length = end - start
    const after = text.charCodeAt(end + 1)
    const isFigureAfter = isFigure(after)
    if (next === "/" && numberEnd.national(text, start) > 0)
      return this.#shape("phone", start, numberEnd.national(text, start))
    if (next === "." || before === "(" || before === "+" || next === "-" || next === " " || next === ")") {
      const from = before === "(" || before === "+" ? start - 1 : start
      const isDotted = next === "." && isFigureAfter
      const uid = isDotted ? numberEnd.uid(text, start) : 0
      if (uid > 0) return this.#uid(start, uid)
      const ip =
        isDotted && length <= 3 && !/v(?:ersion|er\.)?\s?$/i.test(text.slice(Math.max(0, start - 9), start))
          ? numberEnd.ip(text, start)
          : 0
      if (ip > 0) return this.#shape("ip", start, ip)
      const isCard = length <= 4 && isFigureAfter && (next === " " || next === "-")
      const card = isCard ? numberEnd.card(text, start) : 0
      if (card > 0 && before !== "+" && before !== "(") return this.#shape("id", start, card)
      const ssn = isCard && length === 3 ? numberEnd.ssn(text, start) : 0
      if (ssn > 0) return this.#shape("id", start, ssn)
      // The bracket may be of the sentence, not of the area code.
      const opened = before === "(" || before === "+" || isFigureAfter || after === 0x28
      const formed = opened ? numberEnd.phone(text, from) : 0
      const bare = before === "(" && formed === 0 ? numberEnd.phone(text, start) : 0
      if (bare > 0) return this.#shape("phone", start, bare)
      const phone =
        formed || (before === "+" ? numberEnd.international(text, from) : 0) || numberEnd.national(text, start)
      if (phone > 0) return this.#shape("phone", from, phone)
    }
    const ipv6 = next === ":" ? numberEnd.ipv6(text, start) : 0
    if (ipv6 > 0) return this.#shape("ip", start, ipv6)
    const long = numberEnd.written(text, start) || numberEnd.digits(text, start)
    return long > 0 && !publishedCode.test(text.slice(Math.max(0, start - 14), start))
      ? this.#shape("id", start, long)
      : 0
  }

  #uid(start: number, end: number): number {
    const uid = this.#text.slice(start, end)
    if (!uid.startsWith("1.2.840.10008.")) this.#scan.add("uid", start, end, this.#scan.known.maker.given.uid(uid))
    return end
  }

  /** A five-figure number after the letters of a state. */
  #postal(start: number, end: number, length: number): number {
    const text = this.#text
    if (length === 4 && text[start - 1] === " " && this.#town(australian, start)) {
      this.#scan.addresses.beforeCode(start - (/ ?[A-Z]{2,3},? $/.exec(text.slice(start - 6, start))?.[0].length ?? 0))
      return this.#postcode(start, end)
    }
    const european = length === 4 || length === 5 ? this.#scan.addresses.codeFirst(start, end) : 0
    if (european > 0) return european
    const bare = length <= 5 ? this.#scan.addresses.bare(start) : 0
    if (bare > 0) return bare
    return length === 5 ? this.#scan.postal(start, end) : length <= 6 ? this.#scan.street(start, end) : 0
  }

  /** A word for a month. */
  month = (word: Word): number => this.#dates.month(word)

  weekday = (word: Word): void => this.#dates.weekday(word)

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
      this.#dates.birthAt(wordAt(text, at)?.start ?? at)
    } else this.#age = at
  }

  #ageAt(start: number, end: number, length: number): number {
    if (length < 2 || length > 3) return 0
    const text = this.#text
    const years = Number(text.slice(start, end))
    if (years <= greatestAge || years > 130) return 0
    const bearsUnit = isAgeUnit(text, end) || (years < 110 && isSexAfterAge(text, end) && this.#isPerson(end))
    if (!bearsUnit && this.#age !== start && !this.#isTold(start, end)) return 0
    const more = text[end] === "+" ? 1 : 0
    this.#scan.add("age", start, end + more, capped)
    return end + more
  }

  /** The town before a postal code. */
  #town(pattern: RegExp, start: number): boolean {
    const from = Math.max(0, start - 60)
    const found = pattern.exec(this.#text.slice(from, start))
    if (found === null) return false
    if (this.#scan.known.maker.given.towns === true) return true
    const at = from + found.index
    this.#scan.add("address", at, at + found[1]!.length, this.#scan.known.maker.place(fold(found[1]!)))
    return true
  }

  /** "She is 92.", "died at 97": by what stands on both sides. */
  #isTold(start: number, end: number): boolean {
    const text = this.#text
    return (
      (/(?:\b(?:s?he|patient|pt|who) (?:is|was)|\b(?:just |recently )?(?:turned|turning|turns)|\b(?:lived|living) (?:to|until|till)(?: be)?|\b(?:died|alive|deceased|away|death|well|living) at) $/i.test(
        text.slice(Math.max(0, start - 20), start),
      ) &&
        /^(?:[.,;)](?!\d)|\s*$|\s(?:and|with|from|in|this|last|on|of)\b)/.test(text.slice(end, end + 8))) ||
      this.#isAfterName(start, end)
    )
  }

  /** "Ernest Thistlewood, 93, retired": between commas after a name. */
  #isAfterName(start: number, end: number): boolean {
    if (!/^[,.;]/.test(this.#text.slice(end, end + 1)) || this.#text.slice(start - 2, start) !== ", ") return false
    const last = this.#scan.drafts.at(-1)
    return last?.kind === "name" && last.end === start - 2
  }

  /** 92F, 92 M: beside what else says that it is a person. */
  #isPerson(end: number): boolean {
    const rest = this.#text.slice(end, end + 30)
    // 91M stands for nothing else, 94F for no fever.
    if (/^(?:M|F)(?:[,.;:)\s]|$)/.test(rest) && (rest[0] === "M" || Number(this.#text.slice(end - 2, end)) < 95))
      return true
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
    const length = wordEnd - start
    const next = text.charCodeAt(wordEnd)
    const isFigureNext = isFigure(next)
    const isUpper = isUpperUnit(text.charCodeAt(start))
    const extension = length === 1 && isFigureNext && text[start - 1] !== "." ? numberEnd.extension(text, start) : 0
    if (extension > 0) return this.#shape("phone", start + 1, extension)
    if (text[start - 1] === "#") {
      const value = numberEnd.labelled(text, start)
      if (value - start > 3) return this.#shape("id", start, value)
    }
    const postcode = isFigureNext && isUpper && length <= 2 ? numberEnd.postcode(text, start) : 0
    if (postcode > 0) {
      this.#town(townBefore, start)
      this.#scan.addresses.beforeCode(start)
      return this.#postcode(start, postcode)
    }
    const published =
      (isFigureNext || next === 0x5f) && (length > 1 || next === 0x5f) ? numberEnd.published(text, start) : 0
    if (published > 0) return published
    const written =
      numberEnd.written(text, start) || (isUpper && isFigureNear(text, wordEnd) ? numberEnd.specimen(text, start) : 0)
    if (written > 0 && !dayNamed(text, start, wordEnd)) return this.#shape("id", start, written)
    const end = numberEnd.mixed(text, start)
    return end > wordEnd && !dayNamed(text, start, wordEnd) ? this.#shape("id", start, end) : 0
  }

  /** What stands after a label of identifiers. */
  labelledId(word: Word, sure: boolean): number {
    if (sure && word.folded.length <= 4 && !shortLabels.has(word.folded)) return this.#value(word, true)
    // ID before many figures is a label, and before few an inner diameter.
    const isLabel =
      word.text === "ID" &&
      /^ (?:\d{4,}(?!\d|\.\d)|\d{2} \d{3} \d{3} \d{3}(?!\d))/.test(this.#text.slice(word.end, word.end + 20))
    if (vehicle.has(word.folded)) {
      const plate = this.#plate(word)
      if (plate > 0) return plate
    }
    const isOpen = openLabels.has(word.folded) || sure
    const more = isOpen ? (between.exec(this.#text.slice(word.end, word.end + 24))?.[0].length ?? 0) : 0
    const isNumbered =
      openLabels.has(word.folded) && openValue.test(this.#text.slice(word.end + more, word.end + more + 28))
    if (more > 0 && isNumbered) return this.#value({ ...word, end: word.end + more }, false)
    if (userLabels.has(word.folded)) return this.#userName(word)
    return this.#value(word, !sure && !isLabel && !isNumbered)
  }

  /** "Plate DKT 4471", "Vehicle reg BD51 SMR". */
  #plate(word: Word): number {
    const text = this.#text
    const from =
      word.end +
      (/^(?:[ ](?:registration|reg|plate|tag|no|number|[A-Z]{2} plate)\.?)*[ ]?[:#]?[ ]?/.exec(
        text.slice(word.end, word.end + 30),
      )?.[0].length ?? 0)
    const end = from === word.end ? 0 : numberEnd.plate(text, from)
    return end > 0 ? this.#shape("id", from, end) : 0
  }

  /** "user kpatel2": a name to log in with. */
  #userName(word: Word): number {
    const found = /^(?:name|[ ]?id)?[ ]?[:=]?[ ]((?=[\w.]*[\d_])[A-Za-z][\w.]{3,})/.exec(
      this.#text.slice(word.end, word.end + 40),
    )
    return found === null
      ? 0
      : this.#shape("id", word.end + found[0].length - found[1]!.length, word.end + found[0].length)
  }

  #value(word: Word, strict: boolean): number {
    const text = this.#text
    const from = (strict ? numberEnd.strict : numberEnd.between)(text, word.end) || (strict ? 0 : skip(text, word.end))
    if (from === 0) return 0
    const device = text[from - 1] === "(" ? numberEnd.udi(text, from - 1) : 0
    if (device > 0) return this.#id(from - 1, device)
    const eircode = word.folded === "eircode" ? numberEnd.eircode(text, from) : 0
    if (eircode > 0) return this.#shape("address", from, eircode)
    const grouped = strict ? 0 : numberEnd.grouped(text, from)
    const end = this.#scan.known.ids.endAt(text, from) || Math.max(grouped, numberEnd.labelled(text, from))
    if (end === 0 || (strict && end - from < 3)) return 0
    const value = text.slice(from, end)
    // NPI 4.36 is an index.
    if (!strict && value.length < 6 && /^\d{1,2}(?:\.\d{1,2})?$/.test(value)) return 0
    const isDate = numericDate(text, from, this.#scan.known.order) !== undefined
    if (isDate && !/^\d{8}$|^\d{6,8}[-+]\d{4}$/.test(value)) return 0
    return this.#id(from, end)
  }

  labelledPhone(word: Word): number {
    const text = this.#text
    const sure = !unsurePhones.has(word.folded)
    if (word.text === "pH" && /^\s?[:=]?\s?[67][.,]\d/.test(text.slice(word.end, word.end + 6))) return 0
    const from = skip(text, word.end, sure ? ".:#()+-*" : ":")
    const begins = text[from - 1] === "(" || text[from - 1] === "+" ? from - 1 : from
    const end = numberEnd.labelledPhone(text, begins)
    const digits = figuresIn(text, begins, end)
    const isShort = shortPhones.has(word.folded)
    if (digits < (isShort ? 3 : sure ? 4 : 7) || digits > 16) return 0
    if (numericDate(text, from, this.#scan.known.order) !== undefined) return 0
    return this.#shape("phone", begins, end)
  }

  /** An e-mail address, from its at sign. */
  mail(at: number): number {
    const text = this.#text
    const name = mailNameBefore(text, at)
    mailHost.lastIndex = at
    if (name === "") return this.#handle(at)
    if (!mailHost.test(text)) return 0
    const end = mailHost.lastIndex
    const { maker } = this.#scan.known
    const whole = text.slice(at - name.length, end).toLowerCase()
    this.#scan.add("email", at - name.length, end, `${maker.key("email", whole).slice(0, 8)}@example.org`)
    return end
  }

  /** "@skye.grey": a name in a network of people. */
  #handle(at: number): number {
    handle.lastIndex = at
    return handle.test(this.#text) ? this.#shape("id", at + 1, handle.lastIndex) : 0
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
    const key = this.#scan.known.maker.key("url", text.slice(start, end).toLowerCase()).slice(0, 8)
    this.#scan.add("url", start, end, `https://example.org/${key}`)
    return end
  }
}

const isUpperUnit = (code: number): boolean => code >= 65 && code <= 90

/** Whether a figure stands here, or behind one character: S19-1, EM-09, AB/123. */
const isFigureNear = (text: string, at: number): boolean =>
  isFigure(text.charCodeAt(at)) || isFigure(text.charCodeAt(at + 1))

/** Whether a number, perhaps with a letter, and a blank stand before two letters here: 22 Banksia. */
function isCapitalAfterNumber(text: string, start: number): boolean {
  let at = start
  while (isFigure(text.charCodeAt(at))) at++
  if (at === start) return false
  return text[at] === " " || text[at + 1] === " "
}

/** The name before an at sign; from the end, for a pattern would begin at each of its letters. */
function mailNameBefore(text: string, end: number): string {
  const least = Math.max(0, end - longestMailName)
  let start = end
  while (start > least && isOfMailName(text.charCodeAt(start - 1))) start--
  return text.slice(start, end)
}

const isOfMailName = (code: number): boolean =>
  isFigure(code) || isUpperUnit(code) || (code >= 97 && code <= 122) || "_.+%-".includes(String.fromCharCode(code))

function figuresIn(text: string, start: number, end: number): number {
  let figures = 0
  for (let at = start; at < end; at++) if (isFigure(text.charCodeAt(at))) figures++
  return figures
}

function dayNamed(text: string, start: number, wordEnd: number): boolean {
  return (text[wordEnd] === "-" || text[wordEnd] === "/") && monthFirstDate(text, start) !== undefined
}
