import { columns } from "../table.ts"
import { version } from "../version.ts"
import type { ExplainedElement, RecordExplanation } from "./explain.ts"
import type { RecordKind } from "./record-kind.ts"

/** Why a rule decides as it does, in words. */
const why: Readonly<Record<RecordKind, Readonly<Record<string, string>>>> = {
  fhir: {
    "not-listed": "the allow-list of its type does not name it",
    "extension-not-listed": "the allow-list does not name its url",
    "contained-not-listed": "it is the person, or of a type that does not pass",
    type: "the type of the resource",
    id: "ids are mapped",
    person: "who it is about is told by the person's code",
    "age-at-event": "stands for the birth date",
    "birth-date": "the age stands for it; a limited data set tells it",
    "birth-date-code": "an observation of this code tells a birth date",
    "age-code": "ages of 90 and more are told as one",
    date: "dates are told as the profile says",
    instant: "dates are told as the profile says",
    time: "a time of day without a date",
    Address: "places are told as the profile says",
    Coding: "system and code; a display is a text",
    Quantity: "a number with a unit of UCUM",
    Age: "ages of 90 and more are told as one",
    uid: "UIDs are mapped, unless they are retained",
    "sop-class": "a class of DICOM instances",
    identifiers: "UIDs and accession numbers are mapped, others go",
    accession: "accession numbers are mapped",
    ref: "references are mapped as the id of what they name",
    token: "one of the standard's words",
    boolean: "true or false",
    integer: "a whole number",
    decimal: "a number",
    elements: "no object where the standard has one",
  },
  hl7v2: {
    "z-segment": "a segment of the site's own",
    "segment-not-listed": "the table does not name the segment",
    "field-not-listed": "the table does not name the field",
    keep: "a word of the standard's tables",
    charset: "the character set",
    type: "the type of the message",
    code: "codes stay by their form, their texts are cleaned",
    text: "texts are searched for what identifies",
    number: "a number",
    date: "dates are told as the profile says",
    dates: "dates are told as the profile says",
    time: "a time of day without a date",
    person: "who it is about is told by the person's code",
    name: "who it is about is told by the person's code",
    "birth-date": "the age stands for it; a limited data set tells it",
    age: "stands for the birth date",
    address: "places are told as the profile says",
    order: "accession and order numbers are mapped",
    visit: "the number of the visit is mapped",
    message: "the id of the message is mapped",
    uid: "UIDs are mapped, unless they are retained",
    value: "a value, by the type that OBX-2 states",
  },
  text: { text: "texts are searched for what identifies" },
}

const whyOf = (format: RecordKind, { rule, reason }: ExplainedElement): string => {
  const name = rule.replace(/[ (].*$/, "")
  const words = why[format][name] ?? "a rule of the format"
  return reason === undefined ? words : `${words} (${reason})`
}

/** An explanation as lines for people. */
export function recordLines(explanation: RecordExplanation): readonly string[] {
  const { place, format, profile, verdict, path, elements, findings } = explanation
  const refused = verdict === "released" ? "released" : `refused: ${[verdict, path].filter(Boolean).join(" ")}`
  const told = elements.map((one) => [one.path, one.rule, one.action, whyOf(format, one)])
  const found = findings.map((one) => [one.path, `${one.start}-${one.end}`, one.kind])
  return [
    `${place === "" ? "" : `${place}: `}${format}, profile ${profile}; weir ${version()}`,
    refused,
    ...(told.length === 0 ? [] : ["", ...columns([["element", "rule", "what becomes of it", "why"], ...told])]),
    ...(found.length === 0 ? [] : ["", ...columns([["text", "from-to", "replaced as"], ...found])]),
  ]
}
