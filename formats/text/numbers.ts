import { isFigure } from "./fold.ts"

/** Numbers that identify, by their form. All patterns are sticky: they are tried where a number or a word begins. */
const phone =
  /(?:\+?\d{1,3}[-. ]?)?\(\d{2,4}\)[-. ]?\d{3,4}[-. ]\d{3,4}(?!\d)(?:\s?(?:x|ext\.?|extension|poste)\s?\d{1,6})?|(?:\+?1[-. ])?\d{3}([-.])\d{3}\1\d{4}(?![\d]|\.\d)(?:\s?(?:x|ext\.?|extension|poste)\s?\d{1,6})?|\(\d{3}\)\d{7}(?!\d)|\(\d{2}\) ?\d{4,5}-\d{4}(?!\d)|\d{3} \d{3}[- ]\d{4}(?!\d)|1[38]00[ -]\d{3}[ -]\d{3}(?!\d)|\d{3}-\d{4}(?![\d-]|\s?(?:m[lgm]|cm|cc|k?cal|ml|hu|units?|bpm|ms)\b)/iy
const international = /\+\d{1,3}(?:[-. /]?\(?\d{1,5}\)?){2,6}(?!\d)/y
/** With the prefix of a long-distance call: 0151-7788, 020 7946 0123, 01 42 34 56 78. */
const national =
  /0\d(?:[ .]\d\d){4}(?![\d]|[ .]\d\d)|0\d{2,4} \d{3,4} \d{3,4}(?!\d)|0\d{2,4}[-/]\d{4,8}(?![\d/-])|0\d{2,4} \d{6,8}(?!\d)|0\d{2,4}\/\d{3,4} \d{3,5}(?!\d)|0\d{10}(?!\d)|0\d-\d{8}(?!\d)/y
const timeSpan = /[01]\d[0-5]\d[-/ ](?:[01]\d|2[0-3])[0-5]\d(?!\d)/y
const ssn = /\d{3}([- ])\d{2}\1\d{4}(?!\d)/y
const ip = /(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d]|\.\d)/y
const ipv6 = /[0-9a-f]{1,4}(?:::?[0-9a-f]{1,4}){4,7}(?![\p{L}\d:])/iuy
const card =
  /[12] \d{2} (?:0[1-9]|1[0-2]|[2-9]\d) \d[\dAB] \d{3} \d{3}(?: \d{2})?(?!\d)|\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?!\d)|\d{4} \d{5} \d(?: \d)?(?![\d/]|\.\d)|\d{3} \d{3} \d{4}(?!\d)/y
/** Postal codes of the United Kingdom and of Canada: the letters that they have no place for are those of units. */
const postcode = /(?:[A-Z]{1,2}\d{1,2}[A-Z]? \d[ABD-HJLNP-UW-Z]{2}|[ABCEGHJ-NPRSTVXY]\d[A-Z] \d[A-Z]\d)(?![\p{L}\d])/uy
const iban = /[A-Z]{2}\d{2}(?: [A-Z\d]{4}){3,7}(?: [A-Z\d]{1,4})?(?![\p{L}\d])/uy
const vin = /(?=[A-HJ-NPR-Z\d]{0,16}\d{3})(?=\d{0,4}[A-HJ-NPR-Z])[A-HJ-NPR-Z\d]{17}(?![\p{L}\d])/uy
const uid = /[0-2](?:\.(?:0|[1-9]\d*)){4,}(?!\d)/y
/** What follows a sure label in groups, to the end of its sentence or line: C 22 883 190, 7KLM 449, 0044 8812 9. */
const grouped = /(?=[A-Z\d ]{0,9}\d)[A-Z\d]{1,12}(?: (?=[A-Z\d]*\d)[A-Z\d]{1,8}){1,5}(?=[ ]?(?:[.,;)\n\r]|$)(?!\.\d))/y
/** Specimens and studies by their form: S19-1234, 19-SP-04418, KB19:2207, EM-0931, EEG19/441. */
const specimen =
  /(?:[A-Z]{1,4}\d{2}-\d{4,8}|[A-Z]{2,4}\d{2}[:/]\d{3,6}|[A-Z]{2,4}-0\d{2,6}(?:-\d{1,4})*|[A-Z]{2,3}-\d{2}-\d{3,7}|[A-Z]{2,4}\/\d{3,4}\/\d{2})(?![\p{L}\d/]|\.\d)/uy
const yearSpecimen = /\d{2}-[A-Z]{1,3}-\d{3,7}(?![\p{L}\d])/uy
/** Numbers of persons by their form, of Sweden and Denmark, Brazil and Canada. */
const personal =
  /(?:(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[-+]\d{4}|\d{6}[-+]\d{4}|\d{3}\.\d{3}\.\d{3}-\d{2})(?![\d-])/y
const ramq = /[A-Z]{4} \d{4} \d{4}(?!\d)/y
const plate =
  /(?=[A-Z\d]{0,4}[ -]?[A-Z]{0,3}\d)(?=\d*[ -]?\d*[A-Z])(?:[A-Z]{2,3}[ ](?=[A-Z\d]{3}))?[A-Z\d]{2,4}[ -]?[A-Z\d]{2,4}(?![\p{L}\d]|\.\d)/uy
const udi = /\(01\)\d{14}(?:\(\d\d\)[A-Z\d]+)*/y
/** An extension right behind its letter: x4471, p9-4417. */
const extension = /[xXpP](?:\d-\d{4}|(?!\d+00(?!\d))\d{4,5})(?![\p{L}\d]|[.,]\d)/uy
const eircode = /[A-Z]\d[\dW] ?(?=[A-Z\d]*[A-Z])(?=[A-Z\d]*\d)[A-Z\d]{4}(?![\p{L}\d])/uy
/** References that name a study, a sequence or a concept and no patient. */
const published = /(?:NCT\d{8}|N[MPRCG]_\d+(?:\.\d+)?|ENS[TGP]\d+(?:\.\d+)?|rs\d{4,}|GS[EM]\d+|ISRCTN\d+|PMC\d+)(?!\d)/y
const labelled =
  /(?=[A-Za-z0-9./_-]*\d)[A-Za-z0-9](?:[A-Za-z0-9]|[-./_](?=[A-Za-z0-9]))*(?:(?:(?: \d{3,4}){2,}| \d{5} \d(?: \d)?)(?![\d/]|\.\d))?/y
const labelledPhone = /[+(]?\d(?:[\d]|[-./() ]{1,3}(?=\d))*(?!\d)(?:\s?(?:x|ext\.?|extension|poste)\s?\d{1,6})?/iy
const digits = /\d{7,}[A-Za-z]{0,2}(?![\p{L}\d])/uy
const between = /(?:[ \t]*(?:#|no\.?|num(?:ber)?|nr\.?|id|code|is|was|n°|º)){0,2}[ \t]*[:#=]?[ \t]*[(#]?/iy
const strict =
  /(?:[ \t]*(?:#|no\.?|num(?:ber)?|nr\.?|id|n°)){0,2}[ \t]*[:#=][ \t]*[(#]?|[ \t-]+(?:#|no\.?|num(?:ber)?|nr\.?)[ \t]+/iy

function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : 0
}

/** Longest identifier of letters and digits that is read. */
const longestCode = 48
const isAlphanumeric = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122)

/** Whether so many letters and figures of ASCII stand here, read from the last to the first: most runs end earlier. */
function isRun(text: string, start: number, length: number): boolean {
  let at = start + length - 1
  while (at >= start && isAlphanumeric(text.charCodeAt(at))) at--
  return at < start
}

/** By hand and not by a pattern: what may end anywhere would be tried at each of its letters. */
function codeEnd(text: string, start: number): number {
  let [at, digits, run, longest, groups] = [start, 0, 0, 0, 1]
  for (const end = Math.min(text.length, start + longestCode); at < end; at++) {
    const code = text.charCodeAt(at)
    if (code >= 48 && code <= 57) {
      digits++
      longest = Math.max(longest, ++run)
    } else if (isAlphanumeric(code)) run = 0
    else if ((code === 0x2d || code === 0x5f) && isAlphanumeric(text.charCodeAt(at + 1))) {
      run = 0
      groups++
    } else break
  }
  // EMP00912: letters and five figures.
  return longest >= 6 ||
    (groups === 1 &&
      longest === 5 &&
      digits === 5 &&
      at - start <= 11 &&
      /^[A-Z]{2,6}\d{5}$/.test(text.slice(start, at))) ||
    (groups > 1 && (longest >= 5 || (groups > 2 && digits >= 6)))
    ? at
    : 0
}

/** The ends of numbers that begin at a place; 0 when there is none. */
export const numberEnd = {
  phone: (text: string, at: number) => endOf(phone, text, at),
  /** With its country; fewer than seven figures are a number with its sign. */
  international: (text: string, at: number) => {
    const end = endOf(international, text, at)
    return text.slice(at, end).replace(/\D/g, "").length < 7 ? 0 : end
  },
  /** What may be two times of day is none. */
  national: (text: string, at: number) =>
    text[at] === "0" && endOf(timeSpan, text, at) === 0 ? endOf(national, text, at) : 0,
  ssn: (text: string, at: number) => endOf(ssn, text, at),
  ip: (text: string, at: number) => endOf(ip, text, at),
  ipv6: (text: string, at: number) => endOf(ipv6, text, at),
  /** Cards and numbers in groups: of credit, of insurances. */
  card: (text: string, at: number) => endOf(card, text, at),
  postcode: (text: string, at: number) => endOf(postcode, text, at),
  /** An account or a vehicle. */
  written: (text: string, at: number) =>
    (isFigure(text.charCodeAt(at + 2)) && text[at + 4] === " " && endOf(iban, text, at)) ||
    (isRun(text, at, 17) && endOf(vin, text, at)) ||
    0,
  uid: (text: string, at: number) => endOf(uid, text, at),
  /** What follows a label of identifiers. */
  labelled: (text: string, at: number) => endOf(labelled, text, at),
  labelledPhone: (text: string, at: number) => endOf(labelledPhone, text, at),
  /** Letters and so many digits that they are no code. */
  mixed: (text: string, at: number) => codeEnd(text, at),
  /** What is published, and names nobody. */
  published: (text: string, at: number) => endOf(published, text, at),
  /** A value in groups after a sure label. */
  grouped: (text: string, at: number) => endOf(grouped, text, at),
  /** A specimen or a study, by its form. */
  specimen: (text: string, at: number) => endOf(specimen, text, at),
  /** The same that begins with its year. */
  yearSpecimen: (text: string, at: number) => endOf(yearSpecimen, text, at),
  /** A person's number, by its form. */
  personal: (text: string, at: number) => endOf(personal, text, at),
  udi: (text: string, at: number) => endOf(udi, text, at),
  extension: (text: string, at: number) => endOf(extension, text, at),
  eircode: (text: string, at: number) => endOf(eircode, text, at),
  ramq: (text: string, at: number) => endOf(ramq, text, at),
  /** A vehicle's plate, after a label. */
  plate: (text: string, at: number) => endOf(plate, text, at),
  /** Digits alone, so many that they are no measure. */
  digits: (text: string, at: number) => (isFigure(text.charCodeAt(at + 6)) ? endOf(digits, text, at) : 0),
  /** From a label to its value: a colon, number sign, "no." or nothing. */
  between: (text: string, at: number) => endOf(between, text, at),
  /** The same for labels that are everyday words: a colon or number sign has to be there. */
  strict: (text: string, at: number) => endOf(strict, text, at),
} as const

const ageUnit =
  /[ -]?(?:years?|yrs?\.?|y\.?[-/ ]?o\.?|y-o|(?:yo|y\/o|y\.o\.)(?=[MFmf](?!\p{L}))|yo|y\/o|year-old|a[ñn]os|ans|jahren?|jahre|j[äa]hrige[rsnm]?|j\.|anni|anos|jaar|lat)(?![\p{L}])/iuy
const sexAfterAge = /[ ]?(?:[MFmf])(?![\p{L}\d])/uy

/** Whether a number of years follows here. */
export const isAgeUnit = (text: string, at: number): boolean => endOf(ageUnit, text, at) > 0

/** Whether 92F or 92 M is an age: a letter for the sex after it. */
export const isSexAfterAge = (text: string, at: number): boolean => endOf(sexAfterAge, text, at) > 0
