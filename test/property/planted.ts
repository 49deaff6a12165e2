import * as fc from "fast-check"
import { buildPart10, parseWhole } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"

/** A made-up patient, and how the name is written in a character set of its own. */
export interface Patient {
  readonly charset: string
  readonly name: string
  /** Words of the name as they may stand in a text of the same character set. */
  readonly words: readonly string[]
}

/** None of the words is one of any vocabulary. */
export const patients: readonly Patient[] = [
  { charset: "ISO_IR 100", name: "Jørgensbråten^Bjørgulf", words: ["Jørgensbråten", "Bjørgulf"] },
  { charset: "ISO_IR 192", name: "Žižkovský^Vojtěch=山田^太郎=やまだ^たろう", words: ["Žižkovský", "山田", "やまだ"] },
  { charset: "GB18030", name: "Wangxiaodong^Xy=王^小东", words: ["Wangxiaodong", "小东"] },
  { charset: "ISO_IR 144", name: "Люксембург^Ярослав", words: ["Люксембург", "Ярослав"] },
  { charset: "ISO_IR 126", name: "Διονυσίου^Αλκιβιάδης", words: ["Διονυσίου", "Αλκιβιάδης"] },
  { charset: "ISO_IR 127", name: "قباني^لنزار", words: ["قباني", "لنزار"] },
  { charset: "\\ISO 2022 IR 87", name: "Yamadazawa^Tarouemon=山田^太郎", words: ["Yamadazawa", "山田"] },
  { charset: "\\ISO 2022 IR 149", name: "Honggildong^Xy=洪^吉洞=홍^길동", words: ["Honggildong", "길동"] },
  { charset: "", name: "Quetzalcoatl^Xochitl^^Dr.^Jr.", words: ["Quetzalcoatl", "XOCHITL", "xochitlquetzalcoatl"] },
]

/** What else identifies, each as people write it; `secret` is what may be nowhere. */
const others: readonly (readonly [text: string, ...secrets: string[]])[] = [
  ["MRN 88423171", "88423171"],
  ["ID:ZQ-88423171", "88423171"],
  ["call (415) 555-0134", "555-0134"],
  ["tel. +49 30 5550134", "5550134"],
  ["DOB 03/17/1957", "03/17/1957"],
  ["born 17.03.1957", "17.03.1957"],
  ["17-MAR-1957", "MAR-1957"],
  ["on March 17, 1957", "March 17"],
  ["17 March 1957", "March 1957"],
  ["1957-03-17T10:15:22", "1957-03-17"],
  ["19570317", "19570317"],
  ["at 4711 Elmcroftville Ave", "Elmcroftville"],
  ["Brannighanstown Clinic", "Brannighanstown"],
  ["per Dr. Okonkwonwe", "Okonkwonwe"],
  ["OKONKWONWE^CHIDIEBERE", "OKONKWONWE", "CHIDIEBERE"],
  ["x.okonkwonwe@hosp.example", "okonkwonwe"],
  ["http://pacs.example/?q=88423171", "88423171"],
  ["\\\\pacs\\okonkwonwe\\1.dcm".replaceAll("\\", "/"), "okonkwonwe"],
  ["SSN 123-45-6789", "123-45-6789"],
  ["1.2.826.0.1.3680043.88423171.19570317", "88423171.19570317"],
]

/** A text in which something identifies, with clinical words around it. */
export interface Told {
  readonly text: string
  readonly secrets: readonly string[]
}

export const clinical = ["chest", "axial", "liver", "follow-up", "T2", "lesion", "contrast"] as const

const tellOf = ({ words }: Patient): fc.Arbitrary<Told> =>
  fc
    .tuple(
      fc.constantFrom(...clinical),
      fc.oneof(
        fc.constantFrom(...words).map((word) => [`for ${word}`, word] as const),
        fc.constantFrom(...others),
      ),
      fc.boolean(),
    )
    .map(([word, [text, ...secrets], first]) => ({ text: first ? `${word} ${text}` : `${text} ${word}`, secrets }))

/** Attributes that Table E.1-1 cleans or takes, by VR: descriptions, comments, persons, places, numbers, devices. */
const texts = {
  LO: [
    "00081030",
    "0008103E",
    "00081040",
    "00081080",
    "00180010",
    "00181030",
    "00400254",
    "00321060",
    "00324000",
    "00102180",
    "00380300",
    "00400007",
  ],
  LT: ["00204000", "001021B0", "00104000", "00400280", "40084000"],
  ST: ["00081081", "00082111", "00080081"],
  SH: ["00081010", "00102160"],
  PN: ["00080090", "00081048", "00081050", "00081060", "00081070", "00101005", "00101060", "00321032", "00401010"],
} as const

/** A name is no description: of a word in it that is clinical as well, the whole object would speak. */
const unclinical = (text: string): string =>
  clinical.reduce<string>((left, word) => left.replace(word, ""), text).trim()

const fitting: Readonly<Record<string, number>> = { SH: 16, LO: 64, PN: 64 }

function textElement(patient: Patient): fc.Arbitrary<readonly [DataElement, Told]> {
  const places = Object.entries(texts).flatMap(([vr, tags]) => tags.map((tag) => [vr, tag] as const))
  return fc.tuple(fc.constantFrom(...places), tellOf(patient)).map(([[vr, tag], told]) => {
    const most = fitting[vr] ?? 1024
    const whole = vr === "PN" ? unclinical(told.text) : told.text
    const text = whole.slice(0, most)
    return [
      { tag, vr, value: text },
      { text, secrets: told.secrets.filter((secret) => text.includes(secret)) },
    ]
  })
}

/** Private blocks of all kinds, one with a table of safe elements and one that nobody knows; sequences in UN are implicit inside. */
function privateElements(patient: Patient): fc.Arbitrary<readonly (readonly [DataElement, Told])[]> {
  return fc
    .tuple(tellOf(patient), fc.constantFrom("GEMS_PARM_01", "ACME 1.1", ""), fc.nat(3))
    .map(([told, creator, kind]) => {
      const none = { text: "", secrets: [] }
      const ascii = /^[\x20-\x7e]*$/.test(told.text) ? told : { text: "chest 19570317", secrets: ["19570317"] }
      const inner: DataElement = { tag: "00100010", vr: "PN", value: unclinical(told.text).slice(0, 64) }
      const made: readonly DataElement[] = [
        { tag: "00431027", vr: "SH", value: ascii.text.slice(0, 16) },
        { tag: "0043108B", vr: "OB", value: Buffer.from(`${ascii.text}!`) },
        { tag: "00431034", vr: "SQ", items: [[inner]] },
        { tag: "00431034", vr: "UN", value: implicitItem(ascii.text) },
      ]
      const reserve: readonly (readonly [DataElement, Told])[] =
        creator === "" ? [] : [[{ tag: "00430010", vr: "LO", value: creator }, none]]
      return [...reserve, [made[kind]!, kind === 2 ? told : ascii]]
    })
}

function implicitItem(text: string): Buffer {
  const value = Buffer.from(text.length % 2 === 0 ? text : `${text} `)
  const head = Buffer.alloc(16)
  head.writeUInt32LE(0xe000fffe, 0)
  head.writeUInt32LE(8 + value.length, 4)
  head.writeUInt32LE(0x00100010, 8)
  head.writeUInt32LE(value.length, 12)
  return Buffer.concat([head, value])
}

/** Sequences that stay, and some that go. */
const sequences = ["00081140", "00081250", "00400275", "00082218", "00089215", "00120064", "00321064", "00400555"]

const distinct = (elements: readonly (readonly [DataElement, Told])[]): readonly (readonly [DataElement, Told])[] => [
  ...new Map(elements.map((one) => [one[0].tag, one])).values(),
]

/** Elements in which a patient is told, at any depth. */
export function planted(patient: Patient): fc.Arbitrary<readonly (readonly [DataElement, Told])[]> {
  const flat = fc
    .tuple(fc.array(textElement(patient), { minLength: 1, maxLength: 5 }), fc.option(privateElements(patient)))
    .map(([some, own]) => distinct([...some, ...(own ?? [])]))
  const nested = fc.tuple(fc.constantFrom(...sequences), flat).map(
    ([tag, inside]) =>
      [
        { tag, vr: "SQ", items: [inside.map(([element]) => element)] },
        { text: "", secrets: inside.flatMap(([, { secrets }]) => secrets) },
      ] as readonly [DataElement, Told],
  )
  return fc.tuple(flat, fc.array(nested, { maxLength: 2 })).map(([some, deep]) => distinct([...some, ...deep]))
}

/** A file with elements put into its data set, in place of those of the same tags. */
export function putInto(bytes: Uint8Array, elements: readonly DataElement[]): Buffer | undefined {
  const { dataSet, source, transferSyntax, encoding } = parseWhole(bytes)
  if (encoding.deflated || !dataSet.sorted || source.header !== bytes) return undefined
  const native = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2"].includes(transferSyntax)
  const made = buildPart10(elements, { transferSyntax: native ? transferSyntax : "1.2.840.10008.1.2.1" })
  const given = parseWhole(made)
  const replaced = new Set(given.dataSet.elements.map(({ tag }) => tag))
  const parts = [
    ...dataSet.elements.filter(({ tag }) => !replaced.has(tag)).map((one) => ({ ...one, of: bytes })),
    ...given.dataSet.elements.map((one) => ({ ...one, of: made })),
  ].sort((a, b) => a.tag - b.tag)
  const start = dataSet.elements[0]?.start
  if (start === undefined) return undefined
  return Buffer.concat([bytes.subarray(0, start), ...parts.map(({ of, start: from, end }) => of.subarray(from, end))])
}
