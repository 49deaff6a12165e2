import { numberWidth, vrCode } from "./vr.ts"

const texts: ReadonlyMap<number, Uint8Array> = new Map(
  Object.entries({
    AE: "ANONYMOUS",
    AS: "000Y",
    CS: "ANONYMOUS",
    DA: "19000101",
    DS: "0",
    DT: "19000101000000",
    IS: "0",
    LO: "ANONYMOUS",
    LT: "ANONYMOUS",
    PN: "ANONYMOUS",
    SH: "ANONYMOUS",
    ST: "ANONYMOUS",
    TM: "000000",
    UC: "ANONYMOUS",
    UR: "urn:anonymous",
    UT: "ANONYMOUS",
  }).map(([vr, text]) => [vrCode(vr), Buffer.from(text.length % 2 === 0 ? text : `${text} `, "latin1")]),
)

/** A value that is valid for a VR, of even length, and says nothing (PS3.15 Table E.1-1a, action D); UI and SQ have none. */
export const dummyValue = (vr: number): Uint8Array =>
  texts.get(vr) ?? new Uint8Array(Math.max(2, numberWidth.get(vr) ?? 2))
