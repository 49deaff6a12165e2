/** DICOM files: reading, splicing and de-identifying them as bytes (PS3.5, PS3.10, PS3.15 annex E). */
export { DicomFormatError } from "./errors.ts"
export type { DicomFormatCode } from "./errors.ts"
export { parse, parseWhole } from "./parse.ts"
export type { Input, NeedMore, Parsed, ParseOptions } from "./parse.ts"
export type { Coding, DataSet, Element, Fragment, Item } from "./element.ts"
export { summarize, summaryOf } from "./summary.ts"
export type { Summary } from "./summary.ts"
export { buildPart10 } from "./build.ts"
export type { BuildOptions, DataElement } from "./build.ts"
export { isRegisteredUid, lookup, tagOf } from "./dictionary.ts"
export { tagText } from "./tag.ts"
export { textsOf } from "./texts.ts"
export { Values } from "./values.ts"
export { charsetOf, decodeText, encodeText } from "./charset.ts"
export type { Charset } from "./charset.ts"
export { deidentifier, deidentifyInstance } from "./deidentify.ts"
export type {
  Deidentify,
  InstanceContext,
  Policy,
  Released,
  ReleasedSummary,
  Report,
  Reviewed,
  Verdict,
} from "./deidentify.ts"
export { optionsFault, profileEdition, profileOptions } from "./profile.ts"
export type { ProfileOption } from "./profile.ts"
export type { Counts, Pseudonyms } from "./pseudonyms.ts"
export { readingOf } from "./refusal.ts"
export type { Reading, RefusalReason, Refused } from "./refusal.ts"
export { namesIn } from "./own-identifiers.ts"
export { cleanDescriptor } from "./clean-text.ts"
export type { CleanText, TextPerson } from "./clean-text.ts"
export { canShowFace, riskOf, seriesEvidence, seriesRisk } from "./region.ts"
export type { SeriesEvidence, SeriesRisk } from "./region.ts"
export { findIdentifiers } from "./identifiers.ts"
export { explain, whyText } from "./explain.ts"
export type { Explained, Explanation, Fate } from "./explain.ts"
export type { Decision, Why } from "./decision.ts"
