import { array, group, identifier, keep, nested, optional, recordType, string, text } from "../record-type.ts"
import type { ValueOf } from "../record-type.ts"

/** One HL7 v2 message as it arrived, keyed by its first patient identifier (`authority|value`; empty when it names no patient). */
export const hl7v2Message = recordType({
  name: "hl7v2-message",
  doc: "An HL7 v2 message as it arrived",
  id: ["sha256"],
  fields: {
    source: keep(string, "name of the source"),
    sha256: identifier(string, "SHA-256 of the message's bytes, hex: a message that is sent again is the same row"),
    messageType: keep(string, "MSH-9, as ORU^R01^ORU_R01"),
    controlId: identifier(string, "MSH-10"),
    sender: text(string, "MSH-3 and MSH-4, as APPLICATION|FACILITY"),
    sent: text(optional(string), "MSH-7"),
    patientIds: group(
      array(
        nested("Hl7PatientId", {
          value: identifier(string, "PID-3.1"),
          authority: text(string, "PID-3.4: namespace id of the assigning authority, else its universal id"),
          type: keep(string, "PID-3.5, as MR"),
        }),
      ),
      "the identifiers of PID-3",
    ),
    body: text(string, "the message, in Unicode; MSH-18 says what it was sent in"),
  },
})
/** A value of `hl7v2-message`. */
export type Hl7v2Message = ValueOf<typeof hl7v2Message>
