import type { DataSet } from "./element.ts"
import { find } from "./element.ts"
import { rawText } from "./raw-text.ts"
import type { Source } from "./source.ts"

/** What the concept name of a content item (PS3.3 C.17.3, PS3.16 TID 1001 to 1009) says of its value: who or when it is about, by
 * its meaning and not only by its kind. */
export type ItemSubject = "birth-date" | "age" | "sex" | "identity"

/** Sequences of content items: Content Sequence, Acquisition Context Sequence, Specimen Preparation Sequence, and the presentation
 * state's and waveform's annotations (PS3.15 E.3.3, E.3.4). */
export const contentSequences: ReadonlySet<number> = new Set([
  0x0040a730, 0x00400555, 0x00400610, 0x0040b020, 0x00700001,
])

/** Codes of scheme DCM: subject, observer, device and procedure context. */
const subjects: ReadonlyMap<string, ItemSubject> = new Map<string, ItemSubject>([
  ["121031", "birth-date"],
  ["121033", "age"],
  ["121032", "sex"],
  ...["121008", "121009", "121013", "121016", "121017", "121020", "121022", "121029", "121030", "121036", "128774"].map(
    (code) => [code, "identity"] as const,
  ),
])

/** Of a content item; undefined for one that is about the picture, the finding or anything else, and for what is no content item. */
export function itemSubject(source: Source, item: DataSet): ItemSubject | undefined {
  const name = find(item, 0x0040a043)?.items?.[0]
  if (name === undefined) return undefined
  const text = (tag: number): string => {
    const element = find(name, tag)
    return element === undefined || element.items !== undefined ? "" : rawText(source, element).trim()
  }
  return text(0x00080102) === "DCM" ? subjects.get(text(0x00080100)) : undefined
}

/** Coding schemes whose meanings are published (PS3.16 chapter 8): nobody's name is in them. */
const published: ReadonlySet<string> = new Set(
  `DCM SCT SRT SNM3 LN UCUM RADLEX RADELEMENT FMA NCIT UMLS IBSI MDC BARI NEU ICD10 I10 I10P I11 I9 I9C ICDO3 ACR C4 C5 CD2 CPT4 CVX DC
  RXNORM NDC MSH BI PXMRS ISO3166_1 ISO639_1 ISO639_2 RFC3066 RFC5646 DICOMUID DCMUID ITIS_TSN NYUMCCG ON HPC MGPI MDNS MAYOASRG NCDR
  NICIP PATHLEX POS SCPECG TNM UBERON UNS`.split(/\s+/),
)

/** Whether the meaning of a coded entry (PS3.3 8.8) was written by those who made the object, not by a published scheme. */
export function hasOwnMeaning(source: Source, code: DataSet): boolean {
  const scheme = find(code, 0x00080102)
  return (
    scheme === undefined || scheme.items !== undefined || !published.has(rawText(source, scheme).trim().toUpperCase())
  )
}
