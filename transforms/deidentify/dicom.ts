import { curatedInstance, curatedStudy, defineStateful, dicomInstance, fatal, port, study } from "../../core/index.ts"
import type { Context, Zone } from "../../core/index.ts"
import { options, policyFrom } from "./dicom-options.ts"
import { BorderStep } from "./dicom-step.ts"

export const inputs = { studies: port(study, "person", "phi"), instances: port(dicomInstance, "person", "phi") }
export const outputs = { studies: port(curatedStudy, "pseudonym"), instances: port(curatedInstance, "pseudonym") }

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
      policy: policyFrom(given, context.secret(given.key)),
      from: context.objects(context.inputs["instances"]?.zone ?? "phi"),
      to: context.objects(zoneBelow(context)),
      count: context.count,
    }
    const step = new BorderStep(border)
    return { apply: (batch, out, state) => step.apply(batch, out, state) }
  },
})
