import { dateOf, dateTimeOf, moment } from "../calendar.ts"
import type { Moment, WaveName } from "../calendar.ts"
import { kinds } from "../dicom/series.ts"
import { dropped } from "../fate.ts"
import { hospital } from "../names.ts"
import type { PersonPlan, StudyPlan } from "../plan.ts"
import { cancerStories } from "../stories.ts"
import type { CancerStory, ReportSays, Told } from "../stories.ts"
import { conclusions, diagnoses, systems } from "../systems.ts"
import type { Coding } from "../systems.ts"
import { doctorOf, organization } from "./directory.ts"
import { concept, meta, reference, told } from "./resource.ts"
import type { Line, Resource } from "./resource.ts"
import { subjectOf } from "./visit.ts"

const pathologyCode: Coding = { system: systems.loinc, code: "22034-3", display: "Pathology report Cancer" }
const radiologyCode: Coding = { system: systems.loinc, code: "18748-4", display: "Diagnostic imaging study" }

/** The letter that goes with a report: everything that must not pass. */
function letter({ person }: PersonPlan, at: Moment, finding: string): string {
  return [
    `${hospital.name}, ${hospital.address}`,
    `Patient: ${person.given} ${person.family}, born ${person.birthDate}, MRN ${person.mrn}`,
    `Date: ${dateOf(at)}`,
    `Finding: ${finding}`,
  ].join("\n")
}

interface Report {
  readonly id: string
  readonly version: number
  readonly status: string
  readonly section: "RAD" | "SP"
  readonly code: Coding
  readonly conclusion: Coding
  readonly at: Moment
  readonly updated: Moment
  readonly links: object
}

const report = (plan: PersonPlan, one: Report): Resource => ({
  resourceType: "DiagnosticReport",
  id: one.id,
  ...meta(one.version, one.updated, plan.person.random.at(one.id)),
  status: one.status,
  category: [{ coding: [{ system: systems.diagnosticSection, code: one.section }] }],
  code: concept(one.code),
  ...subjectOf(plan),
  effectiveDateTime: dateTimeOf(one.at),
  issued: dateTimeOf(one.at + 60),
  performer: [organization],
  resultsInterpreter: [doctorOf(plan)],
  ...one.links,
  conclusion: `${one.conclusion.display}. Discussed with ${plan.person.given} ${plan.person.family}.`,
  conclusionCode: [concept(one.conclusion)],
  presentedForm: [
    {
      contentType: "text/plain; charset=utf-8",
      data: Buffer.from(letter(plan, one.at, one.conclusion.display), "utf8").toString("base64"),
    },
  ],
})

/** The radiologist's report of a recorded study; some are amended in wave 2. */
function radiology(plan: PersonPlan, study: StudyPlan): readonly Line[] {
  if (study.story.only === "dicom") return []
  const at = study.started + 90
  const of = (version: number, status: string, updated: Moment): Resource =>
    report(plan, {
      id: study.random.uuid("radiology"),
      version,
      status,
      section: "RAD",
      code: { ...radiologyCode, display: kinds[study.kind].study },
      conclusion: study.kind === "ct-chest" ? conclusions.nodule : conclusions.normal,
      at,
      updated,
      links: {
        basedOn: [reference("ServiceRequest", study.order)],
        encounter: reference("Encounter", study.encounter),
        imagingStudy: [reference("ImagingStudy", study.imagingStudy)],
      },
    })
  const first = of(1, "final", at + 70)
  if (study.number === 1 && plan.index % 6 === 1)
    return [told("wave1", first), told("wave2", of(2, "amended", moment(318, 16)))]
  // Here the first version is what comes weeks late.
  if (study.number === 1 && plan.index % 6 === 2)
    return [told("wave1", of(2, "amended", at + 400)), told("wave2", first, dropped("older-version"))]
  return [told("wave1", first)]
}

const linked = (link: CancerStory["link"], study: StudyPlan): object => {
  if (link === "study") return { imagingStudy: [reference("ImagingStudy", study.imagingStudy)] }
  return link === "order" ? { basedOn: [reference("ServiceRequest", study.order)] } : {}
}

const specimen = (plan: PersonPlan, study: StudyPlan, wave: WaveName, at: Moment): Line =>
  told(wave, {
    resourceType: "Specimen",
    id: study.random.uuid("Specimen"),
    ...meta(1, at + 240, study.random.at("Specimen")),
    accessionIdentifier: { system: "http://hospital.example/pathology", value: `SP${study.accession.slice(1)}` },
    status: "available",
    type: concept({ system: systems.snomed, code: "309068002", display: "Specimen from lung" }),
    ...subjectOf(plan),
    collection: { collectedDateTime: dateTimeOf(at) },
    note: [{ text: `Labelled ${plan.person.family} ${plan.person.mrn}` }],
  })

/** The pathologist's report, and the specimen it is about. */
function pathology(plan: PersonPlan, study: StudyPlan): readonly Line[] {
  if (study.story.cancer === undefined || study.story.sharesReport === true) return []
  const story: CancerStory = cancerStories[study.story.cancer]
  const versions: readonly Told<ReportSays>[] = story.report ?? []
  const arrives = versions[0]?.wave
  if (arrives === undefined) return []
  // The second chest CT that a report may mean is less than fifty days later.
  const shared = plan.studies.some((other) => other.story.sharesReport === true) ? 60 : 0
  const random = study.random.at("pathology")
  const day = arrives === "wave2" ? 311 + random.int(0, 9) : study.day + shared + 5 + random.int(0, 4)
  const at = moment(day, 13)
  const reports = versions.map(({ wave, version, says }) =>
    told(
      wave,
      report(plan, {
        id: study.random.uuid("pathology"),
        version,
        status: says.status,
        section: "SP",
        code: pathologyCode,
        conclusion: says.malignant ? diagnoses.cancer.snomed : conclusions.normal,
        at,
        updated: wave === "wave2" ? moment(323, 12) : at + 1440,
        links: { specimen: [reference("Specimen", study.random.uuid("Specimen"))], ...linked(story.link, study) },
      }),
    ),
  )
  return [specimen(plan, study, arrives, at - 1440), ...reports]
}

/** Reports and specimens of a person. */
export const reportLines = (plan: PersonPlan): readonly Line[] =>
  plan.studies.flatMap((study) => [...radiology(plan, study), ...pathology(plan, study)])
