import { systems } from "./systems.ts"

const set = (values: readonly (readonly [system: string, code: string, display: string])[]): string =>
  values
    .map(([system, code, display]) => `    - { system: "${system}", code: "${code}", display: "${display}" }`)
    .join("\n")

const lungCancer = `phenotype: lung-cancer
version: 1
summary: Lung cancer is found in pathology or diagnosed within 180 days after a chest CT
studies: { modality: [CT], bodyPart: [CHEST] }
values:
  lung-cancer:
${set([
  [systems.snomed, "254637007", "Non-small cell lung cancer"],
  [systems.snomed, "363358000", "Malignant tumor of lung"],
  [systems.icd, "C34*", "Malignant neoplasm of bronchus and lung"],
])}
rule:
  any:
    - report: lung-cancer
      category: pathology
      window: { from: 0d, to: 180d }
    - condition: lung-cancer
      window: { from: 0d, to: 180d }
feeds: [Condition, DiagnosticReport]
horizon: 180d
`

const fracture = `phenotype: fracture
version: 1
summary: A fracture is diagnosed in the encounter of the study
values:
  fracture:
${set([
  [systems.snomed, "33737001", "Fracture of rib"],
  [systems.snomed, "80756009", "Fracture of patella"],
  [systems.icd, "S22*", "Fracture of rib(s), sternum and thoracic spine"],
  [systems.icd, "S82*", "Fracture of lower leg"],
])}
rule: { condition: fracture, same: encounter }
feeds: [Condition, Encounter]
horizon: 0d
`

const renalImpairment = `phenotype: renal-impairment
version: 1
summary: Creatinine of at least 1.5 mg/dL in the 30 days before the study
studies: { modality: [CT, MR] }
values:
  creatinine:
${set([[systems.loinc, "2160-0", "Creatinine in serum or plasma"]])}
rule:
  all:
    - lab: creatinine
      window: { from: -30d, to: 0d }
      at-least: { value: 1.5, unit: mg/dL }
      molar-mass: 113.12
      count: 1
feeds: [Observation]
horizon: 0d
`

const labTable = `fromSystem,fromCode,system,code,display,relationship
${systems.lab},CREA,${systems.loinc},2160-0,Creatinine [Mass/volume] in Serum or Plasma,equivalent
${systems.lab},HGB,${systems.loinc},718-7,Hemoglobin [Mass/volume] in Blood,equivalent
`

const target = (code: string, display: string, equivalence = "equivalent") => ({ code, display, equivalence })

/** FHIR R4 ConceptMap. `wider`: the target says less than the hospital's own code, but surely that. */
const diagnosisMap = {
  resourceType: "ConceptMap",
  id: "hospital-diagnoses",
  url: "http://hospital.example/ConceptMap/diagnoses",
  version: "1",
  status: "active",
  group: [
    {
      source: systems.diagnosis,
      target: systems.snomed,
      element: [
        { code: "LUNGCA", target: [target("363358000", "Malignant tumor of lung")] },
        { code: "FX-RIB", target: [target("33737001", "Fracture of rib")] },
        { code: "FX-PATELLA", target: [target("80756009", "Fracture of patella")] },
      ],
    },
    {
      source: systems.diagnosis,
      target: systems.icd,
      element: [{ code: "LUNGCA", target: [target("C34.90", "Malignant neoplasm of bronchus or lung", "wider")] }],
    },
  ],
}

/** Phenotypes and code tables, by their path. */
export const definitionFiles: readonly (readonly [path: string, text: string])[] = [
  ["phenotypes/lung-cancer.yaml", lungCancer],
  ["phenotypes/fracture.yaml", fracture],
  ["phenotypes/renal-impairment.yaml", renalImpairment],
  ["codes/laboratory.csv", labTable],
  ["codes/diagnoses.json", `${JSON.stringify(diagnosisMap, null, 2)}\n`],
]
