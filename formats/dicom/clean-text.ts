import { isClinicalWord } from "./vocabulary.ts"

/** Whose text is cleaned, as far as the object and its caller know. */
export interface TextPerson {
  /** Names (also as components, `DOE^JANE`), ids, accession numbers, birth dates, and the names of others in the object. */
  readonly identifiers: readonly string[]
  /** Those of `identifiers` that are somebody else's or a place's: with a typing error in them they are another word. */
  readonly others?: readonly string[]
}

/** Takes identity out of a text and keeps what is clinical; gives the same text when there is nothing to take out, and an empty one
 * when nothing is left. Has to be pure, and must give no character that the text does not have. */
export type CleanText = (text: string, person: TextPerson) => string

/** Upper case, without accents. */
const normal = (text: string): string => text.normalize("NFKD").replace(/\p{M}/gu, "").toUpperCase()

/** What stands for something that was taken out, until the text is put together again. */
const gap = "\0"

const month = "(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|SEPT|OCT|NOV|DEC|MRZ|MAI|OKT|DEZ)[A-ZÄ]*"
const name = String.raw`[\p{L}'’.-]+`
const cased = (words: string): string =>
  words
    .split(" ")
    .flatMap((word) => [word, word.toLowerCase(), word[0]! + word.slice(1).toLowerCase()])
    .join("|")
/** MR, MS and SR are modalities and units unless written as titles are. */
const titles = `${cased("DR PROF MRS MISS SIR HERR FRAU MME SRA TECH PHYSICIAN RADIOLOGIST DOCTOR OPERATOR ATTENDING NURSE")}|Mr|Ms|Sr|MR(?=\\.)|MS(?=\\.)|SR(?=\\.)`
/** Shapes that identify wherever they stand. What has a title before it, or a degree after it, is a name. */
const shapes: readonly RegExp[] = [
  // UIDs, before their parts are taken for something else
  /(?<![\d.])\d+(?:\.\d+){4,}/gu,
  /\S+@\S+/gu,
  /\b(?:HTTPS?|FTP|WWW|URN)[:.]\S+/giu,
  new RegExp(
    String.raw`\b(?:${titles})\b[.:\s]\s*(?:med\.?\s+)?${name}(?:\s+\p{Lu}(?:\.|\p{Ll}[\p{L}'’-]*)){0,2}`,
    "gu",
  ),
  new RegExp(String.raw`${name}(?:\s+${name})?,?\s+(?:M\.?D\.?|PH\.?D\.?|R\.?N\.?|R\.?T\.?\(R\))(?![\p{L}])`, "gu"),
  new RegExp(String.raw`\b\d{1,2}(?:ST|ND|RD|TH|\.)?[\s-]*${month}[\s,.-]*(?:\d{2,4})?`, "giu"),
  new RegExp(String.raw`\b${month}[\s,.-]+\d{1,4}(?:ST|ND|RD|TH)?(?:[\s,.-]+\d{4}|[\s,]*['’]\d\d)?`, "giu"),
  /\d{4}-\d\d-\d\dT[\d:.]+/gu,
  // initials and a surname, also one that is a colour or a size as well
  /(?<!\p{L})(?:\p{Lu}\.\s*)+\p{Lu}\p{Ll}+/gu,
  /\b(?:Brown|White|Gr[ae]y|Green|Black|Young|Long|Short|Stone|Ray|BROWN|WHITE|GR[AE]Y|GREEN|BLACK|YOUNG|LONG|STONE),?\s+\p{Lu}\.(?!\p{L})/gu,
  // dates, phone numbers and ids of several parts
  /\d{1,4}([-/.])\d{1,2}\1\d{1,4}(?!\d)/gu,
  /(?<![\p{L}\d])\+?\(?\d[\d\s()/.-]{5,}\d/gu,
  /\b\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?:\s*[AP]M)?/giu,
  /\b\d{1,2}\/\d{1,4}\b(?!\s*(?:MM|CM))/giu,
  /\d{1,3}(?:\.\d+){2,}/gu,
]

/** What separates the parts of a chain of numbers that is no id: matrices and the like. */
const measures =
  /^\d{1,3}(?:[.,]\d{1,3})?$|^\d{1,4}(?:[.,]\d{1,3})?(?:MM|CM|ML|MG|KV|KVP|MA|MAS|MS|S|SEC|MIN|HZ|MHZ|T|X|DEG|GY|CGY|MBQ|MCI)$/
const scannerTerm =
  /^(?:\d{1,4}X\d{1,4}(?:X\d{1,4})?|[234]D|\d{1,2}(?:ST|ND|RD|TH)|[CTLS]\d{1,2}|T[12][WC]?|T2STAR|TE\d{1,3}|TR\d{1,4}|TI\d{1,4}|B\d{1,4}|[BHUTDIJQ]R?\d{2}[SFHD]?|FS\d|P\d|MRI?\d|V\d|SE\d{1,3}|EP2D|FL[23]D|MAG3|[1-9]V(?:WS?)?|PH\d{1,2}|MM[23]|CM[23]|COVID19|18F|11C|13N|15O|68GA|82RB|99M?TC|99TCM|12[35]I|131I|111IN|201TL|64CU|89ZR|177LU)$/
const letters = new Set("ACILOPRSTWX")

/** One change of a letter, or two neighbours changed: what a typing error does to a name. */
function isNear(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  const [left, right] = [a.slice(at), b.slice(at)]
  if (left.slice(1) === right.slice(1) || left === right.slice(1) || left.slice(1) === right) return true
  return left[0] === right[1] && left[1] === right[0] && left.slice(2) === right.slice(2)
}

interface Known {
  readonly words: ReadonlySet<string>
  /** Words that are long enough to be recognised with an error in them. */
  readonly long: readonly string[]
  /** Those of the long ones that are the person's own. */
  readonly own: readonly string[]
}

const remembered = new WeakMap<TextPerson, Known>()

/** The words of an identifier, and all of them run together. */
function wordsOf(identifier: string): readonly string[] {
  const parts = normal(identifier).match(/[\p{L}\p{N}]+/gu) ?? []
  return [...parts.filter((part) => part.length > 1), ...(parts.length > 1 ? [parts.join("")] : [])]
}

function knownOf(person: TextPerson): Known {
  const known = remembered.get(person)
  if (known !== undefined) return known
  const words = new Set<string>()
  for (const identifier of person.identifiers) for (const word of wordsOf(identifier)) words.add(word)
  const others = new Set(person.others?.flatMap(wordsOf))
  for (const identifier of person.identifiers.filter((one) => person.others?.includes(one) !== true))
    for (const word of wordsOf(identifier)) others.delete(word)
  const long = [...words].filter((word) => word.length > 4)
  const made = { words, long, own: long.filter((word) => !others.has(word)) }
  remembered.set(person, made)
  return made
}

/** A person's word, one with an error in it, or one that has a person's longer word inside. */
function isOwn(word: string, { words, long, own }: Known, isKnown = false): boolean {
  if (words.has(word)) return true
  if (word.length < 4) return false
  return (isKnown ? own : long).some((one) => isNear(one, word) || word.includes(one))
}

/** Whether a text has a word of a person in it, also with a typing error; what a name of less than four letters may mean by chance
 * counts as one. */
export function mentions(text: string, person: TextPerson): boolean {
  const known = knownOf(person)
  return (normal(text).match(/[\p{L}\p{N}]+/gu) ?? []).some((word) => isOwn(word, known))
}

/** What names begin with: a word in two cases is a surname then. */
const surname = /^(?:Mc|Mac|De|Del|Di|Da|La|Le|Du|Van|Von|St|Fitz|O|D|Ap|El|Al|Ben)(?=\p{Lu})/u

/** Whether several words that a scanner runs together are known each: `ThxRoutine`, `longTR`. */
function isRunTogether(token: string, known: Known): boolean {
  if (surname.test(token) || !/\p{Ll}\p{Lu}|\p{Lu}{2}\p{Ll}/u.test(token)) return false
  const parts = token.match(/\p{Lu}?\p{Ll}+|\p{Lu}+(?!\p{Ll})|\d+/gu) ?? []
  return parts.join("") === token && parts.every((part) => part.length > 1 && isHarmless(normal(part), known))
}

const isHarmless = (word: string, known: Known): boolean => {
  if (isOwn(word, known, isClinicalWord(word))) return false
  if (isClinicalWord(word) || measures.test(word) || scannerTerm.test(word)) return true
  // a first or second of its kind: PLAN1, LUNG2
  const [, kind] = /^([A-Z]{3,})\d{1,2}$/.exec(word) ?? []
  return kind !== undefined && isClinicalWord(kind) && !isOwn(kind, known, true)
}

function stays(token: string, known: Known): boolean {
  const word = normal(token)
  if (isOwn(word, known, isClinicalWord(word))) return false
  // eslint-disable-next-line no-control-regex
  if (/[^\x00-\x7f\u00b0\u00b1\u00b2\u00b3\u00b5]/.test(token)) return false
  if (/^[\u00b0\u00b1]$/.test(token)) return true
  if (word.length === 1) return letters.has(word) || /\d/.test(word)
  return isHarmless(word, known) || isRunTogether(token, known)
}

/** Several gaps and what separates them become one, and none at the ends. */
function closed(text: string): string {
  return text
    .replace(/\0(?:[\s\0,.;:_^/()'"#-]*\0)?/gu, gap)
    .replace(/\s+\0(?=[,.;:])/gu, "")
    .replace(/([\s_^,-])\0(?=[\s_^,-]|$)/gu, "$1")
    .replaceAll(gap, "")
    .replace(/([\s_^])[\s_^]*\1/gu, "$1")
    .replace(/\(\s*\)/gu, "")
    .replace(/^[\s,.;:_^/#-]+|[\s,;:_^/#-]+$/gu, "")
}

/** A {@link CleanText} that keeps only what is known to be harmless: clinical words, small numbers and measures, terms of scanners.
 * The person's own identifiers (also with a typing error, or run together), dates and times, numbers of five digits and more, titles
 * with the names after them, addresses of mail and the web, and every word that is not known go. */
export const cleanDescriptor: CleanText = (text, person) => {
  const known = knownOf(person)
  let shaped = text
  for (const shape of shapes) shaped = shaped.replace(shape, gap)
  // eslint-disable-next-line no-control-regex
  const kept = shaped.replace(/\d+[.,]\d+\p{L}*|[\p{L}\p{M}\p{N}]+|[^\x00-\x7f]/gu, (token) =>
    stays(token, known) ? token : gap,
  )
  return kept === text ? text : closed(kept)
}
