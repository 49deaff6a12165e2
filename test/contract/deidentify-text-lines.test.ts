import { describe, expect, it } from "vitest"
import { surrogatesOf } from "../property/report-generator.ts"
import { judge, snippetFrom } from "./report-snippets.ts"

const surrogates = surrogatesOf(new Uint8Array(32).fill(4), "p")
const nobody = { names: [], ids: [], birthDates: [] }

/** What of a marked line was left, and what was taken that identifies nobody. */
function faultsOf(source: string): readonly string[] {
  const { spans, wrong } = judge(snippetFrom("line", nobody, source), surrogates)
  return [
    ...spans.flatMap(({ left }) => left.map((word) => `left: ${word}`)),
    ...wrong.map(({ word }) => `taken: ${word}`),
  ]
}

describe("places in a line of a report", () => {
  it.each([
    "She moved here from ⟦place:Tullamore⟧ and lives in ⟦place:Trim⟧.",
    "He fell at work in ⟦place:Rotherham⟧ last week.",
    "Transferred from ⟦place:Dayton, Ohio⟧ by helicopter.",
    "Visiting family near ⟦place:Hollingbourne⟧.",
    "Native of ⟦place:Salt Lake City⟧, smokes.",
    "Admitted to ⟦place:Mercy General⟧ with chest pain.",
    "Transferred to ⟦place:Oakridge Memorial⟧ for PCI.",
    "Seen at ⟦place:St. Vincent's⟧ on call.",
    "Discharged to ⟦place:Whitcliffe House⟧ today.",
    "Films from ⟦place:Kaiser Permanente⟧ and slides from ⟦place:Mayo Clinic⟧ reviewed.",
    "Sent to ⟦place:Karolinska⟧ for review.",
    "⟦place:Klinikum Rosenheim⟧, Abteilung für Radiologie",
    "Adressé au ⟦place:CHU de Rennes⟧ pour avis.",
    "Moved to ⟦place:Nightingale Ward⟧ overnight.",
    "Works for ⟦place:Pinnacle Steel Inc⟧ as a welder.",
    "Pharmacy: ⟦place:Corner Drug⟧",
    "Nursing home: ⟦place:Sunny Acres⟧.",
    "Studied at the ⟦place:University of Saskatchewan⟧.",
  ])("go: %s", (line) => expect(faultsOf(line)).toEqual([]))

  it.each([
    "Bristol stool type 4. Glasgow coma scale 15. Boston brace fitted. Ottawa ankle rules negative.",
    "Lesion in Morison pouch, in Douglas. Pain at McBurney point, tenderness at Erb's point.",
    "Los Angeles grade B esophagitis. Milan criteria met. Vancouver B2 fracture. Philadelphia chromosome positive.",
    "ST elevation in V2. Memorial of the visit. In General Surgery today. Transferred to Surgery. At Risk.",
    "Switched to Xarelto from Coumadin. Allergic to Keflex. Rash to Bactrim.",
    "Location: Left breast. Site: Right lower lobe. Unit: mg. Ward round done. Ventilation of Right Lower Lobe.",
    "Uses St. John's wort. St. Jude valve in place. Home: no stairs. Home O2. Hospital course: stable. Practice: daily.",
    "Discharged home. Referred to Cardiology and to Physical Therapy. To the Emergency Department.",
  ])("stay where they are none: %s", (line) => expect(faultsOf(line)).toEqual([]))
})

describe("addresses in a line of a report", () => {
  it.each([
    "⟦address:7/22 Banksia Crescent, Toowoomba QLD 4350⟧, ring first.",
    "Lives at ⟦address:Flat 3b, 18 Priory Close, Wokingham RG41 2PQ⟧.",
    "⟦address:The Old Rectory, Church Lane, Much Wenlock TF13 6HN⟧.",
    "Mail to ⟦address:PO Box 4471⟧ only.",
    "⟦address:118 King St W, Hamilton, ON L8P 4S6⟧.",
    "Found on ⟦address:Juniper Drive⟧ by a neighbor.",
    "Wohnhaft ⟦address:Am Markt 3, 72108 Rottenburg⟧.",
    "⟦address:Keizersgracht 123, 1015 CJ Amsterdam⟧",
    "⟦address:14 rue des Lilas, 35000 Rennes⟧",
    "⟦address:Calle Mayor 12, 28013 Madrid⟧",
    "⟦address:61 Sickles Ave, Daly City 94014⟧.",
    "⟦address:4410 Quail Hollow Ln Apt 3, Tucson, AZ 85701⟧.",
    "Struck at ⟦address:Dort Hwy and Atherton⟧.",
    "Stays at ⟦address:61 Peckham Rye⟧.",
    "PID|1||44||⟦name:DOE^JANE⟧|||F|||⟦address:118 ELM ST^APT 4^WORCESTER^MA^01608⟧||",
  ])("go: %s", (line) => expect(faultsOf(line)).toEqual([]))

  it.each([
    "On Right Lower Lobe. Drive line infection. Way of life. 3 Left Lower Teeth. 12 Leads placed. Court ordered hold.",
    "At 40 Gy in 20 fractions. At 5 PM. Gait: walks 50 Feet. B12 1000 mcg. T12 L1 fused. 2 Large Cysts.",
  ])("stay where they are none: %s", (line) => expect(faultsOf(line)).toEqual([]))
})

describe("dates in a line of a report", () => {
  it.each([
    "Signed ⟦date:04-MAR-2019⟧. Seen ⟦date:3.4.19⟧ and ⟦date:2019/04/03⟧.",
    "Surgery ⟦date:April 3⟧, staples out ⟦date:4/17⟧.",
    "The ⟦date:3rd of April⟧ at noon.",
    "Onset mid-⟦date:March 2018⟧.",
    "Back on ⟦date:Tues April 3⟧.",
    "Clinic ⟦date:Apr 3⟧, ⟦date:10⟧ and ⟦date:17, 2019⟧.",
    "Stationär vom ⟦date:28.03.⟧-⟦date:03.04.2019⟧.",
    "Entlassung am ⟦date:Mittwoch, den 3. April 2019⟧.",
    "Opname op ⟦date:3 april 2019⟧.",
    "Examen le ⟦date:3 avril 2019⟧, contrôle le ⟦date:12 mai⟧.",
    "Ingreso el ⟦date:3 de abril⟧.",
    "Brought in on ⟦date:Monday 3rd⟧.",
    "Next appt ⟦date:18th⟧.",
    "Visit of ⟦date:2019-Q2⟧ and ⟦date:Q3 2019⟧.",
    "Indlagt ⟦date:30/3-19⟧.",
    "Study: ⟦date:1975-Oct-29⟧.",
    "D.O.B. ⟦birth-date:8.9.71⟧.",
    "Father lived to ⟦age:93⟧; she turned ⟦age:100⟧ in spring.",
    "Dr. ⟦name:Thistlewood⟧, ⟦age:93⟧, retired.",
  ])("go: %s", (line) => expect(faultsOf(line)).toEqual([]))

  it.each([
    "Activity 11/24, chronicity 2/12. Image 12/24, lead 3/4. Strength 4/5. Pain 3/10. Software 3.4.19. Nodes 0/4.",
    "Mag 4 g bolus. May 2 or 3 times. Mayo 9. 1st rib, the 4th toe. T1 1450 ms. pH 7.32/48/88/24. IV Q2 hours.",
    "In her nineties. Aged 45. Sats 93, stable. HR 95, regular. Ferritin 98, normal.",
  ])("stay where they are none: %s", (line) => expect(faultsOf(line)).toEqual([]))
})

describe("identifiers in a line of a report", () => {
  it.each([
    "Specimen ⟦id:S19-1234⟧ and ⟦id:19-SP-04418⟧, EEG# ⟦id:19-0338⟧.",
    "Plate ⟦id:DKT 4471⟧, vehicle reg ⟦id:BD51 SMR⟧.",
    "Lot ⟦id:C5521BA⟧, batch ⟦id:KT09L2C⟧, S/N ⟦id:300918M⟧.",
    "Implant UDI ⟦id:(01)00643169001763⟧.",
    "Pnr ⟦id:19510304-2388⟧. CPR ⟦id:140552-1137⟧. CPF ⟦id:441.820.913-09⟧.",
    "RAMQ ⟦id:DESM 9409 3018⟧.",
    "User ⟦id:kpatel_2⟧ logged in. Insta @⟦id:skye.grey.xo⟧.",
    "SSN ending in ⟦id:4471⟧, last four ⟦id:9921⟧, xxx-xx-⟦id:4417⟧.",
    "MBI ⟦id:1EG4-TE5-MK73⟧, NPI ⟦id:1234567893⟧, DEA ⟦id:BT1234563⟧.",
    "Driver's license ⟦id:D1234567⟧, badge ⟦id:4471⟧, member ID ⟦id:W2281 77120⟧.",
    "BSN ⟦id:123456782⟧, Versichertennummer ⟦id:A123456789⟧, Steuer-ID ⟦id:12 345 678 901⟧.",
    "NIR ⟦id:1 85 05 78 006 084 36⟧, Aadhaar ⟦id:1234 5678 9012⟧.",
    "Codice fiscale ⟦id:RSSMRA85T10A562S⟧.",
    "Encounter ⟦id:00991827⟧, visit #: ⟦id:889123⟧, requisition ⟦id:R-88213⟧, order ⟦id:4481923⟧.",
    "Claim ⟦id:C0448-19⟧, case ⟦id:2019-00883⟧, policy ⟦id:LM-7729-0013⟧.",
    "Door code ⟦id:4471⟧. Compte rendu n° ⟦id:19-H-04418⟧.",
    "ORC|1||⟦id:11872⟧^⟦name:ABERNATHY^SLOANE⟧",
    "Vocera ⟦phone:5-4418⟧, x⟦phone:4471⟧, tlf ⟦phone:65 55 01 12⟧, ⟦phone:(559)5550171⟧, bleep *⟦phone:418⟧.",
  ])("go: %s", (line) => expect(faultsOf(line)).toEqual([]))

  it.each([
    "Trial NCT03274492, NM_000059.3, rs123456, SNOMED 254837009, LOINC 2345-7, CPT 71260, ICD-10 C81.90.",
    "NPI 4.36. CA-125 35. HTLV-1. T2-weighted. Unit dose. Case reviewed. Lot of pain. Order 500 mg. Visit 2 of 3.",
    "Vehicle: D5 1/2 NS. Code blue at 0430. Star shaped. Kit used. Sample hemolyzed. Order placed 2019.",
  ])("stay where they are none: %s", (line) => expect(faultsOf(line)).toEqual([]))
})

describe("names in a line of a report", () => {
  it.each([
    "RN ⟦name:Kylie⟧ paged Dr. ⟦name:Volkov⟧.",
    "Seen by dr ⟦name:okafor⟧ at noon.",
    "pt seen by nurse ⟦name:ratched⟧ today, wife ⟦name:susan⟧ aware.",
    "daughter in law ⟦name:Glenys⟧, kids ⟦name:Jed⟧ (4) and ⟦name:Andrei⟧ (1).",
    "His wife ⟦name:June⟧ is worried.",
    "⟦name:Mary⟧ (wife) picks him up.",
    "Reviewed with ⟦name:H.-P. von Allmendingen⟧.",
    "Notes by ⟦name:K. Papadimitriou⟧.",
    "Sonographer: ⟦name:kmc⟧   Machine: Vivid.",
    "DICTATED: ⟦date:04/03/2019⟧ 15:01 ⟦name:jbw⟧",
    'Seen today: Mr. ⟦name:Ernest Thistlewood⟧ ("⟦name:Ern⟧").',
    "Attended by Dr. ⟦name:Fenella Quist-Rasmussen⟧.",
    "His wife, ⟦name:Maureen⟧, and son, ⟦name:Tom⟧, were present.",
    "Spoke with mother (⟦name:Keisha⟧) by phone.",
    "Mr. and Mrs. ⟦name:Haverford⟧ agree.",
    "Drs. ⟦name:Achterberg⟧ and ⟦name:Nguyen⟧ agree.",
    "PCP: ⟦name:Okonkwo⟧",
    "Discussed with Nephrology (Dr. ⟦name:Imani Wells⟧).",
    "Thanks,\n⟦name:Ludo⟧",
    "Next of kin: ⟦name:Delphine Marchetti⟧ (sister)",
    "cc: ⟦name:J. Villareal⟧ MD, ⟦name:Karen Oduya⟧ NP",
    "Interpreter ⟦name:Marisol⟧ present.",
    "Consultant: Miss ⟦name:E. Tregaskis⟧ FRCS",
    "Patient: ⟦name:DELACROIX-MOORE, TAMSIN R⟧",
    "Copy to Dr ⟦name:Lambert⟧, ⟦place:Wavre⟧.",
  ])("go: %s", (line) => expect(faultsOf(line)).toEqual([]))

  it.each([
    "S. Aureus and E. Coli grew. Volume 1.1 L. Flomax 0.4. Cataract R. Drusen seen. Grade B. Octreotide given.",
    "Gleason 3+4, Risser 4, Child B7. Mallory Weiss tear. Stein-Leventhal syndrome. Smith-Petersen osteotomies. Long QT syndrome.",
    "Mark the calendar. Gene testing sent. Art therapy. Grant access. Rob of flow. Grace period.",
    "CT Chest. PT Evaluation. OT Assessment. MO Advised. IV Fluids. MRI Brain. SW Consult. US Abdomen. PA Chest.",
    "Performed by EMS. Seen by ICU. Confirmed by PCR. Per EEG. Transported by EMS.",
    "Morbus Bechterew, M. Crohn, V. Cava, A. Carotis. Technologist note attached. Driver of car. Interpreter used.",
  ])("stay where they are none: %s", (line) => expect(faultsOf(line)).toEqual([]))
})
