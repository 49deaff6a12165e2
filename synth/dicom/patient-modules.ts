import type { DataElement } from "../../formats/dicom/index.ts"
import { hospital } from "../names.ts"
import { dicomName } from "../person.ts"
import type { Person } from "../person.ts"
import type { PersonPlan, StudyPlan } from "../plan.ts"
import { dicomDate } from "../calendar.ts"
import { el, sq } from "./element.ts"

const years = (count: number): string => `${String(count).padStart(3, "0")}Y`

function ageAt(person: Person, study: StudyPlan): string {
  const passed = dicomDate(study.started).slice(4) >= person.birthDate.slice(5).replace("-", "")
  return years(2024 - Number(person.birthDate.slice(0, 4)) - (passed ? 0 : 1))
}

/** Patient ID and its issuer: the hospital's name or nothing, by patient. */
function identity(plan: PersonPlan, mrn: string): readonly DataElement[] {
  if (plan.has("no-patient-id")) return [el("00100020", "LO")]
  if (plan.has("foreign-issuer")) return [el("00100020", "LO", plan.person.oldId), el("00100021", "LO", "EXT-CLINIC")]
  return [el("00100020", "LO", mrn), ...(plan.index % 2 === 0 ? [] : [el("00100021", "LO", "HOSP")])]
}

/** Patient, Patient Study and identification modules (PS3.3 C.7.1.1, C.7.2.2, C.2), full of what must not pass.
 * @param mrn under which the instance is sent */
export function patientModules(plan: PersonPlan, study: StudyPlan, mrn: string): readonly DataElement[] {
  const { person } = plan
  const other = mrn === person.mrn ? person.oldId : person.mrn
  return [
    el("00080005", "CS", person.charset),
    el("00100010", "PN", dicomName(person)),
    ...identity(plan, mrn),
    el("00100030", "DA", person.birthDate.replaceAll("-", "")),
    el("00100040", "CS", person.sex),
    sq("00101002", [el("00100020", "LO", other), el("00100021", "LO", "OLD"), el("00100022", "CS", "TEXT")]),
    el("00101001", "PN", `${person.mother}^${person.given}`),
    el("00101010", "AS", ageAt(person, study)),
    el("00101020", "DS", "1.72"),
    el("00101030", "DS", String(60 + (plan.index % 30))),
    el("00101040", "LO", `${person.street}, ${person.city} ${person.state} ${person.postalCode}`),
    el("00101060", "PN", `${person.mother}^M`),
    el("00102154", "SH", person.phone.slice(0, 16)),
    el("00102160", "SH", "UNKNOWN"),
    el("001021B0", "LT", `Pt ${person.family} seen in the emergency room, insurance ${person.insurance}`),
    el("00104000", "LT", `Call ${person.given} ${person.family} at ${person.phone} before transport`),
  ]
}

/** Elements that the vendors of scanner and archive added, with their creators (PS3.5 7.8.1). */
export function privateElements({ person, index }: PersonPlan): readonly DataElement[] {
  return [
    el("00090010", "LO", "GEMS_IDEN_01"),
    el("00091001", "LO", "GE_GENESIS_FF"),
    el("00091002", "SH", hospital.name.slice(0, 16)),
    el("00330010", "LO", "VALLEYVIEW ARCHIVE 2.1"),
    el("00331001", "LO", `${person.mrn}/${person.insurance}`),
    el("00331002", "PN", dicomName(person)),
    el("00331003", "UN", Buffer.from(`owner ${person.mrn} `, "latin1")),
    ...(index % 3 === 0 ? [sq("00331004", [el("00100020", "LO", person.oldId)])] : []),
  ]
}
