/** What a file beside images is, by what is in it. */
export type RecordKind = "fhir" | "hl7v2" | "text"

/** undefined for what is read as DICOM.
 * @param head the first bytes of the file, some hundred */
export function recordKindOf(path: string, head: Uint8Array): RecordKind | undefined {
  const text = Buffer.from(head).toString("latin1")
  if (/^(?:\u00EF\u00BB\u00BF)?\s*\{/.test(text)) return "fhir"
  if (/^(?:\u00EF\u00BB\u00BF)?[\v\s]*(?:MSH|FHS|BHS)/.test(text)) return "hl7v2"
  return /\.txt$/i.test(path) ? "text" : undefined
}
