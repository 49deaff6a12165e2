/** A time that a value may mean. Weak forms are met by chance. */
export interface Meant {
  /** ms since 1970, UTC or local. */
  readonly ms: number
  readonly form: string
  readonly weak: boolean
  /** The value says a time of day. */
  readonly clock: boolean
}

const dayMs = 86_400_000
const least = Date.UTC(1990, 0, 1)
const greatest = Date.UTC(2060, 0, 1)
const months = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ")

function meant(ms: number, form: string, { weak = false, clock = true } = {}): Meant[] {
  return Number.isFinite(ms) && ms >= least && ms < greatest ? [{ ms, form, weak, clock }] : []
}

function day(year: number, month: number, date: number, form: string, time = "", weak = false): Meant[] {
  const midnight = Date.UTC(year, month - 1, date)
  const at = new Date(midnight)
  if (at.getUTCMonth() !== month - 1 || at.getUTCDate() !== date) return []
  const [hour = 0, minute = 0, second = 0] = (time.match(/\d\d/g) ?? []).map(Number)
  const fraction = Number(`0.${/[.](\d+)/.exec(time)?.[1] ?? "0"}`)
  const clock = /\d\d/.test(time)
  return meant(midnight + ((hour * 60 + minute) * 60 + second + fraction) * 1000, form, { weak, clock })
}

/** Times that a whole number may mean: epochs in any unit, versions that hold a time, digits of a date. */
export function timesOfNumber(value: bigint): Meant[] {
  const number = Number(value)
  const text = value.toString()
  const digits = /^(\d{4})(\d\d)(\d\d)((?:\d\d){0,3})$/.exec(text)
  return [
    ...meant(number * 1000, "epoch s", { weak: true }),
    ...meant(number, "epoch ms"),
    ...meant(number / 1000, "epoch us"),
    ...meant(number / 1e6, "epoch ns"),
    ...meant(Number(value >> 20n), "ms x 2^20"),
    ...meant(number / 2 ** 16, "ms x 2^16"),
    ...meant(number * dayMs, "epoch days", { weak: true, clock: false }),
    ...meant((number - 25_569) * dayMs, "days since 1900", { weak: true, clock: false }),
    ...(digits === null ? [] : day(Number(digits[1]), Number(digits[2]), Number(digits[3]), "YYYYMMDD", digits[4])),
  ]
}

/** 100 ns since 1582-10-15, as UUIDs of versions 1 and 6 count (RFC 9562). */
const gregorian = (ticks: bigint) => meant(Number(ticks / 10_000n) - 12_219_292_800_000, "UUID of a time")

function timesOfUuid(hex: string): Meant[] {
  const field = (from: number, to: number) => BigInt(`0x${hex.slice(from, to)}`)
  switch (hex[12]) {
    case "1":
      return gregorian((field(13, 16) << 48n) | (field(8, 12) << 32n) | field(0, 8))
    case "6":
      return gregorian((field(0, 8) << 28n) | (field(8, 12) << 12n) | field(13, 16))
    case "7":
      return meant(Number(field(0, 12)), "UUID of a time")
    default:
      return []
  }
}

/** Times that a text may mean, anywhere in it. */
export function timesOfText(text: string): Meant[] {
  const found: Meant[] = []
  const each = (pattern: RegExp, act: (match: RegExpMatchArray) => Meant[]) => {
    for (const match of text.matchAll(pattern)) found.push(...act(match))
  }
  const n = Number
  each(/(?<![\d.])(\d{4})[-/.](\d\d)[-/.](\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?(?!\d)/g, (m) =>
    day(n(m[1]), n(m[2]), n(m[3]), "YYYY-MM-DD", m[4]),
  )
  each(/(?<![\dA-Za-z])(\d{4})(\d\d)(\d\d)T?(\d{2,6}(?:\.\d+)?)?(?![\dA-Za-z])/g, (m) =>
    day(n(m[1]), n(m[2]), n(m[3]), "YYYYMMDD", m[4]),
  )
  each(/(?<![\d.])(\d\d)[-/.](\d\d)[-/.](\d{4})(?![\d.])/g, (m) => [
    ...day(n(m[3]), n(m[2]), n(m[1]), "DD.MM.YYYY"),
    ...day(n(m[3]), n(m[1]), n(m[2]), "MM/DD/YYYY"),
  ])
  each(/(?<![\d.A-Za-z])(\d\d)(\d\d)(\d\d)(?![\d.A-Za-z])/g, (m) =>
    day(2000 + n(m[1]), n(m[2]), n(m[3]), "YYMMDD", "", true),
  )
  each(/(\d{1,2})[ -]([A-Za-z]{3})[a-z]*\.?[ -](\d{4})/g, (m) =>
    day(n(m[3]), months.indexOf(m[2]!.toLowerCase()) + 1, n(m[1]), "D Mon YYYY"),
  )
  each(/(?<![\dA-Za-z])\d{5,38}(?![\dA-Za-z])/g, (m) => timesOfNumber(BigInt(m[0])))
  each(/(?<![\dA-Fa-f])[\dA-Fa-f]{8}-?(?:[\dA-Fa-f]{4}-?){3}[\dA-Fa-f]{12}(?![\dA-Fa-f])/g, (m) =>
    timesOfUuid(m[0].replaceAll("-", "").toLowerCase()),
  )
  each(/(?<!\d)2\.25\.(\d{1,39})(?!\d)/g, (m) => timesOfUuid(BigInt(m[1]!).toString(16).padStart(32, "0")))
  return found
}

/** Times that a text or a whole number may mean. */
export const timesOf = (value: string | number | bigint): Meant[] =>
  typeof value === "string"
    ? timesOfText(value)
    : Number.isSafeInteger(Number(value)) || typeof value === "bigint"
      ? timesOfNumber(BigInt(value))
      : []

/** Bytes that say a time in ms, or a version made of one, as Avro and plain integers do. */
export function bytesOfTime(ms: bigint): readonly Buffer[] {
  const all: Buffer[] = []
  for (const value of [ms, ms << 20n]) {
    const plain = Buffer.alloc(8)
    plain.writeBigInt64LE(value)
    all.push(plain, Buffer.from(plain).reverse(), varint(value << 1n))
  }
  const double = Buffer.alloc(8)
  double.writeDoubleLE(Number(ms))
  return [...all, double, Buffer.from(double).reverse()]
}

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 0x80n) return Buffer.from([...bytes, Number(rest)])
    bytes.push(Number(rest & 0x7fn) | 0x80)
  }
}
