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

/** What takes the place of a dummy that the original has already: one more day. */
const others: ReadonlyMap<string, Uint8Array> = new Map([
  ["19000101", Buffer.from("19000102")],
  ["19000101000000", Buffer.from("19000102000000")],
])

/** A value that is valid for a VR, of even length, and says nothing (PS3.15 Table E.1-1a, action D); UI and SQ have none.
 * @param original the text that it replaces, so that a date is another than that */
export function dummyValue(vr: number, original = ""): Uint8Array {
  const text = texts.get(vr)
  if (text === undefined) return new Uint8Array(Math.max(2, numberWidth.get(vr) ?? 2))
  return (text.length === original.length ? others.get(original) : undefined) ?? text
}
