/** Value representations as 16-bit numbers, first letter high, so that the parser makes no strings (PS3.5 6.2). */
export const vrCode = (vr: string): number => (vr.charCodeAt(0) << 8) | vr.charCodeAt(1)

/** The two letters of a code. */
export const vrName = (code: number): string => String.fromCharCode(code >> 8, code & 0xff)

/** VRs with a 16-bit length in explicit encodings; all others, unknown ones too, have 32 bits (PS3.5 7.1.2). */
export const shortVrs: ReadonlySet<number> = new Set(
  "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split(" ").map(vrCode),
)

/** Every VR of PS3.5 table 6.2-1. */
export const knownVrs: ReadonlySet<number> = new Set([
  ...shortVrs,
  ..."OB OD OF OL OV OW SQ SV UC UN UR UT UV".split(" ").map(vrCode),
])

/** VRs whose text is written in Specific Character Set (PS3.5 6.1.2.2). */
export const charsetVrs: ReadonlySet<number> = new Set("LO LT PN SH ST UC UT".split(" ").map(vrCode))

/** VRs whose value is one text that may hold backslashes. */
export const singleTextVrs: ReadonlySet<number> = new Set("LT ST UT UR".split(" ").map(vrCode))

/** Bytes of one number of a VR; absent for text and opaque ones. */
export const numberWidth: ReadonlyMap<number, number> = new Map(
  Object.entries({
    US: 2,
    SS: 2,
    UL: 4,
    SL: 4,
    FL: 4,
    FD: 8,
    SV: 8,
    UV: 8,
    AT: 4,
    OW: 2,
    OL: 4,
    OF: 4,
    OD: 8,
    OV: 8,
    OB: 1,
  }).map(([vr, width]) => [vrCode(vr), width]),
)

export const SQ = vrCode("SQ")
export const UN = vrCode("UN")
export const UI = vrCode("UI")
export const OB = vrCode("OB")
export const OW = vrCode("OW")
export const DA = vrCode("DA")
export const DT = vrCode("DT")
export const TM = vrCode("TM")
export const AS = vrCode("AS")
export const PN = vrCode("PN")
export const SH = vrCode("SH")
export const LO = vrCode("LO")
export const ST = vrCode("ST")
export const CS = vrCode("CS")
export const AE = vrCode("AE")
export const DS = vrCode("DS")
export const IS = vrCode("IS")
export const UC = vrCode("UC")
export const UL = vrCode("UL")
