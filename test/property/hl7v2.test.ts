import { randomBytes } from "node:crypto"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { codeShapes, pseudonymizer } from "../../core/index.ts"
import { parseMessage, parseText, serializeMessage, unescape, writeText } from "../../formats/hl7v2/index.ts"
import type { Message, Segment } from "../../formats/hl7v2/index.ts"
import table from "../../formats/hl7v2/data/segments.json" with { type: "json" }
import { cleanFile, cleanMessage } from "../../transforms/deidentify/texts.ts"
import type { TextPolicy } from "../../transforms/deidentify/texts.ts"

const policyOf = (fill: number): TextPolicy => ({
  pseudonyms: pseudonymizer(new Uint8Array(32).fill(fill)),
  issuer: (issuer) => issuer,
})
const [policy, other] = [policyOf(9), policyOf(10)]
const dayMs = 86_400_000

/** The person of made-up messages; all of it is rare, so that what is met in an output can only be planted. */
const own = {
  family: ["Quillfeather", "Zabransky", "Núñez-Ibarra", "O'Shaughnessy", "Björkqvist", "van der Meerkat"],
  given: ["Zenobia", "Ignatius", "Wilhelmina", "Theodoric"],
}
const digits = (length: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: length, maxLength: length }).map((each) => each.join(""))

interface Person {
  readonly family: string
  readonly given: string
  readonly mrn: string
  readonly account: string
  readonly accession: string
  readonly phone: string
  readonly born: string
  readonly street: string
}
const person: fc.Arbitrary<Person> = fc.record({
  family: fc.constantFrom(...own.family),
  given: fc.constantFrom(...own.given),
  mrn: digits(7).map((value) => `8${value}`),
  account: digits(6).map((value) => `V7${value}`),
  accession: digits(6).map((value) => `XC6${value}`),
  phone: digits(4).map((value) => `555-867-${value}`),
  born: fc.constantFrom("19500611", "19310203", "20010930"),
  street: fc.constantFrom("12 Wexcombe Hollow Road", "7 Tarnbrook Lane"),
})

/** Words of a value that must not be met again. */
const wordsOf = ({ family, given, mrn, account, accession, phone, street }: Person): readonly string[] => [
  ...family.split(/[ '-]/).filter((word) => word.length > 3),
  given,
  mrn,
  account,
  accession,
  phone,
  street.split(" ")[1]!,
]

interface Delimiters {
  readonly field: string
  readonly marks: string
}
const delimiters: fc.Arbitrary<Delimiters> = fc.constantFrom(
  { field: "|", marks: "^~\\&" },
  { field: "|", marks: "^~\\&" },
  { field: "!", marks: "$*?%" },
  { field: "|", marks: "^~" },
  { field: "|", marks: "^~\\&#" },
)

const kinds = [
  "TX",
  "FT",
  "ST",
  "",
  "NM",
  "SN",
  "CE",
  "CWE",
  "IS",
  "ID",
  "DT",
  "TS",
  "DTM",
  "DR",
  "TM",
  "XPN",
  "CX",
  "XAD",
]
/** Segments in which something is planted: all of the table, and others. */
const names = [...Object.keys(table.segments), "NK1", "GT1", "IN1", "ZPI", "ROL", "PD1", "MRG", "CTD"].filter(
  (name) => !["MSH", "FHS", "BHS", "BTS", "FTS", "PID", "MSA"].includes(name),
)
const benign = ["1", "F", "R", "mg/dL", "2823-3^K^LN", "Unremarkable.", "", '""', "3.5"]

/** A value in which something of the person stands, in one of many forms. */
const planted = (who: Person): fc.Arbitrary<string> =>
  fc.constantFrom(
    who.family,
    `${who.family}^${who.given}`,
    `${who.given} ${who.family}`,
    who.family.toUpperCase(),
    `${who.given.toLowerCase()} ${who.family}`,
    `^${who.family}, ${who.given}`,
    `${who.mrn}^^^HOSP^MR`,
    who.mrn,
    `0${who.mrn}`,
    `MRN ${who.mrn}`,
    who.mrn.replace(/(\d{4})/, "$1-"),
    who.account,
    who.accession,
    `^Acc ${who.accession}`,
    who.phone,
    who.phone.replaceAll("-", "."),
    `${who.street}^^Tarnbrook`,
    `seen ${who.given}~${who.family} came~call ${who.phone}`,
    `a&${who.family}&b`,
    who.born,
    `${who.born.slice(0, 4)}-${who.born.slice(4, 6)}-${who.born.slice(6)}`,
  )

interface Made {
  readonly who: Person
  readonly text: string
  /** Days of the dates with a true day, as yyyymmdd, by segment and field. */
  readonly days: readonly string[]
}

const segment = (who: Person): fc.Arbitrary<readonly string[]> =>
  fc.constantFrom(...names, "OBX", "OBX", "OBX", "NTE").chain((name) =>
    fc
      .tuple(
        fc.array(fc.oneof(fc.constantFrom(...benign), planted(who), fc.constantFrom(...benign)), { maxLength: 24 }),
        fc.constantFrom(...kinds),
        planted(who),
      )
      .map(([fields, kind, value]) => {
        const made = [name, ...fields]
        if (name !== "OBX") return made
        while (made.length < 12) made.push("")
        made[2] = kind
        made[5] = made[5] === "" ? value : made[5]!
        return made
      }),
  )

const day = fc
  .record({
    y: fc.integer({ min: 1995, max: 2024 }),
    m: fc.integer({ min: 1, max: 12 }),
    d: fc.integer({ min: 1, max: 28 }),
  })
  .map(({ y, m, d }) => `${y}${String(m).padStart(2, "0")}${String(d).padStart(2, "0")}`)

const made: fc.Arbitrary<Made> = person.chain((who) =>
  fc
    .tuple(
      delimiters,
      fc.constantFrom("", "8859/1", "UNICODE UTF-8"),
      fc.constantFrom("\r", "\r\n", "\n"),
      fc.array(segment(who), { maxLength: 12 }),
      fc.tuple(day, day, day),
    )
    .map(([{ field, marks }, charset, end, segments, days]) => {
      const [component = "^", repetition = "~", , subcomponent = "&"] = marks
      const of = (text: string) =>
        text.replaceAll("^", component).replaceAll("~", repetition).replaceAll("&", subcomponent)
      const lines: string[][] = [
        ["MSH", marks, "APP", `Clinic of ${who.family}`, "", "", days[0]!, "", "ORU^R01^ORU_R01", "77", "P", "2.5.1"],
        ["PID", "1", "", `${who.mrn}^^^HOSP^MR`, "", `${who.family}^${who.given}`, "", who.born, "F", "", ""],
        ["PV1", "1", "I", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", who.account],
        ["OBR", "1", "", `${who.accession}^HOSP`, "71250^CT chest^C4", "", "", days[1]!],
        ["OBX", "1", "DT", "a^b^L", "", days[2]!],
        ...segments.map((each) => [...each]),
      ]
      lines[0]!.push("", "", "", "", "", charset)
      lines[1]!.push(`${who.street}^^Tarnbrook`, "", who.phone)
      const text = lines.map(([name, ...rest]) =>
        [name, ...rest.map((each, at) => (name === "MSH" && at === 0 ? each! : of(each!)))].join(field),
      )
      return { who, text: `${text.join(end)}${end}`, days }
    }),
)

const bytesOf = ({ text }: Made): Uint8Array => Buffer.from(text, text.includes("8859/1") ? "latin1" : "utf8")
const clean = (given: Made, by = policy): Message => cleanMessage(parseMessage(bytesOf(given)), by, "p", () => {})

/** All that a message says, with and without its escapes. */
const told = (message: Message): string => {
  const text = writeText(message)
  return `${text}\n${unescape(text, message).text}`
}
const holds = (output: string, word: string): boolean =>
  new RegExp(`(?<![\\p{L}\\p{N}])${word.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")}(?![\\p{L}\\p{N}])`, "iu").test(output)

const moved = (yyyymmdd: string, days: number): string => {
  const at = Date.parse(`${yyyymmdd.slice(0, 4)}-${yyyymmdd.slice(4, 6)}-${yyyymmdd.slice(6)}`)
  return new Date(at - days * dayMs).toISOString().slice(0, 10).replaceAll("-", "")
}
const ofName = ({ segments }: Message, name: string): Segment => segments.find((each) => each.name === name)!

describe("de-identifying made-up messages", { timeout: 300_000 }, () => {
  it("lets no identifier survive, wherever in a message it stands", () => {
    let count = 0
    fc.assert(
      fc.property(made, (given) => {
        const output = told(clean(given))
        const words = [
          ...wordsOf(given.who),
          given.who.mrn.replace(/(\d{4})/, "$1-"),
          given.who.phone.replaceAll("-", "."),
        ]
        count += words.length
        expect(
          words.filter((word) => holds(output, word)),
          output,
        ).toEqual([])
        // The birth date is told nowhere: not as a field, and not as a text.
        expect(output).not.toContain(given.who.born)
      }),
      { numRuns: 150 },
    )
    expect(count).toBeGreaterThan(1000)
  })

  it("keeps the intervals between dates", () => {
    const shift = policy.pseudonyms.shiftDays("p")
    fc.assert(
      fc.property(made, (given) => {
        const output = clean(given)
        const [sent, observed, value] = given.days
        expect(ofName(output, "MSH").fields[7]).toBe(moved(sent!, shift))
        expect(ofName(output, "OBR").fields[7]).toBe(moved(observed!, shift))
        // An observation that is the birth date is none.
        expect(ofName(output, "OBX").fields[5]).toBe(value === given.who.born ? "" : moved(value!, shift))
      }),
      { numRuns: 100 },
    )
  })

  it("keeps no date finer than its year under safe harbor, and no identifier", () => {
    const known = new Map<string, string>()
    const random = (name: string, shape: keyof typeof codeShapes) => {
      const code = known.get(name) ?? codeShapes[shape](randomBytes(32))
      known.set(name, code)
      return code
    }
    const codes = (key: string) => ({
      person: random(key, "identifier"),
      identifier: (space: string, value: string) => random(`${space} ${value}`, "identifier"),
      uid: (uid: string) => random(uid, "uid"),
      accession: (issuer: string, value: string) => random(`${issuer} ${value}`, "accession"),
    })
    fc.assert(
      fc.property(made, (given) => {
        const output = clean(given, { ...policy, profile: "safe-harbor", codes })
        const text = told(output)
        expect(
          wordsOf(given.who).filter((word) => holds(text, word)),
          text,
        ).toEqual([])
        for (const day of [...given.days, given.who.born]) expect(text).not.toContain(day)
        const isOld = given.days.some((day) => Number(day.slice(0, 4)) - Number(given.who.born.slice(0, 4)) > 89)
        if (!isOld) expect(ofName(output, "OBR").fields[7]).toBe(given.days[1]!.slice(0, 4))
        for (const { fields } of output.segments)
          for (const field of fields)
            expect(field).not.toMatch(/^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])?(?:\d{4,6})?$/)
        expect(text).not.toContain(policy.pseudonyms.person("p"))
      }),
      { numRuns: 100 },
    )
  })

  it("leaves what it does not change byte for byte: delimiters, ends of segments, harmless fields", () => {
    const harmless = fc.constantFrom(
      "OBX|2|NM|2951-2^Sodium^LN||140.5|mmol/L|135-145|N|||F",
      "OBX|2|TX|18748-4^Report^LN||5 mm nodule \\T\\ cyst, \\.br\\ T2 \\X3E\\ 3~No effusion.||||||F",
      'OBX|2|CE|a^b^L|""|R91.1^Lung nodule^I10~R93.1^x\\F\\y^I10||||||F',
      "NTE|1|L|Strength 5/5. Hodgkin lymphoma, Parkinson disease.",
      "DG1|1||R91.1^Lung nodule^I10|Nodule||A",
      "AL1|1|DA|1191^Aspirin^RXNORM|MO|Hives",
      "OBX|2|SN|a^b^L||>^100|mg|||||F",
    )
    fc.assert(
      fc.property(made, fc.array(harmless, { minLength: 1, maxLength: 5 }), (given, lines) => {
        fc.pre(given.text.includes("|^~\\&"))
        const end = /\r?\n$/.exec(given.text)?.[0] ?? "\r"
        const text = given.text + lines.map((line) => line + end).join("")
        const output = writeText(clean({ ...given, text }))
        for (const line of lines) expect(output).toContain(line + end)
        expect(output.slice(0, 9)).toBe(given.text.slice(0, 9))
      }),
      { numRuns: 100 },
    )
  })

  it("gives the same bytes again under the same key, and shares nothing with another", () => {
    fc.assert(
      fc.property(made, (given) => {
        const run = (by: TextPolicy) =>
          Buffer.from(
            cleanFile(
              bytesOf(given),
              by,
              () => "p",
              () => {},
            )!.bytes,
          )
        const [one, again, elsewhere] = [run(policy), run(policyOf(9)), run(other)]
        expect(again.equals(one)).toBe(true)
        const tokens = (bytes: Buffer) => new Set(String(bytes).match(/[a-z2-7]{20,26}|[A-Z2-7]{16}/g) ?? [])
        expect(tokens(one).size).toBeGreaterThan(2)
        expect([...tokens(elsewhere)].filter((token) => tokens(one).has(token))).toEqual([])
        // What was made is a message, and one whose person is found no more.
        expect(serializeMessage(parseMessage(one)).length).toBe(one.length)
      }),
      { numRuns: 100 },
    )
  })

  it("does to a message as text what it does to its bytes", () => {
    fc.assert(
      fc.property(made, (given) => {
        fc.pre(!given.text.includes("8859/1"))
        const whole = cleanMessage(parseText(given.text), policy, "p", () => {})
        expect(writeText(whole)).toBe(writeText(clean(given)))
      }),
      { numRuns: 50 },
    )
  })
})
