import table from "./data/segments.json" with { type: "json" }

const token = /^[A-Za-z0-9._+/-]{1,20}$/
/** No code of the standard's tables, and no count of segments, has so many figures. */
const manyFigures = /\d{6}/
const code = /^[A-Za-z0-9[{(%<>*/+-][A-Za-z0-9._:|/+*^()[\]{}%'<>=,#-]{0,63}$/
const number = /^[<>=]{0,2}[+-]?\d{1,8}(?:\.\d{1,12})?$/
/** A date where a code or a number is expected. */
const dated = /(?:18|19|20)\d\d-\d\d-\d\d|^(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{4}(?:\d\d)?)?$/

/** Whether a text has the form of a code of the standard's own tables. */
export const isTableCode = (text: string): boolean => token.test(text) && !manyFigures.test(text) && !dated.test(text)
/** Whether a text has the form of a part of a message type. */
export const isToken = (text: string): boolean => token.test(text)
/** Whether a text has the form of a code. */
export const isCodeForm = (text: string): boolean => code.test(text) && !dated.test(text)
/** Numbers of nine figures and more, of social security, of telephones; of a system that nobody states, of seven and more. */
const numbered = /\d{9}|(?<!\d)\d{3}[-.]\d{2}[-.]\d{4}(?!\d)|(?<!\d)\d{3}[-.]\d{3}[-.]\d{4}(?!\d)/
/** Whether a code of a system that is not published may be the number of somebody. */
export const isNumbered = (code: string, system: string): boolean =>
  numbered.test(code) || (system === "" && /\d{7}/.test(code))

/** Whether a text is a number that is measured: an identifier has more figures. */
export const isNumber = (text: string): boolean => number.test(text) && !dated.test(text)
/** Comparators and separators of structured numbers (SN). */
export const isComparator = (text: string): boolean => /^[<>=:/+-]{1,2}$/.test(text)
export const isTime = (text: string): boolean => /^\d{2,6}(?:\.\d+)?$/.test(text)

const uid = /^(?=.{3,64}$)\d+(?:\.\d+)+$/
const registered = /^1\.2\.840\.10008\.[0-9.]{1,50}$/
export const isUid = (text: string): boolean => uid.test(text)
/** Whether a UID is one of the DICOM standard, which says nothing of a study. */
export const isRegistered = (text: string): boolean => registered.test(text)

const systems: ReadonlySet<string> = new Set(table.codeSystems)
/** Whether a coding system (HL7 table 0396) is published, so that its codes are of everybody. */
export const isPublished = (system: string): boolean => systems.has(system) || /^HL7\d{4}$|^ISO\d{3,5}$/.test(system)

/** Documents that stand in a text: their words are not all in sight. */
export const isDocument = (text: string): boolean =>
  /^\s*(?:<\?xml|<ClinicalDocument|<!DOCTYPE|<html|\{\\rtf|%PDF-)|[A-Za-z0-9+/\r\n]{300,}/i.test(text)
