import { isRegisteredUid, lookup } from "./dictionary.ts"
import type { DataSet, Element } from "./element.ts"
import type { Parsed } from "./parse.ts"
import { isPrivate } from "./tag.ts"
import { isUidText } from "./value-kinds.ts"
import { Values } from "./values.ts"
import { DA, PN, UI } from "./vr.ts"

/** Attributes of the patient that name one: names, ids, birth date, address, phone, record locator; and numbers of visits, orders,
 * studies and accessions. */
const naming: ReadonlySet<number> = new Set([
  0x00080050, 0x00100010, 0x00100020, 0x00100030, 0x00101000, 0x00101001, 0x00101005, 0x00101040, 0x00101050,
  0x00101060, 0x00101090, 0x00102154, 0x00102155, 0x00102297, 0x00200010, 0x00380010, 0x00401001, 0x00400009,
  0x00402016, 0x00402017,
])
/** Those that are always searched for; of others a number of few digits is found by chance. */
const always: ReadonlySet<number> = new Set([0x00080050, 0x00100010, 0x00100020])
/** Dates that dummies and clocks have, and persons do not (docs/decisions/0011). */
const standsForNone = /^(?:0|1[0-8]|1900|1970[.]?01[.]?01|2[1-9]|[3-9])/
const mostText = 4096

/** What identifies the person in an original, for the search of the result. */
export interface KnownIdentifiers {
  /** Names, ids, dates and numbers, decoded. */
  readonly texts: readonly string[]
  readonly uids: readonly string[]
  /** All names but the patient's own. */
  readonly names: readonly string[]
  /** Words of names as they were written, in another character set than ISO 646. */
  readonly raw: readonly Uint8Array[]
}

const PATIENT_NAME = 0x00100010
const BIRTH_DATE = 0x00100030
const months =
  "JAN JANUARY FEB FEBRUARY MAR MARCH APR APRIL MAY JUN JUNE JUL JULY AUG AUGUST SEP SEPTEMBER OCT OCTOBER NOV NOVEMBER DEC DECEMBER"

/** The ways in which people write a day; none of what is no day, or stands for none. */
function formsOf(date: string): readonly string[] {
  const found = /^(\d{4})[.]?(\d\d)[.]?(\d\d)$/.exec(date.trim())
  if (found === null || standsForNone.test(date)) return []
  const [, year, month, day] = found as unknown as readonly [string, string, string, string]
  const [m, d] = [String(Number(month)), String(Number(day))]
  const named = months.split(" ").filter((name) => name.startsWith(months.split(" ")[2 * Number(m) - 2] ?? "?"))
  return [
    `${year}-${month}-${day}`,
    ...[...new Set([`${month} ${day}`, `${day} ${month}`, `${m} ${d}`, `${d} ${m}`])].map((one) => `${one} ${year}`),
    ...[...new Set([day, d])].flatMap((one) =>
      named.flatMap((name) => [`${one} ${name} ${year}`, `${name} ${one} ${year}`]),
    ),
    `${year} ${month} ${day}`,
  ]
}

/** The values of an item, once they are asked for. */
function within(around: () => Values, item: DataSet): () => Values {
  let made: Values | undefined
  return () => (made ??= new Values(around().source, item, around().charset))
}

class Collector {
  readonly texts = new Set<string>()
  readonly uids = new Set<string>()
  /** UIDs that an option keeps, or that name no instance. */
  readonly staying = new Set<string>()
  readonly names: string[] = []
  readonly raw = new Map<string, Uint8Array>()
  private readonly retainUids: boolean
  private readonly mayStay: (tag: number) => boolean

  constructor(retainUids: boolean, mayStay: (tag: number) => boolean) {
    this.retainUids = retainUids
    this.mayStay = mayStay
  }

  /** @param values made only where they are asked for: most items hold no identifier */
  dataSet(dataSet: DataSet, values: () => Values): void {
    for (const element of dataSet.elements) {
      if (element.items !== undefined) {
        for (const item of element.items) this.dataSet(item, within(values, item))
      } else if (element.fragments === undefined && element.valueEnd > element.valueStart) this.value(element, values)
    }
  }

  private value(element: Element, values: () => Values): void {
    const { tag, vr } = element
    if (element.valueEnd - element.valueStart > mostText) return
    if (vr === PN && tag !== PATIENT_NAME) this.names.push(...values().texts(element, PN))
    if (naming.has(tag)) this.naming(element, values())
    else if (vr === UI && !this.retainUids && !isPrivate(tag)) this.uid(element, values())
  }

  private naming(element: Element, values: Values): void {
    const vr = lookup(element.tag)?.vr ?? element.vr
    for (const text of values.texts(element, vr)) {
      const told = text.replaceAll(/[\s\0]+/g, " ").trim()
      if (vr === DA && standsForNone.test(told)) continue
      if (told !== "" && (always.has(element.tag) || isTelling(told))) this.texts.add(told)
    }
    if (element.tag === BIRTH_DATE) for (const form of formsOf(values.text(element, DA))) this.texts.add(form)
    if (vr !== PN) return
    const bytes = Buffer.from(values.bytes(element)).toString("latin1")
    for (const word of bytes.split(/[\\^=\s\0]+/))
      // eslint-disable-next-line no-control-regex
      if (/[\x80-\xff\x1b]/.test(word) && word.length > 3) this.raw.set(word, Buffer.from(word, "latin1"))
  }

  private uid(element: Element, values: Values): void {
    const text = values.text(element, UI)
    if (!isUidText(text)) return
    const into = this.mayStay(element.tag) ? this.staying : this.uids
    for (const uid of text.split("\\")) if (uid.trim() !== "" && !isRegisteredUid(uid.trim())) into.add(uid.trim())
  }
}

const isTelling = (text: string): boolean =>
  /\p{L}/u.test(text) ? text.length > 3 : text.replaceAll(/\D/g, "").length > 5

/** Every identifier of the person in an original, at any depth, and every UID that its result may not have.
 * @param mayStay UID attributes whose values may stay */
export function identifiersIn(
  { source, dataSet }: Parsed,
  retainUids: boolean,
  mayStay: (tag: number) => boolean,
): KnownIdentifiers {
  const collector = new Collector(retainUids, mayStay)
  const values = new Values(source, dataSet)
  collector.dataSet(dataSet, () => values)
  const { texts, names, raw } = collector
  const uids = [...collector.uids].filter((uid) => !collector.staying.has(uid))
  return { texts: [...texts], uids, names, raw: [...raw.values()] }
}
