/** Namespaces and code systems of the hospital and of the world. */
export const systems = {
  mrn: "http://hospital.example/mrn",
  accession: "http://hospital.example/accession",
  lab: "http://hospital.example/lab",
  diagnosis: "http://hospital.example/dx",
  insurance: "http://insurance.example/member",
  ssn: "http://hl7.org/fhir/sid/us-ssn",
  loinc: "http://loinc.org",
  snomed: "http://snomed.info/sct",
  icd: "http://hl7.org/fhir/sid/icd-10-cm",
  ucum: "http://unitsofmeasure.org",
  dicom: "http://dicom.nema.org/resources/ontology/DCM",
  identifierType: "http://terminology.hl7.org/CodeSystem/v2-0203",
  diagnosticSection: "http://terminology.hl7.org/CodeSystem/v2-0074",
} as const

export interface Coding {
  readonly system: string
  readonly code: string
  readonly display: string
}
const coding = (system: string, code: string, display: string): Coding => ({ system, code, display })

/** Diagnoses, each in the ways in which records say it. Local codes that end in -OLD are in no table. */
export const diagnoses = {
  cancer: {
    snomed: coding(systems.snomed, "254637007", "Non-small cell lung cancer"),
    icd: coding(systems.icd, "C34.11", "Malignant neoplasm of upper lobe, right bronchus or lung"),
    local: coding(systems.diagnosis, "LUNGCA", "Lung carcinoma"),
    unmapped: coding(systems.diagnosis, "LUNGCA-OLD", "Lung ca (old list)"),
  },
  rib: {
    snomed: coding(systems.snomed, "33737001", "Fracture of rib"),
    icd: coding(systems.icd, "S22.31XA", "Fracture of one rib, right side, initial encounter for closed fracture"),
    local: coding(systems.diagnosis, "FX-RIB", "Rib fracture"),
    unmapped: coding(systems.diagnosis, "FX-RIB-OLD", "Rib fx (old list)"),
  },
  patella: {
    snomed: coding(systems.snomed, "80756009", "Fracture of patella"),
    icd: coding(systems.icd, "S82.002A", "Unspecified fracture of left patella, initial encounter for closed fracture"),
    local: coding(systems.diagnosis, "FX-PATELLA", "Patella fracture"),
    unmapped: coding(systems.diagnosis, "FX-PATELLA-OLD", "Patella fx (old list)"),
  },
} as const

/** Measurements. */
export const measurements = {
  creatinine: {
    loinc: coding(systems.loinc, "2160-0", "Creatinine [Mass/volume] in Serum or Plasma"),
    local: coding(systems.lab, "CREA", "Creatinine"),
    unmapped: coding(systems.lab, "CREA-POC", "Creatinine, point of care"),
  },
  hemoglobin: coding(systems.loinc, "718-7", "Hemoglobin [Mass/volume] in Blood"),
  hemoglobinLocal: coding(systems.lab, "HGB", "Hemoglobin"),
  troponin: coding(
    systems.loinc,
    "89579-7",
    "Troponin I.cardiac [Mass/volume] in Serum or Plasma by High sensitivity method",
  ),
} as const

/** What reports conclude. */
export const conclusions = {
  nodule: coding(systems.snomed, "427359005", "Solitary nodule of lung"),
  normal: coding(systems.snomed, "17621005", "Normal"),
} as const
