import {
  Schema,
  curatedInstance,
  curatedStudy,
  defineStateful,
  dicomInstance,
  fatal,
  port,
  study,
} from "../../core/index.ts"
import type { Context, Zone } from "../../core/index.ts"
import type { ProfileOption } from "../../formats/dicom/index.ts"
import { DicomPolicy } from "./dicom-policy.ts"
import { BorderStep } from "./dicom-step.ts"

const flag = (description: string) => Schema.optionalKey(Schema.Boolean.annotate({ description }))
const days = (description: string) => Schema.Int.annotate({ description })

const options = Schema.Struct({
  key: Schema.String.annotate({ description: "name of the secret that holds the project key, 32 bytes or more" }),
  "retain-longitudinal-modified-dates": flag(
    "keeps dates, shifted by the person's days (PS3.15 E.3.6); without it they are removed (default false)",
  ),
  "retain-patient-characteristics": flag(
    "keeps sex, size, weight and age, ages capped at 90 (PS3.15 E.3.7; default false)",
  ),
  "retain-uids": flag("keeps UIDs as they are (PS3.15 E.3.9; default false)"),
  faces: Schema.optionalKey(
    Schema.Literals(["refuse", "allow"]).annotate({
      description:
        "what to do with series that could be rendered as a face; allow says so in the object (default refuse)",
    }),
  ),
  shift: Schema.optionalKey(
    Schema.Struct({ "min-days": days("least days back, 1 or more"), "max-days": days("most days back") }).annotate({
      description:
        "range of the date shift, backwards in whole days (default 365 to 3650); the same in all of a project",
    }),
  ),
  "accession-issuers": Schema.optionalKey(
    Schema.Array(Schema.Array(Schema.String)).annotate({
      description:
        "lists of issuers of accession numbers (DICOM issuers, FHIR systems) that mean the same one; the first gives the pseudonym",
    }),
  ),
})
type Options = typeof options.Type

export const inputs = { studies: port(study, "person", "phi"), instances: port(dicomInstance, "person", "phi") }
export const outputs = { studies: port(curatedStudy, "pseudonym"), instances: port(curatedInstance, "pseudonym") }

const profileOptions: readonly ProfileOption[] = [
  "retain-longitudinal-modified-dates",
  "retain-patient-characteristics",
  "retain-uids",
]

function policyOf(given: Options, context: Context): DicomPolicy {
  const { shift } = given
  return new DicomPolicy({
    projectKey: context.secret(given.key),
    options: profileOptions.filter((option) => given[option as keyof Options] === true),
    faces: given.faces ?? "refuse",
    ...(shift === undefined ? {} : { shift: { minDays: shift["min-days"], maxDays: shift["max-days"] } }),
    accessionIssuers: given["accession-issuers"] ?? [],
  })
}

/** Results go to the bucket of the zone that both outputs have, or that the one has that is bound. */
function zoneBelow(context: Context): Zone {
  const zones = new Set(Object.values(context.outputs).map(({ zone }) => zone))
  const [zone, other] = [...zones]
  if (zone === undefined || other !== undefined)
    throw fatal("zones-differ", "studies and instances must go to topics of one zone", {
      hint: "give both topics the same zone: their objects are in its bucket",
    })
  return zone
}

/** De-identifies images: PS3.15 basic profile and the options named. Each object is read from the `phi` bucket, decided on with its
 * series, and what is released is written to the bucket of the outputs' zone; what cannot be cleaned is refused, each with its
 * reason. A study follows once each instance that it counts has a verdict. */
export const deidentifyDicom = defineStateful({
  name: "deidentify-dicom",
  summary: "De-identifies DICOM instances (PS3.15) into the bucket below, or refuses them, by series",
  options,
  secrets: ({ key }) => [key],
  inputs,
  outputs,
  privacy: true,
  async create(given, context) {
    const border = {
      policy: policyOf(given, context),
      from: context.objects(context.inputs["instances"]?.zone ?? "phi"),
      to: context.objects(zoneBelow(context)),
      count: context.count,
    }
    const step = new BorderStep(border, context.clock.now)
    return { apply: (batch, out, state) => step.apply(batch, out, state) }
  },
})
