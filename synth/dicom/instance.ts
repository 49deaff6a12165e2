import { buildPart10 } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"
import type { PersonPlan, StudyPlan } from "../plan.ts"
import { el } from "./element.ts"
import { burnIn, drawFrame } from "./frame.ts"
import { imageModules } from "./image-modules.ts"
import { patientModules, privateElements } from "./patient-modules.ts"
import { pixelData, transferSyntaxes } from "./pixel-data.ts"
import { kinds } from "./series.ts"
import type { InstancePlan, SeriesPlan } from "./series.ts"
import { studyModules } from "./study-modules.ts"

/** An instance with all that it is built from. */
export interface InstanceContext {
  readonly plan: PersonPlan
  readonly study: StudyPlan
  readonly series: SeriesPlan
  readonly instance: InstancePlan
  /** Instances of the whole study. */
  readonly studyInstances: number
}

/** A late instance of a patient who was merged comes under the number of the other. */
function sentAs({ plan, instance }: InstanceContext): string {
  const moved = instance.late && plan.has("merged-away") && plan.partner !== undefined
  return moved ? plan.partner!.mrn : plan.person.mrn
}

function quirkElements({ plan, instance }: InstanceContext): readonly DataElement[] {
  if (instance.quirk === "name-in-coil") return [el("00181250", "SH", `KNEE ${plan.person.mrn}`)]
  if (instance.quirk !== "overlay") return []
  return [
    el("60000010", "US", 64),
    el("60000011", "US", 64),
    el("60000040", "CS", "G"),
    el("60000050", "SS", [1, 1]),
    // In a bit of the samples, the retired form: nothing can take it out without reading the picture.
    el("60000100", "US", 16),
    el("60000102", "US", 0),
  ]
}

function pixels({ plan, study, series, instance }: InstanceContext): DataElement {
  const { size, modality } = kinds[study.kind]
  const bits = modality === "US" ? 8 : 12
  const frame = drawFrame(size, bits, instance.number, study.random.at("pixels", series.number, instance.number))
  if (modality === "US" || series.screen) burnIn(frame, plan.person.mrn.slice(0, size / 8 - 1))
  return pixelData(frame, series.coding, instance.quirk === "exif" ? `Operator ${plan.person.mrn}` : undefined)
}

/** The data set of an instance, its pixel data apart. */
export const headerOf = (context: InstanceContext): readonly DataElement[] => {
  const { plan, study, series, instance, studyInstances } = context
  const counts = { study: studyInstances, series: series.instances.length }
  return [
    ...patientModules(plan, study, sentAs(context)),
    ...studyModules(plan, study, series, counts),
    ...imageModules({ study, series, instance }),
    ...privateElements(plan),
    ...quirkElements(context),
  ]
}

/** The file of an instance (PS3.10).
 * @param header its data set without pixel data, see headerOf */
export const fileOf = (context: InstanceContext, header: readonly DataElement[]): Uint8Array =>
  buildPart10([...header, pixels(context)], {
    transferSyntax: transferSyntaxes[context.series.coding],
    preamble: context.instance.quirk !== "no-preamble",
    undefinedLengths: context.plan.index % 2 === 1,
  })
