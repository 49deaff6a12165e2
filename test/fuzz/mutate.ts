import table from "../../formats/dicom/data/table-e1-1.json" with { type: "json" }
import type { Dice } from "../sim/dice.ts"
import { canary } from "./base.ts"

type Mutation = (bytes: Buffer, dice: Dice, other: Buffer) => Buffer

const at = (bytes: Buffer, dice: Dice): number => dice.below(bytes.length)
/** Headers are worth more than values: half of all places lie in the first two thousand bytes. */
const early = (bytes: Buffer, dice: Dice): number =>
  dice.chance(0.5) ? dice.below(Math.min(bytes.length, 2048)) : at(bytes, dice)
const without = (bytes: Buffer, from: number, to: number): Buffer =>
  Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])
const withAt = (bytes: Buffer, from: number, inserted: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, from), inserted, bytes.subarray(from)])

const marks = ["fffe00e0ffffffff", "feff00e0ffffffff", "feff0de000000000", "feffdde000000000", "e07f1000", "02001000"]
const vrs = "AE AS AT CS DA DS DT FL FD IS LO LT OB OF OW PN SH SL SQ SS ST TM UC UI UL UN UR US UT ZZ".split(" ")

/** Ways in which files go wrong, by name. */
export const mutations: Readonly<Record<string, Mutation>> = {
  flip(bytes, dice) {
    const out = Buffer.from(bytes)
    out[early(out, dice)]! ^= 1 << dice.below(8)
    return out
  },
  byte(bytes, dice) {
    const out = Buffer.from(bytes)
    out[early(out, dice)] = dice.pick([0, 1, 0x1b, 0x5c, 0x7f, 0x80, 0xfe, 0xff, dice.below(256)])
    return out
  },
  length(bytes, dice) {
    const out = Buffer.from(bytes)
    const from = early(out, dice)
    const value = dice.pick([0, 1, 7, 0xff, 0xffff, 0x7fffffff, 0xfffffffe, 0xffffffff])
    for (let i = 0; i < 4 && from + i < out.length; i++) out[from + i] = (value >>> (8 * i)) & 0xff
    return out
  },
  cut: (bytes, dice) => Buffer.from(bytes.subarray(0, at(bytes, dice))),
  remove(bytes, dice) {
    const from = early(bytes, dice)
    return without(bytes, from, from + 1 + dice.below(16))
  },
  insert: (bytes, dice) => withAt(bytes, early(bytes, dice), Buffer.alloc(1 + dice.below(9), dice.below(256))),
  repeat(bytes, dice) {
    const from = early(bytes, dice)
    return withAt(bytes, from, Buffer.from(bytes.subarray(from, from + 1 + dice.below(200))))
  },
  swap(bytes, dice) {
    const [a, b, length] = [early(bytes, dice), early(bytes, dice), 1 + dice.below(64)]
    const out = Buffer.from(bytes)
    bytes.copy(out, a, b, b + length)
    bytes.copy(out, b, a, a + length)
    return out
  },
  splice(bytes, dice, other) {
    const from = early(other, dice)
    return withAt(bytes, early(bytes, dice), Buffer.from(other.subarray(from, from + 1 + dice.below(400))))
  },
  mark: (bytes, dice) => withAt(bytes, early(bytes, dice), Buffer.from(dice.pick(marks), "hex")),
  vr(bytes, dice) {
    const out = Buffer.from(bytes)
    const from = early(out, dice)
    // The next place that looks like a VR.
    for (let i = from; i + 1 < Math.min(out.length, from + 64); i++)
      if (vrs.includes(out.toString("latin1", i, i + 2))) {
        out.write(dice.pick(vrs), i, "latin1")
        break
      }
    return out
  },
  plant(bytes, dice) {
    const out = Buffer.from(bytes)
    const word = dice.pick(canary)
    const form = dice.pick<Buffer>([
      Buffer.from(word),
      Buffer.from(word.toLowerCase()),
      Buffer.from(word, "utf16le"),
      Buffer.from(`^${word}=`),
    ])
    form.copy(out, early(out, dice))
    return out
  },
}

/** Where elements lie, at any depth, by offsets in the bytes. */
export interface Span {
  readonly start: number
  readonly valueStart: number
  readonly valueEnd: number
  readonly end: number
}

type Structural = (bytes: Buffer, span: Span, dice: Dice, other: Buffer) => Buffer

const tags = (table.rows as string[][]).map(([tag]) => tag!).filter((tag) => /^[0-9A-F]{8}$/.test(tag))

/** Ways in which a file that can still be read says something else, by name. */
export const structural: Readonly<Record<string, Structural>> = {
  value(bytes, { valueStart, valueEnd }, dice) {
    const out = Buffer.from(bytes)
    const said = dice.pick([
      ...canary,
      "19000101",
      "20240229",
      "1.2.3.4.1",
      "\\\\",
      "^=^",
      "\u001b$B",
      "\u001b)I",
      "-1",
      "\0",
    ])
    const from = valueStart + dice.below(Math.max(1, valueEnd - valueStart))
    Buffer.from(said).copy(out, from, 0, Math.max(0, Math.min(valueEnd, out.length) - from))
    return out
  },
  bytes(bytes, { valueStart, valueEnd }, dice) {
    const out = Buffer.from(bytes)
    const count = 1 + dice.below(4)
    if (valueEnd <= valueStart) return out
    for (let left = count; left > 0; left--) out[valueStart + dice.below(valueEnd - valueStart)] = dice.below(256)
    return out
  },
  tag(bytes, { start }, dice) {
    const out = Buffer.from(bytes)
    const tag = parseInt(dice.chance(0.8) ? dice.pick(tags) : "00091001", 16)
    if (start + 4 > out.length) return out
    out.writeUInt16LE(tag >>> 16, start)
    out.writeUInt16LE(tag & 0xffff, start + 2)
    return out
  },
  vr(bytes, { start }, dice) {
    const out = Buffer.from(bytes)
    out.write(dice.pick(vrs), start + 4, "latin1")
    return out
  },
  drop: (bytes, { start, end }) => without(bytes, start, end),
  copy: (bytes, { start, end }, dice) => withAt(bytes, dice.chance(0.5) ? end : start, bytes.subarray(start, end)),
  fill(bytes, { valueStart, valueEnd }, dice, other) {
    const out = Buffer.from(bytes)
    other.copy(out, valueStart, early(other, dice), other.length)
    bytes.copy(out, valueEnd, Math.min(valueEnd, bytes.length))
    return out
  },
}
const kinds = Object.values(mutations)
const structures = Object.values(structural)

/** A file with one to four things wrong. Two of three keep its structure, as most of the others are no files any more. */
export function mutated(bytes: Buffer, spans: readonly Span[], dice: Dice, other: Buffer): Buffer {
  const count = 1 + dice.below(4)
  let out = bytes
  if (spans.length > 0 && dice.chance(0.67)) {
    // From the end on, so that the places of those before stay.
    const places = Array.from({ length: count }, () => dice.pick(spans)).sort((a, b) => b.start - a.start)
    for (const span of new Set(places)) out = dice.pick(structures)(out, span, dice, other)
    return out
  }
  for (let left = count; left > 0 && out.length > 0; left--) out = dice.pick(kinds)(out, dice, other)
  return out
}
