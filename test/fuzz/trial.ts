import { pseudonymizer } from "../../core/index.ts"
import { deidentifier, DicomFormatError, parse, parseWhole, profileOptions, Values } from "../../formats/dicom/index.ts"
import type { Deidentify, Input, ProfileOption, Pseudonyms, Verdict } from "../../formats/dicom/index.ts"
import { find } from "../../formats/dicom/element.ts"
import { isPixelData } from "../../formats/dicom/tag.ts"
import { PN } from "../../formats/dicom/vr.ts"
import { Dice } from "../sim/dice.ts"
import { canary, generated } from "./base.ts"
import type { Base } from "./base.ts"
import { mutated } from "./mutate.ts"

/** What became of one mutated file. `fault` names what must not be: a crash, a result that cannot be read, a leak. */
export interface Outcome {
  readonly verdict: string
  readonly fault?: string
}

const base = pseudonymizer(new Uint8Array(32).fill(11))
const pseudonym = base.person("fuzz")
const person: Pseudonyms = {
  patientId: () => pseudonym,
  patientName: () => pseudonym,
  uid: base.uid,
  accession: (value, issuer) => base.accession(issuer, value),
  identifier: base.identifier,
  shiftDays: base.shiftDays("fuzz"),
}

const fullest = profileOptions.filter((option) => !/retain-uids|full-dates/.test(option)) as readonly ProfileOption[]
const sets: readonly (readonly ProfileOption[])[] = [[], ["retain-longitudinal-modified-dates"], fullest]
const runs: readonly Deidentify[] = sets.map((options) => deidentifier({ options, faces: "allow" }))

/** Whether a file, read as the de-identifier reads it, names the planted person in its Patient's Name. */
function isNamed(input: Input): boolean {
  try {
    const parsed = parse(input, { stopAtPixelData: true, skipPrivate: true })
    const element = parsed.kind === "more" ? undefined : find(parsed.dataSet, 0x00100010)
    if (parsed.kind === "more" || element === undefined || element.items !== undefined) return false
    const text = new Values(parsed.source, parsed.dataSet).text(element, PN)
    const words: readonly string[] = text.toUpperCase().match(/[\p{L}\p{N}]+/gu) ?? []
    return canary.every((word) => words.includes(word))
  } catch (thrown) {
    if (thrown instanceof DicomFormatError) return false
    throw thrown
  }
}

/** Bytes beyond those that are kept of a base are zeros. */
function whole(deidentify: Deidentify, given: Input): { readonly verdict: Verdict; readonly input: Input } {
  let input = given
  for (let turn = 0; turn < 50; turn++) {
    const verdict = deidentify(input, { person })
    if (verdict.kind !== "more" || verdict.to > input.size) return { verdict, input }
    if (verdict.part === "tail") input = { ...input, tail: Buffer.alloc(verdict.to - verdict.from) }
    else if (verdict.to > 4 << 20 || verdict.to <= input.header.length) return { verdict, input }
    else input = { ...input, header: Buffer.concat([input.header, Buffer.alloc(verdict.to - input.header.length)]) }
  }
  return { verdict: { kind: "more", part: "header", from: 0, to: -1 }, input }
}

const bounded = new RegExp(`(?<![a-z0-9])(?:${canary.join("|")})(?![a-z0-9])`, "i")
const wide = canary.map((word) => Buffer.from(word, "utf16le").toString("latin1"))

/** What is wrong with a released file; undefined when nothing is. */
function faultOf(verdict: Extract<Verdict, { kind: "released" }>, input: Input): string | undefined {
  const { prefix } = verdict
  let searched: string
  try {
    const parsed = parse({ header: prefix, size: prefix.length }, { stopAtPixelData: true })
    if (parsed.kind === "more") return "result-unreadable"
    const pixels = parsed.dataSet.elements.find(({ tag }) => isPixelData(tag))
    const body = Buffer.from(parsed.source.header).subarray(0, pixels?.start)
    searched = `${Buffer.from(parsed.metaSource.header.subarray(0, 1024)).toString("latin1")}\0${body.toString("latin1")}`
    const { from, to } = verdict.copy
    if (to <= input.header.length) parseWhole(Buffer.concat([prefix, input.header.subarray(from, to), verdict.suffix]))
  } catch (thrown) {
    return thrown instanceof DicomFormatError ? "result-unreadable" : `crash ${String(thrown)}`
  }
  const told = bounded.test(`${searched}\0${JSON.stringify(verdict.summary)}`)
  if (!told && !wide.some((form) => searched.includes(form))) return undefined
  // Where the damage took the name from the patient, nobody can know that it is one.
  return isNamed(input) ? "leak" : undefined
}

/** The mutated file of a seed and number. */
export function inputOf(
  bases: readonly Base[],
  seed: number,
  number: number,
): { readonly input: Input; readonly dice: Dice } {
  const dice = new Dice((seed * 0x9e3779b1 + number * 0x85ebca6b) >>> 0)
  const from = bases.length === 0 || dice.chance(0.5) ? generated(dice) : dice.pick(bases)
  const other = bases.length === 0 ? from : dice.pick(bases)
  const header = mutated(from.header, from.spans, dice, other.header)
  return { input: { header, size: Math.max(header.length, header.length + from.size - from.header.length) }, dice }
}

/** De-identifies the file of a seed and number. */
export function trial(bases: readonly Base[], seed: number, number: number): Outcome {
  const { input, dice } = inputOf(bases, seed, number)
  const run = dice.pick(runs)
  try {
    const { verdict, input: given } = whole(run, input)
    if (verdict.kind === "more") return verdict.to === -1 ? { verdict: "more", fault: "endless" } : { verdict: "more" }
    if (verdict.kind === "refused") return { verdict: verdict.reason }
    const fault = faultOf(verdict, given)
    return { verdict: "released", ...(fault === undefined ? {} : { fault }) }
  } catch (thrown) {
    const { stack } = thrown as Error
    return { verdict: "crash", fault: `crash ${stack?.split("\n").slice(0, 3).join(" ") ?? String(thrown)}` }
  }
}
