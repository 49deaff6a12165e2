import { date, identifier, keep, long, optional, recordType, string } from "../record-type.ts"
import type { ValueOf } from "../record-type.ts"

/** A de-identified HL7 v2 message; its body holds listed fields only. */
export const curatedMessage = recordType({
  name: "curated-message",
  doc: "A de-identified HL7 v2 message",
  id: ["messageId"],
  fields: {
    messageId: identifier(string, "pseudonymous id"),
    messageType: keep(string, "MSH-9, as ORU^R01^ORU_R01"),
    time: date(optional(long), "shifted clinical time, ms since 1970, UTC"),
    body: keep(string, "the message, in Unicode, listed segments and fields only"),
    profile: keep(string, "profile and options that ran"),
  },
})
/** A value of `curated-message`. */
export type CuratedMessage = ValueOf<typeof curatedMessage>
