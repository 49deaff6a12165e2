import * as fc from "fast-check"
import { nameOf } from "../../formats/text/index.ts"
import type { Surrogates, TextPerson } from "../../formats/text/index.ts"
import { pseudonymizer } from "../../core/index.ts"

/** Something identifying in a report. */
export interface Planted {
  /** What must not be in the output, as tokens. */
  readonly tokens: readonly string[]
}

/** A made-up report with what was planted in it. */
export interface Report {
  readonly person: TextPerson
  readonly text: string
  readonly planted: readonly string[]
  /** ISO days of the dates with a year, in the order of the text. */
  readonly days: readonly string[]
}

/** The surrogates of a person under a project key. */
export function surrogatesOf(key: Uint8Array, person: string): Surrogates {
  const p = pseudonymizer(key)
  return {
    key: (kind, value) => p.identifier(`text-${kind}`, `${p.person(person)} ${value}`),
    shiftDays: p.shiftDays(person),
    uid: p.uid,
  }
}

// Rare names, so that a token met in the output can only be the planted one.
const families =
  "Quillfeather Zabransky Oberhauser Vanterpool Wojtkowiak Dombrovsky Núñez-Ibarra O'Shaughnessy Fjeldstad Ekwueme Björkqvist Przybylski Trevanion-Pell Mc\u00c1rdle".split(
    " ",
  )
const givens =
  "Robert Elizabeth William Margaret Francisco Katharina Theodore Zenobia Ignatius Wilhelmina José Ürsula".split(" ")
const nicknames: Readonly<Record<string, string>> = {
  Robert: "Bobby",
  Elizabeth: "Lizzie",
  William: "Billy",
  Margaret: "Peggy",
  Francisco: "Paco",
  Theodore: "Teddy",
}
const staff = "Grimwade Thistlecroft Yarborough Plunketson Vlasenko Hrdlicka".split(" ")
const staffGiven = "Ottoline Barnaby Desdemona Leofric".split(" ")

const plain = (text: string) => text.normalize("NFD").replace(/\p{M}/gu, "")
const parts = (text: string) => text.split(/[^\p{L}]+/u).filter((part) => part.length > 2)

const monthNames = "January February March April May June July August September October November December".split(" ")
const german = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(" ")
const french = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(" ")
const two = (value: number) => String(value).padStart(2, "0")

/** Forms of a date with its year; each is read back by the test below. */
export const dateForms: readonly ((y: number, m: number, d: number) => string)[] = [
  (y, m, d) => `${y}-${two(m)}-${two(d)}`,
  (y, m, d) => `${two(m)}/${two(d)}/${y}`,
  (y, m, d) => `${m}/${d}/${y}`,
  (y, m, d) => `${m}-${d}-${y}`,
  (y, m, d) => `${two(d)}.${two(m)}.${y}`,
  (y, m, d) => `${monthNames[m - 1]} ${d}, ${y}`,
  (y, m, d) => `${d} ${monthNames[m - 1]} ${y}`,
  (y, m, d) => `${two(d)}-${monthNames[m - 1]!.slice(0, 3).toUpperCase()}-${y}`,
  (y, m, d) => `${two(d)}${monthNames[m - 1]!.slice(0, 3).toUpperCase()}${y}`,
  (y, m, d) => `${d}. ${german[m - 1]} ${y}`,
  (y, m, d) => `${d} ${french[m - 1]} ${y}`,
  (y, m, d) => `${y}${two(m)}${two(d)}`,
  (y, m, d) => `${y}/${two(m)}/${two(d)}`,
]

function misspelt(name: string, at: number, how: number): string {
  const i = 1 + (at % (name.length - 2))
  if (how === 0) return name.slice(0, i) + name.slice(i + 1)
  if (how === 1) return name.slice(0, i) + name[i + 1]! + name[i]! + name.slice(i + 2)
  if (how === 2) return name.slice(0, i) + "x" + name.slice(i + 1)
  return name.slice(0, i) + "x" + name.slice(i)
}

const nameForms: readonly ((family: string, given: string) => string)[] = [
  (f, g) => `${g} ${f}`,
  (f, g) => `${f}, ${g}`,
  (f, g) => `${f.toUpperCase()}, ${g.toUpperCase()}`,
  (f, g) => `${g[0]}. ${f}`,
  (f, g) => `${f}, ${g[0]}.`,
  (f) => `Mr. ${f}`,
  (f) => `Mrs ${f}`,
  (f, g) => `${g.toLowerCase()} ${f.toLowerCase()}`,
  (f, g) => `${plain(g)} ${plain(f)}`,
  (f, g) => `${nicknames[g] ?? g} ${f}`,
  (_, g) => nicknames[g] ?? g,
  (f) => `${f}'s`,
  (f, g) => `${f.toUpperCase()}^${g.toUpperCase()}`,
  (f) => f.replace(/['-]/g, ""),
  (f) => f.split(/[-']/).at(-1)!,
]

interface Piece {
  readonly text: string
  readonly planted?: readonly string[]
  readonly day?: string
}

const day = fc.record({
  y: fc.integer({ min: 1995, max: 2024 }),
  m: fc.integer({ min: 1, max: 12 }),
  d: fc.integer({ min: 1, max: 28 }),
})
const digits = (length: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: length, maxLength: length }).map((each) => each.join(""))

const dated = fc
  .tuple(
    day,
    fc.constantFrom(...dateForms),
    fc.constantFrom("Comparison is made to the study of", "Seen on", "Prior CT dated", "Received"),
  )
  .map(([{ y, m, d }, form, before]): Piece => ({
    text: `${before} ${form(y, m, d)}.`,
    planted: [form(y, m, d)],
    day: `${y}-${two(m)}-${two(d)}`,
  }))
const ofStaff = fc
  .tuple(fc.constantFrom(...staff), fc.constantFrom(...staffGiven), fc.integer({ min: 0, max: 8 }))
  .map(([f, g, how]): Piece => {
    const forms = [
      `Findings were discussed with Dr. ${f}.`,
      `Dictated by: ${g} ${f}, MD`,
      `Electronically signed by ${f}, ${g}`,
      `cc: ${g} ${f}, M.D.; ${f}`,
      `Attending: ${g} ${f}`,
      `Reviewed by Prof. ${g} ${f}`,
      `DICTATED BY: ${g.toUpperCase()} ${f.toUpperCase()} MD`,
      `Accompanied by his daughter ${g} ${f}.`,
      `Called by ${g} ${f} RN at the ward.`,
    ]
    return { text: forms[how]!, planted: [f] }
  })
const phones = fc.tuple(digits(3), digits(4), fc.integer({ min: 0, max: 5 })).map(([a, b, how]): Piece => {
  const forms = [
    `(555) ${a}-${b}`,
    `555-${a}-${b}`,
    `555.${a}.${b}`,
    `+1 555 ${a} ${b}`,
    `pager ${a}${b}`,
    `1-555-${a}-${b}`,
  ]
  return { text: `Call back: ${forms[how]}.`, planted: [`${a}-${b}`, `${a}.${b}`, `${a} ${b}`, `${a}${b}`] }
})
const numbers = fc
  .tuple(digits(8), fc.constantFrom("MRN:", "Acc#", "Account", "SSN", "MRN", "Serial #:", "License:", "Case ID:"))
  .map(([value, label]): Piece => ({ text: `${label} 9${value}.`, planted: [`9${value}`] }))
const webs = fc.constantFrom<Piece>(
  { text: "Mail zabransky.q@mail.example.com.", planted: ["zabransky", "mail.example"] },
  { text: "See https://portal.example.net/p/77121?id=9.", planted: ["portal.example", "77121"] },
  { text: "From 192.168.14.77.", planted: ["192.168.14.77"] },
  {
    text: "Lives at 4711 Wexcombe Hollow Road, Tarnbrook, OH 44123.",
    planted: ["Wexcombe", "Tarnbrook", "44123", "4711 Wexcombe"],
  },
  { text: "Transferred from St. Aldhelm's Medical Center.", planted: ["Aldhelm"] },
  { text: "The patient is a 97-year-old woman.", planted: ["97-year"] },
  { text: "Age: 103.", planted: ["Age: 103"] },
)
/** Words that have to stay as they are. */
export const kept = [
  "Known Hodgkin lymphoma, in remission.",
  "Parkinson disease without change.",
  "A Foley catheter is in place.",
  "Tip of the Swan-Ganz catheter in the right pulmonary artery.",
  "Tenderness at McBurney's point.",
  "No evidence of pneumothorax or pleural effusion.",
  "The lesion measures 3.5 x 2.1 x 10.4 cm (series 4, image 112).",
  "Strength 5/5, reflexes 2/4, blood pressure 120/80.",
  "T2-weighted images of C5-C6 and L4/5.",
  "MR brain and CT chest with contrast.",
]
const keeps = fc.constantFrom(...kept).map((text): Piece => ({ text }))

/** Reports about one made-up person, with what is planted in them. */
export const report: fc.Arbitrary<Report> = fc
  .record({
    family: fc.constantFrom(...families),
    given: fc.constantFrom(...givens),
    mrn: digits(7).map((value) => `8${value}`),
    accession: digits(6).map((value) => `XC7${value}`),
  })
  .chain(({ family, given, mrn, accession }) => {
    const tokens = (text: string) => parts(text).filter((part) => !/^(?:mrs?|Mrs?)$/.test(part))
    const own = fc.constantFrom(...nameForms).chain((form) =>
      fc.constantFrom("Clinical note on", "Patient:", "Re:", "We saw", "Then").map((before): Piece => {
        const text = form(family, given)
        return { text: `${before} ${text} again.`, planted: tokens(text) }
      }),
    )
    const wrong = fc.tuple(fc.nat(40), fc.integer({ min: 0, max: 3 })).map(([at, how]): Piece => {
      const long = [...parts(family)].sort((a, b) => b.length - a.length)[0]!
      const text = long.length < 6 ? long : misspelt(long, at, how)
      return { text: `We saw ${text} today.`, planted: [text] }
    })
    const ids = fc
      .constantFrom(
        mrn,
        `0${mrn}`,
        mrn.replace(/(\d{2})(?=\d)/g, "$1-"),
        accession,
        accession.toLowerCase(),
        accession.replace("XC", "XC-"),
      )
      .map((text): Piece => ({ text: `Filed as ${text} there.`, planted: [text] }))
    const pieces = fc.array(fc.oneof(own, wrong, ids, dated, ofStaff, phones, numbers, webs, keeps), {
      minLength: 3,
      maxLength: 25,
    })
    return fc.tuple(pieces, fc.constantFrom("\n", " ", "\r\n")).map(([list, joint]) => ({
      person: {
        names: [nameOf(`${family}^${given}`)],
        ids: [{ value: mrn }, { value: accession }],
        birthDates: ["1950-06-11"],
      },
      text: list.map(({ text }) => text).join(joint),
      planted: list.flatMap(({ planted }) => planted ?? []),
      days: list.flatMap(({ day: of }) => (of === undefined ? [] : [of])),
    }))
  })
