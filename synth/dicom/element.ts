import type { DataElement } from "../../formats/dicom/index.ts"

/** An element of a tag; empty without a value. */
export const el = (tag: string, vr: string, value?: NonNullable<DataElement["value"]>): DataElement =>
  value === undefined ? { tag, vr } : { tag, vr, value }

/** A sequence with its items. */
export const sq = (tag: string, ...items: readonly (readonly DataElement[])[]): DataElement => ({
  tag,
  vr: "SQ",
  items,
})

/** Code Sequence Macro (PS3.3 table 8.8-1). */
export const code = (value: string, scheme: string, meaning: string): readonly DataElement[] => [
  el("00080100", "SH", value),
  el("00080102", "SH", scheme),
  el("00080104", "LO", meaning),
]
