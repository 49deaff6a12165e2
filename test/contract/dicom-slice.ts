import { buildPart10, deidentifier, parseWhole, tagText, Values } from "../../formats/dicom/index.ts"
import type {
  DataElement,
  DataSet,
  Parsed,
  Policy,
  ProfileOption,
  Pseudonyms,
  Verdict,
} from "../../formats/dicom/index.ts"

/** Pseudonyms that can be told apart. */
export const person: Pseudonyms = {
  patientId: () => "pseudonympseudonympseudony",
  patientName: () => "pseudonympseudonympseudony",
  uid: (uid) => `2.25.${BigInt(`0x${Buffer.from(uid).toString("hex")}`) % 10n ** 38n}`,
  accession: (value, issuer) => `A${value.length}I${issuer.length}`.padEnd(16, "X"),
  identifier: (namespace, value) => `ID-${namespace.length}-${value.length}`,
  shiftDays: 400,
}

export const explicitLittle = "1.2.840.10008.1.2.1"

/** A CT slice of the chest of DOE^JANE; elements given replace those of the same tag, those without value or items are left out. */
export function slice(...changes: readonly DataElement[]): readonly DataElement[] {
  const base: readonly DataElement[] = [
    { tag: "00080008", vr: "CS", value: ["ORIGINAL", "PRIMARY", "AXIAL"] },
    { tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.2" },
    { tag: "00080018", vr: "UI", value: "1.2.3.4.5" },
    { tag: "00080050", vr: "SH", value: "ACC-778899" },
    { tag: "00080060", vr: "CS", value: "CT" },
    { tag: "00100010", vr: "PN", value: "DOE^JANE" },
    { tag: "00100020", vr: "LO", value: "MRN-4711" },
    { tag: "00180015", vr: "CS", value: "CHEST" },
    { tag: "0020000D", vr: "UI", value: "1.2.3.4.1" },
    { tag: "0020000E", vr: "UI", value: "1.2.3.4.2" },
    { tag: "00280002", vr: "US", value: 1 },
    { tag: "00280004", vr: "CS", value: "MONOCHROME2" },
    { tag: "00280010", vr: "US", value: 2 },
    { tag: "00280011", vr: "US", value: 2 },
    { tag: "00280100", vr: "US", value: 16 },
    { tag: "7FE00010", vr: "OW", value: [1, 2, 3, 4] },
  ]
  const changed = new Set(changes.map(({ tag }) => tag))
  return [
    ...base.filter(({ tag }) => !changed.has(tag)),
    ...changes.filter(({ value, items, fragments }) => (value ?? items ?? fragments) !== undefined),
  ]
}

export const build = (elements: readonly DataElement[], transferSyntax = explicitLittle): Uint8Array =>
  buildPart10(elements, { transferSyntax })

export function verdictOn(
  bytes: Uint8Array,
  options: readonly ProfileOption[],
  more: Partial<Policy> = {},
  size = bytes.length,
): Verdict {
  // What the option asks of pictures is done before, by who reads them.
  const pixels = options.includes("clean-pixel-data") ? ({ pixels: "read" } as const) : {}
  return deidentifier({ options, faces: "refuse", ...more })(
    { header: bytes, size },
    { person, series: { risk: undefined }, ...pixels },
  )
}

/** The de-identified file. */
export function release(bytes: Uint8Array, options: readonly ProfileOption[], more: Partial<Policy> = {}): Uint8Array {
  const verdict = verdictOn(bytes, options, more)
  if (verdict.kind !== "released") throw new Error(JSON.stringify(verdict))
  const { prefix, copy, suffix } = verdict
  return Buffer.concat([prefix, bytes.subarray(copy.from, copy.to), suffix])
}

/** The reason of a refusal; `released` otherwise. */
export function refusal(bytes: Uint8Array, options: readonly ProfileOption[]): string {
  const verdict = verdictOn(bytes, options)
  return verdict.kind === "refused" ? verdict.reason : verdict.kind
}

/** All texts of a file, by path; of a sequence how many items it has. */
export const textsOf = (bytes: Uint8Array): Map<string, string> => {
  const parsed = parseWhole(bytes, { safePrivate: true })
  return texts(parsed, parsed.dataSet, new Values(parsed.source, parsed.dataSet), "")
}

function texts(parsed: Parsed, dataSet: DataSet, values: Values, path: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const element of dataSet.elements) {
    const here = path + tagText(element.tag)
    if (element.items === undefined) found.set(here, values.text(element))
    else found.set(here, `${element.items.length} items`)
    element.items?.forEach((item, index) => {
      const inside = new Values(parsed.source, item, values.charset)
      for (const [inner, text] of texts(parsed, item, inside, `${here}[${index}].`)) found.set(inner, text)
    })
  }
  return found
}
