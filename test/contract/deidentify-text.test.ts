import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { deidentifyText, nameOf } from "../../formats/text/index.ts"
import type { TextOptions, TextPerson } from "../../formats/text/index.ts"
import { surrogatesOf } from "../property/report-generator.ts"

const base = surrogatesOf(new Uint8Array(32).fill(3), "p")
const surrogates = { ...base, shiftDays: 400 }
const nobody: TextPerson = { names: [], ids: [], birthDates: [] }
const clean = (text: string, person: TextPerson = nobody, options: TextOptions = {}) =>
  deidentifyText(text, person, surrogates, options).text
const named = (name: string): TextPerson => ({ ...nobody, names: [nameOf(name)] })

describe("dates in reports", () => {
  it.each([
    ["2019-03-04T10:15:00", "2018-01-28T10:15:00"],
    ["03/04/2019 at 3:15 PM", "01/28/2018 at 3:15 PM"],
    ["3/4/19", "1/28/18"],
    ["Monday, March 4, 2019", "Sunday, January 28, 2018"],
    ["Mon 03/04/2019", "Sun 01/28/2018"],
    ["March 4th, 2019", "January 28th, 2018"],
    ["4th of March 2019", "28th of January 2018"],
    ["04-MAR-2019", "28-JAN-2018"],
    ["4. März 2019", "28. Januar 2018"],
    ["le 4 mars 2019", "le 28 janvier 2018"],
    ["4 de marzo de 2019", "28 de enero de 2018"],
    ["4 marzo 2019", "28 gennaio 2018"],
    ["20190304101500", "20180128101500"],
    ["March 2019", "February 2018"],
    ["03/2019", "02/2018"],
  ])("moves %s to %s", (text, expected) => expect(clean(`Seen ${text}.`)).toBe(`Seen ${expected}.`))

  it("keeps a year by itself, scores, doses and measures", () => {
    const text =
      "Since 2015. Strength 5/5, 2/6 murmur, 1/2 tablet, BP 120/80, 3.5 x 2.1 cm, L4/5, ratio 1.5. May be seen. March on."
    expect(clean(text)).toBe(text)
  })

  it("takes the year of a date without one from the text or its day", () => {
    expect(clean("CT of 3/2/2019. Called on 3/4.")).toBe("CT of 1/26/2018. Called on 1/28.")
    expect(clean("Called on 3/4.", nobody, { at: "2019-05-01" })).toBe("Called on 1/28.")
  })

  it("reads what could be both by the order that is stated", () => {
    expect(clean("Seen 03/04/2019.", nobody, { dates: "day-first" })).toBe("Seen 27/02/2018.")
    expect(clean("Seen 25/04/2019.")).toBe("Seen 21/03/2018.")
  })

  it("moves a birth date, and makes one of 90 years or more one of 90", () => {
    const person = { ...nobody, birthDates: ["1931-03-04"] }
    expect(clean("DOB: 03/04/1931. CT 3/4/2019.", person)).toBe("DOB: 01/28/1930. CT 1/28/2018.")
    expect(clean("Born March 4, 1931. CT 3/4/2023.", person)).toBe("Born January 28, 1932. CT 1/28/2022.")
    expect(clean("DOB: 03/04/1931.", person)).toBe("DOB: [birth date].")
  })

  it("caps ages", () => {
    expect(clean("A 92-year-old, an 89 year old, age 101, ninety-four years old, 95 y.o., 93F with pain.")).toBe(
      "A 90+-year-old, an 89 year old, age 90+, 90+ years old, 90+ y.o., 90+F with pain.",
    )
  })
})

describe("names in reports", () => {
  it.each(["Young", "Brown", "Long", "May", "White", "Rose", "Hand", "Will"])("tells %s from the word", (name) => {
    const lower = name.toLowerCase()
    const text = `The ${lower} is ${lower}.`
    const person = named(`${name}^Zenobia`)
    expect(clean(text, person)).toBe(text)
    for (const found of [
      `Mr. ${name} was told.`,
      `Zenobia ${lower} was told.`,
      `We told ${name} so.`,
      `Patient: ${name.toUpperCase()}, Z.`,
    ])
      expect(clean(found, person)).not.toMatch(new RegExp(`\\b${name}\\b`, "i"))
  })

  it("keeps the eponym of a patient who bears its name, and not the name", () => {
    const person = named("Hodgkin^Tom")
    expect(clean("Hodgkin lymphoma, non-Hodgkin disease, Hodgkin's disease.", person)).toBe(
      "Hodgkin lymphoma, non-Hodgkin disease, Hodgkin's disease.",
    )
    expect(clean("Mr. Hodgkin has lymphoma. Hodgkin came. T. Hodgkin.", person)).not.toContain("Hodgkin")
  })

  it("gives one name one surrogate, in each form and case", () => {
    const person = named("Quillfeather^Robert")
    const cleaned = clean("Robert Quillfeather|ROBERT QUILLFEATHER|Bob Quilfeather|Quillfeather, Rob", person)
    const [plain, upper, nick, turned] = cleaned.split("|")
    expect(upper).toBe(plain!.toUpperCase())
    expect(nick).toBe(plain)
    expect(turned).toBe(plain!.split(" ").reverse().join(", "))
  })

  it.each([
    ["Иванов^Пётр", "Пациент Иванов Петр, у Иванова боль."],
    ["山田^太郎", "患者山田太郎は、山田 太郎として来院。"],
    ["김^철수", "환자 김철수님, 철수는 아픔."],
    ["محمد^أحمد", "المريض أحمد محمد هنا، لمحمد ألم."],
    ["Παπαδόπουλος^Γιώργος", "Ο Παπαδοπουλος Γιωργος ήρθε."],
    ["Müller^Jörg", "Herr Mueller, Jorg MULLER, Müllers Befund."],
  ])("finds %s in its script", (name, text) => {
    const cleaned = clean(text, named(name))
    for (const part of name.split("^")) {
      if (part.length > 1) expect(cleaned).not.toContain(part)
      expect(cleaned.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase()).not.toContain(
        part.length > 1 ? part.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase() : "\u0000",
      )
    }
  })

  it.each([
    "JS/kl",
    "JS:kl",
    "Dictated by: Jane Roe, MD",
    "/s/ Jane Roe",
    "cc: Jane Roe; Tom Poe",
    "daughter Jane",
    "Sincerely,\nJane Roe",
    "Jane Roe RN",
    "Dr Roe",
    "________ Jane Roe",
  ])("finds who stands in %s", (text) => {
    expect(clean(`Seen.\n${text}\nEnd.`)).not.toMatch(/\b(?:JS|kl|Jane|Roe|Tom|Poe)\b/)
  })

  it("gives an identifier what other formats made of it, however it is written", () => {
    const person = { ...nobody, ids: [{ value: "MRN-471147", surrogate: "abcd" }] }
    expect(clean("Of MRN-471147, mrn471147, MRN 47-11-47x.", person)).toContain("Of abcd, abcd,")
  })
})

const sentences = join(import.meta.dirname, "../../../shared/data/negex/sentences.tsv")
if (!existsSync(sentences)) console.warn("skipped: ../shared/data/negex is not there")

describe.skipIf(!existsSync(sentences))("the sentences of ../shared/data/negex", () => {
  it("change in their dates, and in five words and numbers besides", () => {
    const rows = readFileSync(sentences, "utf8")
      .split(/\r?\n/)
      .slice(1)
      .filter((row) => row !== "")
    const others = rows.flatMap((row) => {
      const text = row.split("\t")[2] ?? ""
      return deidentifyText(text, named("Quillfeather^Zenobia"), surrogates).findings.flatMap(({ kind, start, end }) =>
        kind === "date" ? [] : [`${kind}: ${text.slice(start, end)}`],
      )
    })
    // Two case numbers of six figures, and a name of three words that the data's own de-identification left.
    const names = others.filter((each) => !each.startsWith("id: "))
    expect(others.length - names.length).toBeLessThanOrEqual(2)
    expect(names.length).toBeLessThanOrEqual(3)
    console.log(
      `negex: ${rows.length} sentences; besides dates ${names.length} words and ${others.length - names.length} numbers`,
    )
  })
})
