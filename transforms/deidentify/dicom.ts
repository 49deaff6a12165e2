import {
  curatedInstance,
  curatedStudy,
  defineStateful,
  dicomInstance,
  fatal,
  port,
  pseudonymizer,
  study,
} from "../../core/index.ts"
import type { Context, Zone } from "../../core/index.ts"
import { Codes } from "./codes.ts"
import { ImageNotes } from "./dicom-notes.ts"
import { dicomFaults, options, policyFrom, statementOf } from "./dicom-options.ts"
import type { DicomOptions } from "./dicom-options.ts"
import { Faces } from "./dicom-faces.ts"
import { originalsOf, releasedOf } from "./dicom-rows.ts"
import { ReviewQueue } from "./dicom-review.ts"
import { BorderStep } from "./dicom-step.ts"
import type { Border } from "./dicom-verdict.ts"
import { checkProfile, codesOf, profileOf, profileSecrets } from "./profile.ts"

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

/** The border of a stage. Throws fatal `zones-differ`, `profile-not-limited`, `profile-refused`, `key-too-short`, `shift-range`.
 * @param codes of the project's vault */
export function borderOf(given: DicomOptions, context: Context, codes?: Codes): Border {
  const zone = zoneBelow(context)
  if (given["retain-longitudinal-full-dates"] === true && zone !== "limited")
    throw fatal("profile-not-limited", "true dates (retain-longitudinal-full-dates) need outputs in zone limited", {
      path: "retain-longitudinal-full-dates",
      hint: "put the outputs into zone limited, or take retain-longitudinal-modified-dates",
    })
  checkProfile(given, [zone], dicomFaults(given, [zone]))
  const policy = policyFrom(given, context.secret(given.key), undefined, codes)
  const above = context.inputs["instances"]?.zone ?? "phi"
  const reviews = context.reviews(given.key)
  return {
    policy,
    ...(reviews === undefined ? {} : { reviews: new ReviewQueue(reviews, policy.fingerprint) }),
    faces: new Faces(policy),
    from: context.objects(above),
    to: context.objects(zone),
    refer(state, before, now) {
      state.refer(above, originalsOf(before), originalsOf(now))
      state.refer(zone, releasedOf(before), releasedOf(now))
    },
    count: context.count,
  }
}

/** Undefined without a vault. */
async function codesIn(given: DicomOptions, context: Context): Promise<Codes | undefined> {
  if (given.vault === undefined) return undefined
  const vault = await context.vault(given.key, given.vault, codesOf(profileOf(given)))
  return new Codes(pseudonymizer(context.secret(given.key)), vault)
}

/** De-identifies images: PS3.15 basic profile and the options named. An instance waits for the study that lists it; then each
 * series is decided on as a whole, and what is released is written to the bucket of the outputs' zone; what cannot be cleaned is
 * refused, each with its reason. The study follows its instances. */
export const deidentifyDicom = defineStateful({
  name: "deidentify-dicom",
  summary: "De-identifies DICOM instances (PS3.15) into the bucket below, or refuses them, by series",
  options,
  secrets: profileSecrets,
  inputs,
  outputs,
  privacy: true,
  faults: dicomFaults,
  states: (given) => statementOf("deidentify-dicom", given),
  async create(given, context) {
    const codes = await codesIn(given, context)
    const step = new BorderStep(borderOf(given, context, codes))
    const notes = codes === undefined ? undefined : new ImageNotes(codes, context.identity, given)
    return {
      async apply(batch, out, state) {
        await notes?.note(batch)
        await step.apply(batch, out, state)
      },
      onTimer: (fired, out, state) => step.onTimer(fired, out, state),
    }
  },
})
