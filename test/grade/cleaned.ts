import type { Element } from "./reader.ts"
import type { Pair } from "./pair.ts"
import { valueAt } from "./pair.ts"
import { textOf } from "./text.ts"

const DERIVATION_DESCRIPTION = 0x00082111
const PHOTOMETRIC_INTERPRETATION = 0x00280004
const TEXT_VALUE = 0x0040a160
const CODE_MEANING = 0x00080104
const UNFORMATTED_TEXT = 0x00700006

/** Schemes of PS3.16 Table 8-1, retired and superseded ones too. Designators of private schemes begin with 99 (PS3.16 8.2). */
const registered: ReadonlySet<string> = new Set(
  `ACR ASTM-SIGPURPOSE BARI BI C4 C5 CD2 CPT4 CVX DC DCM DCMUID FMA HPC I10 I10P I11 I9 I9C IBSI ICDO3 ISO_OID ISO3166_1 ISO639_1
  ISO639_2 ITIS_TSN LN MA MAYOASRG MDC MDNS MGPI MSH NCDR NCIT NDC NEU NICIP NYUMCCG ON PATHLEX POS RADELEMENT RADLEX RFC3066 RFC5646
  RXNORM SCPECG SCT SNM3 SRT TNM UBERON UCUM UMLS UNS UPC V3`.split(/\s+/),
)

/** Sequences of content items, in which Clean Structured Content (PS3.15 E.3.4) replaces what may identify: Content Sequence, Acquisition
 * Context Sequence, Specimen Preparation Sequence. */
const isContent = (path: string): boolean => /(?:^|\.)(?:0040A730|00400555|00400610)\[/.test(path)

/** Whether the meaning of a code is of its makers' own wording: of a scheme that nobody has published. */
function isOwnMeaning({ path }: Element, before: Pair["before"]): boolean {
  const scheme = before.get(`${path.slice(0, -8)}00080102`)
  const designator = scheme === undefined ? "" : textOf(scheme).trim().toUpperCase()
  return designator.startsWith("99") || !registered.has(designator)
}

/** Whether an option that cleans may replace the text of an attribute that Table E.1-1 passes over: text items and meanings of private
 * codes in structured content (E.3.4), text of annotations (E.3.3), and with Clean Descriptors (E.3.5, "text or string attributes")
 * the meanings of private codes anywhere. */
export function mayReplaceText(element: Element, { asked, before }: Pair): boolean {
  const { tag, path } = element
  if (tag === TEXT_VALUE) return asked.has("clean-structured-content") && isContent(path)
  if (tag === UNFORMATTED_TEXT) return asked.has("clean-graphics")
  if (tag !== CODE_MEANING || !isOwnMeaning(element, before)) return false
  return asked.has("clean-descriptors") || (asked.has("clean-structured-content") && isContent(path))
}

/** Photometric interpretations that pixel data may have by its transfer syntax (PS3.5 8.2 and PS3.3 C.7.6.3.1.2). */
const grey = ["MONOCHROME1", "MONOCHROME2"]
const interpretations: Readonly<Record<string, readonly string[]>> = {
  "1.2.840.10008.1.2.4.50": [...grey, "RGB", "YBR_FULL_422"],
  "1.2.840.10008.1.2.4.80": [...grey, "PALETTE COLOR", "RGB", "YBR_FULL"],
  "1.2.840.10008.1.2.4.90": [...grey, "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_RCT"],
  "1.2.840.10008.1.2.4.91": [...grey, "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_RCT", "YBR_ICT"],
}
const uncompressed = [...grey, "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422"]

/** Whether the output's pixels are others than the input's, by an option that allows it, and the output says so. */
export function pixelsCleaned({ before, after, output }: Pair): boolean {
  const items = after.get("00120064")?.items ?? []
  const codes = items.map((_, at) => valueAt(after, `00120064[${at}].00080100`))
  if (!codes.includes("113101") && !codes.includes("113102")) return false
  const [was, now] = [before.get("7FE00010"), after.get("7FE00010")]
  if (was === undefined || now === undefined) return false
  const bytes = ({ fragments, value }: Element) => Buffer.concat([...(fragments ?? [value])])
  return valueAt(before, "00020010") !== output.transferSyntax || !bytes(was).equals(bytes(now))
}

/** Whether an attribute of the top level may say something else as the pixels are others: how they were derived (PS3.3 C.7.6.1.1.3) in words
 * that are not those of the original, and the photometric interpretation, as one that the transfer syntax allows. */
export function describesPixels(
  { tag, path }: Element,
  was: Element | undefined,
  now: Element,
  { output }: Pair,
): boolean {
  if (path.includes(".")) return false
  if (tag === DERIVATION_DESCRIPTION)
    return was === undefined || textOf(was) === "" || !textOf(now).includes(textOf(was))
  if (tag !== PHOTOMETRIC_INTERPRETATION || was === undefined) return false
  const colour = (element: Element): boolean => !grey.includes(textOf(element)) && textOf(element) !== "PALETTE COLOR"
  return colour(was) === colour(now) && (interpretations[output.transferSyntax] ?? uncompressed).includes(textOf(now))
}
