import {
  Schema,
  defineStateful,
  dicomInstance,
  fatal,
  fhirResource,
  hl7v2Message,
  personEvent,
  port,
} from "../../core/index.ts"
import { zoneOffset } from "../../formats/fhir/time.ts"
import { eraseWhoIsAsked, isAnyErased } from "./erase.ts"
import { Namespaces } from "./members.ts"
import { resolve } from "./resolve.ts"

const options = Schema.Struct({
  "time-zone": Schema.optionalKey(
    Schema.String.annotate({
      description:
        "zone of dates and times that state none: an IANA name, Z or +hh:mm (default: times are as the source read them)",
    }),
  ),
})

export const inputs = {
  dicom: port(dicomInstance, "study", "phi"),
  fhir: port(fhirResource, "patient-reference", "phi"),
  hl7v2: port(hl7v2Message, "patient-id", "phi"),
}
export const outputs = { out: port(personEvent, "person", "phi") }

/** Finds the person of each instance, resource and message. A person is a connected set of identifiers, as current Patients state it; the
 * person key is a function of the set alone. Identity spans partitions, so all of it lives in state that the stage's tasks
 * share: whichever task reads a merge or unmerge emits what was known of the one under the other and takes it from the first. */
export const resolvePatient = defineStateful({
  name: "resolve-patient",
  summary: "Resolves patients and keys everything by person; merges, unmerges and corrections move what was known",
  options,
  secrets: () => ["identity-key"],
  inputs,
  outputs,
  async create(given, context) {
    const name = given["time-zone"]
    const zone = name === undefined ? undefined : zoneOffset(name)
    if (name !== undefined && zone === undefined)
      throw fatal("time-zone-unknown", "the time zone is no IANA name, Z or +hh:mm", { path: "time-zone" })
    const namespaces = new Namespaces(context.identity)
    const reading = { namespaces, zone, count: context.count }
    let anyErased: boolean | undefined
    return {
      async onClaim(out, state, origin) {
        await eraseWhoIsAsked(out, state, origin, reading)
        anyErased = await isAnyErased(state)
      },
      async apply(batch, out, state) {
        anyErased ??= await isAnyErased(state)
        await resolve(batch, out, state, reading, anyErased)
      },
    }
  },
})
