import { escape } from "../../formats/hl7v2/index.ts"
import type { Message } from "../../formats/hl7v2/index.ts"

/** What a sender is told of a message: it is durable; it has a fault of its own; it cannot be taken at all. */
export type Outcome = "accepted" | "error" | "rejected"

/** MSA-1 in original and in enhanced mode (HL7 v2.5.1 ch. 2, 2.9.2 and 2.9.3; table 0008). */
const codes = {
  accepted: { original: "AA", enhanced: "CA" },
  error: { original: "AE", enhanced: "CE" },
  rejected: { original: "AR", enhanced: "CR" },
} as const

const stamp = (now: number): string => `${new Date(now).toISOString().slice(0, 19).replaceAll(/\D/g, "")}+0000`

/** The acknowledgement of a message; undefined where it asks for none (MSH-15). A sender that states MSH-15 or MSH-16 is answered in
 * enhanced mode, by a commit acknowledgement: what the message did is said by no one.
 * @param message undefined where its head could not be read
 * @param id control id of the acknowledgement
 * @param now ms since 1970, UTC
 * @param reason a code, for MSA-3 */
export function acknowledgement(
  message: Message | undefined,
  outcome: Outcome,
  { id, now, reason = "" }: { readonly id: string; readonly now: number; readonly reason?: string },
): string | undefined {
  const head = message?.segments[0]?.fields ?? []
  const its = message?.delimiters ?? delimiters
  const [when = "", application = ""] = [head[15], head[16]]
  const enhanced = when !== "" || application !== ""
  const wanted = when === "AL" || when === (outcome === "accepted" ? "SU" : "ER") || (enhanced && when === "")
  if (enhanced && !wanted) return undefined
  const { field, component } = its
  const trigger = (head[9] ?? "").split(component)[1] ?? ""
  const marks = [its.component, its.repetition, its.escape, its.subcomponent, its.truncation].join("")
  // Fields 3 to 6 change sides.
  const [to, toPlace, from, fromPlace] = [head[3] ?? "", head[4] ?? "", head[5] ?? "", head[6] ?? ""]
  const type = trigger === "" ? "ACK" : ["ACK", trigger, "ACK"].join(component)
  const told = [
    "MSH",
    marks,
    from,
    fromPlace,
    to,
    toPlace,
    stamp(now),
    "",
    type,
    id,
    head[11] || "P",
    head[12] || "2.5",
  ]
  const code = codes[outcome][enhanced ? "enhanced" : "original"]
  return `${told.join(field)}\r${["MSA", code, head[10] ?? "", escape(reason, its)].join(field)}\r`
}

const delimiters = { field: "|", component: "^", repetition: "~", escape: "\\", subcomponent: "&", truncation: "" }
