import { at, items, object, text } from "./json.ts"
import type { Json } from "./json.ts"

/** What a fact's status lets it say. absent: as if it were not there. */
export type Standing =
  | { readonly says: "yes" }
  | { readonly says: "maybe"; readonly why: "not-final" | "not-confirmed" | "inexact-code" }
  | { readonly says: "no" }
  | { readonly says: "absent" }

const yes: Standing = { says: "yes" }
const absent: Standing = { says: "absent" }
const final = new Set(["final", "amended", "corrected", "appended"])
const gone = new Set(["entered-in-error", "cancelled"])
/** Something that did not happen, or not yet, shows nobody. */
const noEvent = new Set([...gone, "not-done", "planned", "proposed", "draft", "booked", "pending", "waitlist"])

const verification = (resource: Json): readonly string[] => {
  const stated = resource["verificationStatus"]
  const codes = items(object(stated)["coding"]).map(({ code }) => code)
  return [...codes, stated].filter((code) => typeof code === "string")
}

/** The standing of an Observation, DiagnosticReport or Condition (FHIR R4; `appended` is a final report with additions). */
export function standing(type: string, resource: Json): Standing {
  const status = text(resource["status"])
  if (status !== undefined && gone.has(status)) return absent
  if (type !== "Condition") return status !== undefined && final.has(status) ? yes : { says: "maybe", why: "not-final" }
  const codes = verification(resource)
  if (codes.includes("entered-in-error")) return absent
  if (codes.includes("refuted")) return { says: "no" }
  return codes.includes("confirmed") ? yes : { says: "maybe", why: "not-confirmed" }
}

/** True when the resource shows that the person was seen. */
export const isEvent = (resource: Json): boolean =>
  !noEvent.has(text(resource["status"]) ?? "") && !verification(resource).includes("entered-in-error")

/** Relationships of a mapped code (FHIR R4 ConceptMap equivalence, and R5's names) by which the record says the target code too:
 * the target means the same, or more. */
const implied = new Set(["equal", "equivalent", "wider", "subsumes", "source-is-narrower-than-target"])
/** The target means less or overlaps: the record may mean it. All others (relatedto, unmatched, disjoint) say nothing. */
const possible = new Set(["narrower", "specializes", "inexact", "source-is-broader-than-target"])

/** Whether a mapping says the target (true), may say it (false) or says nothing of it. */
export const mappedExactly = (relationship: string): boolean | undefined =>
  implied.has(relationship) ? true : possible.has(relationship) ? false : undefined

/** Newest stated lastUpdated is a part of knowing; the text, unread. */
export const lastUpdated = (resource: Json): string | undefined => text(at(resource, ["meta", "lastUpdated"]))
