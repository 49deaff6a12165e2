import type { DataElement } from "../../formats/dicom/index.ts"
import { dicomDate, dicomTime } from "../calendar.ts"
import type { StudyPlan } from "../plan.ts"
import { el } from "./element.ts"
import { kinds } from "./series.ts"
import type { InstancePlan, SeriesPlan } from "./series.ts"

interface Image {
  readonly study: StudyPlan
  readonly series: SeriesPlan
  readonly instance: InstancePlan
}

/** Image Plane and Frame of Reference (PS3.3 C.7.6.2, C.7.4.1). */
const plane = ({ series, instance }: Image): readonly DataElement[] => [
  el("00180050", "DS", "2.5"),
  el("00185100", "CS", "HFS"),
  el("00200032", "DS", ["-160", "-160", String(instance.number * 2.5)]),
  el("00200037", "DS", ["1", "0", "0", "0", "1", "0"]),
  el("00200052", "UI", series.frameOfReference),
  el("00201040", "LO"),
  el("00201041", "DS", String(instance.number * 2.5)),
  el("00280030", "DS", ["0.7", "0.7"]),
]

/** CT Image (PS3.3 C.8.2.1). */
const ct = (image: Image): readonly DataElement[] => [
  ...plane(image),
  el("00180060", "DS", "120"),
  el("00180022", "CS", "HELICAL MODE"),
  el("00181100", "DS", "350"),
  el("00181151", "IS", "210"),
  el("00181210", "SH", "B70f"),
  el("00281052", "DS", "-1024"),
  el("00281053", "DS", "1"),
  el("00281050", "DS", "-600"),
  el("00281051", "DS", "1500"),
]

/** MR Image (PS3.3 C.8.3.1). */
const mr = (image: Image): readonly DataElement[] => [
  ...plane(image),
  el("00180020", "CS", "SE"),
  el("00180021", "CS", "SK"),
  el("00180022", "CS", "PFP"),
  el("00180023", "CS", "2D"),
  el("00180080", "DS", "2400"),
  el("00180081", "DS", "36"),
  el("00180091", "IS", "8"),
  el("00180087", "DS", "1.5"),
]

/** CR Series and CR Image (PS3.3 C.8.1). */
const cr = ({ instance }: Image): readonly DataElement[] => [
  el("00185101", "CS", instance.number === 1 ? "PA" : "LL"),
  el("00200020", "CS", instance.number === 1 ? ["L", "F"] : ["A", "F"]),
  el("00181164", "DS", ["0.2", "0.2"]),
  el("00180060", "DS", "110"),
]

/** US Image (PS3.3 C.8.5.6). */
const us = (): readonly DataElement[] => [el("00200020", "CS"), el("00280301", "CS", "YES"), el("00282110", "CS", "00")]

const imageType = ({ study, series }: Image): readonly string[] => {
  if (series.screen) return ["DERIVED", "SECONDARY", "SCREEN SAVE"]
  const kind = kinds[study.kind]
  if (kind.modality === "CT") return ["ORIGINAL", "PRIMARY", "AXIAL"]
  if (kind.modality === "MR") return ["ORIGINAL", "PRIMARY", "OTHER"]
  return kind.modality === "CR" ? ["DERIVED", "PRIMARY"] : ["ORIGINAL", "PRIMARY", "ABDOMINAL"]
}

/** Image Pixel (PS3.3 C.7.6.3), the pixel data apart. */
function pixels({ study }: Image): readonly DataElement[] {
  const { size, modality } = kinds[study.kind]
  const allocated = modality === "US" ? 8 : 16
  const stored = modality === "US" ? 8 : 12
  return [
    el("00280002", "US", 1),
    el("00280004", "CS", "MONOCHROME2"),
    el("00280010", "US", size),
    el("00280011", "US", size),
    el("00280100", "US", allocated),
    el("00280101", "US", stored),
    el("00280102", "US", stored - 1),
    el("00280103", "US", 0),
  ]
}

/** The modules that say what kind of picture it is (PS3.3 A.2, A.3, A.4, A.6). */
export function imageModules(image: Image): readonly DataElement[] {
  const { study, series, instance } = image
  const kind = kinds[study.kind]
  const taken = study.started + 2 + instance.number
  const own = { CT: ct, MR: mr, CR: cr, US: us }[kind.modality](image)
  return [
    el("00080008", "CS", imageType(image)),
    el("00080016", "UI", kind.sopClass),
    el("00080018", "UI", instance.uid),
    el("00080012", "DA", dicomDate(taken)),
    el("00080013", "TM", dicomTime(taken)),
    el("00080022", "DA", dicomDate(taken)),
    el("00080032", "TM", dicomTime(taken)),
    el("00080023", "DA", dicomDate(taken)),
    el("00080033", "TM", dicomTime(taken)),
    el("0008002A", "DT", `${dicomDate(taken)}${dicomTime(taken)}`),
    el("00200011", "IS", String(series.number)),
    el("00200012", "IS", "1"),
    el("00200013", "IS", String(instance.number)),
    ...pixels(image),
    ...own,
  ]
}
