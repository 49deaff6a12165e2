import { nameOf, textCleaner } from "../../formats/text/index.ts"
import { pseudonymizer } from "../../core/index.ts"
import type { Bench } from "./figure.ts"
import { timed } from "./measure.ts"

const megabytes = 5
const rounds = 4
/** What the project promises, MB/s on one core. */
const promised = 5

/** A report as radiologists dictate them: identifiers at both ends, prose between. */
const report = (at: number) => `GENERAL MERCY HOSPITAL
Patient: TESTPERSON, ALVA J.   MRN: 0047${at % 90}147   DOB: 03/04/1950
Accession: ACC-${778_000 + (at % 900)}   Exam date: March ${(at % 27) + 1}, 2019 14:30
Referring physician: Dr. Roderick Holloway

EXAMINATION: CT of the chest, abdomen and pelvis with intravenous contrast.
HISTORY: 68-year-old woman with Hodgkin lymphoma, status post four cycles of chemotherapy. Evaluate response.
COMPARISON: CT of 11/02/2018.
TECHNIQUE: Helical acquisition from the thoracic inlet through the pubic symphysis after 100 mL of iohexol 350, with coronal and
sagittal reformations at 3 mm. Dose length product 612 mGy*cm.
FINDINGS: The thyroid gland is homogeneous. The heart is normal in size and there is no pericardial effusion. The thoracic aorta is
of normal caliber with mild atherosclerotic calcification. Mediastinal lymph nodes have decreased, the largest in the right lower
paratracheal station now 9 x 6 mm (series 4, image 62), previously 21 x 14 mm. No hilar or axillary adenopathy. The lungs show mild
dependent atelectasis without consolidation. A 4 mm nodule in the right middle lobe is unchanged. No pleural effusion or
pneumothorax. The liver is normal in attenuation with a 12 mm cyst in segment VI. The gallbladder, pancreas, spleen and adrenal
glands are unremarkable. The kidneys enhance symmetrically; a 7 mm cortical cyst on the left needs no follow-up. No retroperitoneal
or mesenteric adenopathy. The bowel is of normal caliber and the appendix is not inflamed. The urinary bladder is partially
distended. No free fluid. Degenerative change of the lumbar spine, most pronounced at L4/5, without a suspicious lesion of bone.
Ms. Testperson was told of the result.
IMPRESSION:
1. Marked decrease of mediastinal adenopathy, consistent with partial response.
2. Stable 4 mm nodule of the right middle lobe.
3. No new disease in the abdomen or pelvis.

Dictated by: Jane Halloran, MD
Electronically signed by Jane Halloran, MD on March ${(at % 27) + 1}, 2019 at 16:02
JH/kl
`

/** A note of identifiers and little else: one in 20 characters. */
const dense = (at: number) =>
  Array.from({ length: 8 }, (_, line) => {
    const n = (at * 8 + line) % 40
    return `Ms. Testperson (MRN 0047${n}147, DOB 03/04/1950) was seen on March ${(n % 27) + 1}, 2019 by Dr. Roderick Holloway; call (555) 867-${1000 + n} or mail a${n}@mercy.org. Prior CT of 11/02/2018 at St. Mary's Hospital, 12 Elm Street, Springfield, IL 62704. Signed: Jane Halloran, MD. Acc# ${778_000 + n}.\n`
  }).join("")

/** deidentifyText on made-up reports, one after another, one person; against the rate that is promised, by the CPU time of this
 * process. */
export const benchText: Bench = async () => {
  const pseudonyms = pseudonymizer(new Uint8Array(32).fill(7))
  const surrogates = {
    key: (kind: string, value: string) => pseudonyms.identifier(`text-${kind}`, value),
    shiftDays: pseudonyms.shiftDays("p"),
    uid: pseudonyms.uid,
  }
  const person = {
    names: [nameOf("Testperson^Alva^Jo")],
    ids: [{ value: "MRN-471147" }, { value: "ACC-778899" }],
    birthDates: ["1950-03-04"],
  }
  const clean = textCleaner(person, surrogates)
  const rate = async (make: (at: number) => string): Promise<number> => {
    const texts: string[] = []
    for (let length = 0; length < megabytes * 1e6; length += texts.at(-1)!.length) texts.push(make(texts.length))
    const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
    let best = Number.POSITIVE_INFINITY
    for (let round = 0; round < rounds; round++) {
      const { cpu } = await timed(async () => {
        for (const text of texts) clean(text)
      })
      best = Math.min(best, cpu)
    }
    return bytes / 1e6 / best
  }
  return [
    {
      name: "report text de-identified, one core, against the promised rate",
      measured: await rate(report),
      floor: promised,
      unit: "MB/s",
      target: 1,
    },
    {
      name: "text dense with findings, one in 20 characters, against the promised rate",
      measured: await rate(dense),
      floor: promised,
      unit: "MB/s",
      target: 1,
    },
  ]
}
