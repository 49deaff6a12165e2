import type { Coding } from "./element.ts"
import { Output } from "./output.ts"
import { methodCodes, profileEdition } from "./profile.ts"
import type { ProfileOption } from "./profile.ts"
import { sequenceValue } from "./rewrite.ts"
import type { Insertion } from "./rewrite.ts"
import { CS, LO, SH, SQ, ST } from "./vr.ts"

const latin1 = (text: string): Uint8Array => Buffer.from(text.length % 2 === 0 ? text : `${text} `, "latin1")

/** Values of (0012,0063), at most 64 characters each. */
function methodText(options: readonly ProfileOption[], notes: readonly string[]): string {
  const profile = `Weir PS3.15 ${profileEdition} Basic Application Confidentiality Profile`
  return [profile, ...options, ...notes].join("\\")
}

function methodSequence(options: readonly ProfileOption[], coding: Coding): Uint8Array {
  const items = ["basic" as const, ...options].map((option) => {
    const [code, meaning] = methodCodes.get(option)!
    return [
      { tag: 0x00080100, vr: SH, value: latin1(code) },
      { tag: 0x00080102, vr: SH, value: latin1("DCM") },
      { tag: 0x00080104, vr: LO, value: latin1(meaning) },
    ]
  })
  return sequenceValue(new Output(512), items, coding)
}

/** Rules of HIPAA that an object was made by, besides those of PS3.15. */
export type LegalProfile = "safe-harbor" | "limited-data-set"

const legalText: Readonly<Record<LegalProfile, string>> = {
  "safe-harbor": "safe-harbor 45 CFR 164.514(b)(2): a date YYYY0101 is year YYYY",
  "limited-data-set": "limited-data-set 45 CFR 164.514(e): not de-identified",
}

/** What was done about a face: taken out, let through, or nothing, as there is none that we know of. */
export type FaceState = "cleaned" | "allowed" | "none"

/** What every released data set says of itself: PS3.15 E.1.1 and E.3.2, PS3.3 C.7.1.1, C.7.6.1 and C.12.1. Where there was no face to
 * judge, Recognizable Visual Features (0028,0302) stays as it was.
 * @param reviewed whether a person let it through */
export function statements(
  options: readonly ProfileOption[],
  coding: Coding,
  face: FaceState,
  legal?: LegalProfile,
  reviewed = false,
): readonly Insertion[] {
  const modified = options.includes("retain-longitudinal-modified-dates")
  const full = options.includes("retain-longitudinal-full-dates")
  const notes = [
    ...(legal === undefined ? [] : [legalText[legal]]),
    ...(face === "allowed" ? ["faces allowed"] : []),
    ...(reviewed ? ["reviewed by a person"] : []),
  ]
  const dates = modified ? "MODIFIED" : full ? "UNMODIFIED" : "REMOVED"
  return [
    { tag: 0x00120062, vr: CS, value: latin1("YES") },
    { tag: 0x00120063, vr: LO, value: latin1(methodText(options, notes)) },
    { tag: 0x00120064, vr: SQ, value: methodSequence(options, coding) },
    ...(face === "none" ? [] : [{ tag: 0x00280302, vr: CS, value: latin1(face === "cleaned" ? "NO" : "YES") }]),
    { tag: 0x00280303, vr: CS, value: latin1(dates) },
  ]
}

/** Derivation Description of an object whose pictures were changed. */
export const madeBlack = { tag: 0x00082111, text: "Burned-in text was made black" } as const

/** What an object says of its pictures besides: that they hold no identifying text where all of them were read (PS3.15 E.3.1), and that
 * they were changed (PS3.3 C.7.6.1.1.3). Of a sample of its series it says nothing new. */
export function withPixels(
  said: readonly Insertion[],
  pixels: "read" | "changed" | "sampled" | undefined,
): readonly Insertion[] {
  if (pixels !== "read" && pixels !== "changed") return said
  const more: Insertion[] = [{ tag: 0x00280301, vr: CS, value: latin1("NO") }]
  if (pixels === "changed") more.push({ tag: madeBlack.tag, vr: ST, value: latin1(madeBlack.text) })
  return [...said, ...more].sort((a, b) => a.tag - b.tag)
}
