import type { DataElement } from "../../formats/dicom/index.ts"
import { dicomDate, dicomOffset, dicomTime } from "../calendar.ts"
import { hospital, staff } from "../names.ts"
import type { PersonPlan, StudyPlan } from "../plan.ts"
import { code, el, sq } from "./element.ts"
import { kinds } from "./series.ts"
import type { SeriesPlan } from "./series.ts"

const referenced = (sopClass: string, uid: string): readonly DataElement[] => [
  el("00081150", "UI", sopClass),
  el("00081155", "UI", uid),
]

/** Detached Study Management, retired; still what archives put into Referenced Study Sequence. */
const studyManagement = "1.2.840.10008.3.1.2.3.1"
const procedureStep = "1.2.840.10008.3.1.2.3.3"

const staffOf = (random: StudyPlan["random"]) => {
  const chosen = random.at("staff")
  return {
    referring: chosen.pick(staff.referring),
    performing: chosen.pick(staff.performing),
    operator: chosen.pick(staff.operators),
  }
}

const protocolCode = (study: StudyPlan) =>
  code(`PROT-${study.kind.toUpperCase()}`.slice(0, 16), "99VALLEY", kinds[study.kind].study)

/** What an archive adds in sequences: the order, the step, related studies. */
const sequences = (study: StudyPlan): readonly DataElement[] => [
  sq("00081110", referenced(studyManagement, study.uid)),
  sq("00081111", referenced(procedureStep, study.random.uid("procedure step"))),
  sq("00081032", protocolCode(study)),
  sq("00400275", [
    el("00080050", "SH", study.accession),
    el("0020000D", "UI", study.uid),
    el("00321060", "LO", kinds[study.kind].study),
    el("00400007", "LO", kinds[study.kind].study),
    sq("00400008", protocolCode(study)),
    el("00400009", "SH", `SPS${study.accession}`),
    el("00401001", "SH", `RP${study.accession}`),
  ]),
]

/** General Study, General Series, General Equipment and Frame of Reference attributes (PS3.3 C.7.2.1, C.7.3.1, C.7.5.1). */
export function studyModules(
  plan: PersonPlan,
  study: StudyPlan,
  series: SeriesPlan,
  counts: { readonly study: number; readonly series: number },
): readonly DataElement[] {
  const kind = kinds[study.kind]
  const people = staffOf(study.random)
  const at = study.started
  const counted = plan.index % 2 === 0 || study.story.late === true
  return [
    el("00080020", "DA", dicomDate(at)),
    el("00080030", "TM", dicomTime(at)),
    el("00080021", "DA", dicomDate(at + 1)),
    el("00080031", "TM", dicomTime(at + 1)),
    ...(plan.index % 4 === 3 ? [] : [el("00080201", "SH", dicomOffset(at))]),
    el("00080050", "SH", study.accession),
    ...(plan.index % 5 === 0 ? [sq("00080051", [el("00400031", "UT", "HOSP")])] : []),
    el("00080060", "CS", kind.modality),
    el("00080070", "LO", kind.model[0]),
    el("00081090", "LO", kind.model[1]),
    el("00080080", "LO", hospital.name),
    el("00080081", "ST", hospital.address),
    el("00081040", "LO", hospital.department),
    el("00080090", "PN", people.referring),
    el("00080094", "SH", hospital.phone),
    el("00081050", "PN", people.performing),
    el("00081060", "PN", people.performing),
    el("00081070", "PN", people.operator),
    el("00081010", "SH", `VV-${kind.modality}-SUITE${1 + (plan.index % 3)}`),
    el("00081030", "LO", kind.study),
    el("0008103E", "LO", series.description),
    el("00181000", "LO", `SN${study.random.at("device").digits(7)}`),
    el("00181020", "LO", "V4.2"),
    el("00181030", "LO", kind.series),
    el("00180015", "CS", kind.bodyPart),
    el("0020000D", "UI", study.uid),
    el("0020000E", "UI", series.uid),
    el("00200010", "SH", study.accession.slice(-8)),
    ...(kind.bodyPart === "KNEE" ? [el("00200060", "CS", "L")] : []),
    ...(counted ? [el("00201208", "IS", String(counts.study)), el("00201209", "IS", String(counts.series))] : []),
    el("00321032", "PN", people.referring),
    el("00321060", "LO", kind.study),
    el("00400244", "DA", dicomDate(at)),
    el("00400245", "TM", dicomTime(at)),
    el("00400253", "SH", `PPS${study.accession}`),
    ...sequences(study),
  ]
}
