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
