import type { Random } from "../random.ts"
import type { PersonPlan, StudyPlan } from "../plan.ts"
import type { StudyKind } from "../personas.ts"
import type { Coding } from "./pixel-data.ts"

/** What is wrong with one instance of a series, or only unusual. */
export type Quirk = "no-preamble" | "overlay" | "exif" | "name-in-coil"

/** What all studies of a kind share. */
export interface KindFacts {
  readonly modality: "CT" | "MR" | "CR" | "US"
  readonly sopClass: string
  readonly bodyPart: string
  readonly study: string
  readonly series: string
  readonly size: number
  readonly instances: readonly [low: number, high: number]
  readonly model: readonly [manufacturer: string, model: string]
  /** SNOMED CT code and display of the body site, for FHIR. */
  readonly site: readonly [code: string, display: string]
}

const facts = (
  modality: KindFacts["modality"],
  sopClass: string,
  site: KindFacts["site"],
  texts: readonly [study: string, series: string],
  size: number,
  instances: KindFacts["instances"],
  model: KindFacts["model"],
): KindFacts => {
  const [study, series] = texts
  return { modality, sopClass, bodyPart: site[1].toUpperCase(), study, series, size, instances, model, site }
}

const image = "1.2.840.10008.5.1.4.1.1."
export const kinds: Readonly<Record<StudyKind, KindFacts>> = {
  "ct-chest": facts(
    "CT",
    `${image}2`,
    ["51185008", "Chest"],
    ["CT CHEST W CONTRAST", "AXIAL 2.5MM LUNG"],
    64,
    [11, 14],
    ["Siemens", "SOMATOM Sample"],
  ),
  "mr-knee": facts(
    "MR",
    `${image}4`,
    ["72696002", "Knee"],
    ["MR KNEE LT WO CONTRAST", "SAG PD FS"],
    64,
    [8, 11],
    ["GE MEDICAL SYSTEMS", "SIGNA Sample"],
  ),
  "mr-head": facts(
    "MR",
    `${image}4`,
    ["69536005", "Head"],
    ["MR HEAD WO CONTRAST", "AX T2 FLAIR"],
    64,
    [8, 11],
    ["Philips", "Ingenia Sample"],
  ),
  "cr-chest": facts(
    "CR",
    `${image}1`,
    ["51185008", "Chest"],
    ["XR CHEST 2 VIEWS", "CHEST PA LAT"],
    128,
    [2, 2],
    ["Carestream", "DRX Sample"],
  ),
  "us-abdomen": facts(
    "US",
    `${image}6.1`,
    ["818983003", "Abdomen"],
    ["US ABDOMEN COMPLETE", "ABDOMEN"],
    128,
    [3, 4],
    ["Mindray", "DC Sample"],
  ),
}

export interface InstancePlan {
  readonly uid: string
  /** From 1. */
  readonly number: number
  readonly quirk?: Quirk
  readonly late: boolean
}

export interface SeriesPlan {
  readonly uid: string
  readonly number: number
  readonly frameOfReference: string
  readonly description: string
  readonly coding: Coding
  /** A picture of the scanner's screen. */
  readonly screen: boolean
  readonly instances: readonly InstancePlan[]
}

const rotation: readonly Coding[] = ["explicit", "jpegLossless", "implicit", "rle", "bigEndian", "deflated"]

/** Which image of whom is unusual, so that twenty patients show each quirk once. */
const quirks: readonly (readonly [persona: number, kind: StudyKind, number: number, quirk: Quirk])[] = [
  [1, "cr-chest", 1, "no-preamble"],
  [6, "ct-chest", 2, "overlay"],
  [9, "ct-chest", 3, "exif"],
  [0, "mr-knee", 4, "name-in-coil"],
]

const quirkOf = (persona: number, kind: StudyKind, number: number): { readonly quirk?: Quirk } => {
  const found = quirks.find((one) => one[0] === persona && one[1] === kind && one[2] === number)
  return found === undefined ? {} : { quirk: found[3] }
}

function mainSeries(plan: PersonPlan, study: StudyPlan, random: Random, persona: number): SeriesPlan {
  const kind = kinds[study.kind]
  const count = random.int(...kind.instances)
  const exif = quirks.some(([who, what, , quirk]) => quirk === "exif" && who === persona && what === study.kind)
  const instances = Array.from({ length: count }, (_, at) => ({
    uid: study.random.uid("instance", 1, at + 1),
    number: at + 1,
    late: study.story.late === true && at >= count - 2,
    ...quirkOf(persona, study.kind, at + 1),
  }))
  return {
    uid: study.random.uid("series", 1),
    number: 1,
    frameOfReference: study.random.uid("frame of reference"),
    description: kind.series,
    coding: exif ? "jpegLossless" : rotation[(plan.index + study.number) % rotation.length]!,
    screen: false,
    instances,
  }
}

const screenSeries = (study: StudyPlan): SeriesPlan => ({
  uid: study.random.uid("series", 2),
  number: 2,
  frameOfReference: study.random.uid("frame of reference"),
  description: "SCREEN SAVE",
  coding: "explicit",
  screen: true,
  instances: [{ uid: study.random.uid("instance", 2, 1), number: 1, late: false }],
})

/** The series of a study; none when its images never come. */
export function seriesOf(plan: PersonPlan, study: StudyPlan, personas: number): readonly SeriesPlan[] {
  if (study.story.only === "fhir") return []
  const persona = plan.index % personas
  const main = mainSeries(plan, study, study.random.at("series"), persona)
  return persona === 4 && study.kind === "ct-chest" ? [main, screenSeries(study)] : [main]
}
