import { isRefusal, showingOf } from "./sop-class.ts"
import type { Summary } from "./summary.ts"

/** Body Part Examined (PS3.16 annex L) and anatomic region meanings below the neck, letters only: nothing of a face is in them.
 * Whatever is not listed counts as unknown. */
const below: ReadonlySet<string> = new Set(
  `ABDOMEN ABDOMENPELVIS ADRENAL ADRENALGLAND ANKLE ANUS AORTA ARM ARMPIT AXILLA BACK BILEDUCT BLADDER BREAST BRONCHUS
  BUTTOCK CALCANEUS CALF CHEST CHESTABDOMEN CHESTABDPELVIS CHESTABDOMENPELVIS CLAVICLE COCCYX COLON CORONARYARTERY DUODENUM
  ELBOW ESOPHAGUS EXTREMITY FEMUR FINGER FOOT FOREARM GALLBLADDER HAND HEART HEEL HIP HUMERUS ILEUM ILIUM JEJUNUM KIDNEY
  KNEE LARGEINTESTINE LEG LIVER LOWEREXTREMITY LOWERLIMB LOWERLEG LSPINE LUMBARSPINE LUNG LUNGS MEDIASTINUM OVARY PANCREAS
  PATELLA PELVIS PENIS PROSTATE RADIUS RECTUM RIB RIBS SACRUM SCAPULA SCROTUM SHOULDER SMALLINTESTINE SPLEEN SSPINE STERNUM
  STOMACH TESTIS THIGH THORAX THORACICSPINE THUMB THYMUS TIBIA TLSPINE TOE TSPINE UPPEREXTREMITY UPPERLIMB UTERUS VAGINA
  WRIST KIDNEYS BREASTS HIPS KNEES HANDS FEET ABDOMENANDPELVIS CHESTABDOMENANDPELVIS THORAXABDOMEN UPPERARM LOWERARM
  RIGHTBREAST LEFTBREAST RENAL CARDIAC URINARYBLADDER THORACICAORTA ABDOMINALAORTA`.split(/\s+/),
)

/** Codes of such regions, SNOMED RT and SNOMED CT (PS3.16 CID 4 and annex L). */
const belowCodes: ReadonlySet<string> = new Set(
  `T-D3000 T-D4000 T-D6000 T-04000 T-32000 T-62000 T-28000 T-65000 T-71000 T-9200B T-D9200 T-D9700 T-D8700
  51185008 818981001 818982008 818983003 113345001 12921003 816092008 76752008 80891009 10200004 39607008 15776009 64033007
  41216001 72696002 7569003 16982005 56459004 24136001 71341001 122495006 122496007 29836001 78961009 85562004 40983000
  14975008 71854001 34402009 69695003`.split(/\s+/),
)

/** Words in descriptions that place a series at or above the neck, or over the whole body, in the languages of common scanners. */
const above =
  /HEAD|BRAIN|NECK|SINUS|ORBIT|\bFACE\b|FACIAL|MAXILLOFAC|SKULL|CRANI|\bDENTA|PITUIT|HYPOPHY|CERVIC|C[ -]?SPINE|CAROTI|WHOLE ?BODY|TOTAL ?BODY|STROKE|TMJ|MAXILL|MANDIB|THYROID|TEMPORAL|PETROUS|MASTOID|INTERNAL AUDITORY|NASO|NASAL|LARYN|PHARYN|PAROTID|TONGUE|JAW|OCULAR|CEREB|INTRACRAN|CIRCLE OF WILLIS|KOPF|SCH(?:AE|Ä)DEL|\bHALS|HIRN|GESICHT|CR(?:A|Â)NE|T(?:E|Ê)TE|CERVEAU|ROCHER|VISAGE|\bTESTA\b|CABEZA|CEREBRO|CRANEO|CRÁNEO|CUELLO|\bCOLLO\b|ENCEFAL|HERSEN|HOOFD|MPRAGE/

/** The same in other languages and scripts, and short forms of the sinuses. */
const aboveElsewhere =
  /CABE(?:Ç|C)A|CR(?:Â|A)NIO|PESCO(?:Ç|C)O|ROSTRO|\bCARA\b|\bHJERNE|HJ(?:Ä|A)RNA|HUVUD|\bHODE|ANSIGT|ANSIKT|G(?:Ł|L)OW|M(?:Ó|O)ZG|TWARZ|\bSZYJ|HLAV|MOZEK|\bLEBK|KOPONYA|\bKAFA\b|BEY(?:İ|I)N|\bBOYUN|\bY(?:Ü|U)Z\b|\bNNH\b|\bKIEFER|\bORBITA|ГОЛОВ|МОЗГ|ЧЕРЕП|ЛИЦ|\bШЕ[ЯИ]|ΚΕΦΑΛ|ΕΓΚΕΦ|ΠΡΟΣΩΠ|ΚΡΑΝΙ|[頭头脳脑顔颅颈頸]|面部|두부|머리|[뇌]|경부|얼굴|رأس|دماغ|ראש|מוח/

const word = /(?:^|[^A-Z])(?:IAC|IAM|EYE|EYES|EAR|EARS|NOSE|WB|COW|NCCT|CTA ?HN|H&N|HN)(?:[^A-Z]|$)/

/** What may stand between regions, and short forms that scanners write. */
const connectors: ReadonlySet<string> = new Set(
  "AND TO WITH OF RIGHT LEFT RT LT R L BILATERAL UPPER LOWER ABD PEL ABDO THX".split(" "),
)

/** Whether a text names regions below the neck and nothing else, as `CHEST`, `T SPINE` or `CHEST/ABD/PELVIS`. */
function isBelowText(text: string): boolean {
  if (below.has(letters(text))) return true
  const words = text
    .toUpperCase()
    .split(/[^A-Z]+/)
    .filter((word) => word !== "")
  return words.some((word) => below.has(word)) && words.every((word) => below.has(word) || connectors.has(word))
}

const letters = (text: string): string => text.toUpperCase().replace(/[^A-Z]/g, "")

const isBelow = (code: string, meaning: string): boolean =>
  (belowCodes.has(code) || isBelowText(meaning)) && !above.test(meaning.toUpperCase())

type Region = "below" | "above" | "unknown"

function statedRegion(summary: Summary): Region {
  const parts = summary.bodyPart === "" ? [] : [isBelowText(summary.bodyPart)]
  const codes = summary.anatomicRegions.map(({ code, meaning }) => isBelow(code, meaning))
  const all = [...parts, ...codes]
  if (all.length === 0) return "unknown"
  return all.every((safe) => safe) ? "below" : "above"
}

function described(summary: Summary): boolean {
  const text = [summary.studyDescription, summary.seriesDescription, summary.protocolName].join(" | ").toUpperCase()
  return above.test(text) || aboveElsewhere.test(text) || word.test(text)
}

/** Secondary captures, which pass once their text is read: slices of a volume by their modality, or what a camera may have seen. */
function captureShowsFace({ sopClassUid, modality, conversionType, photometricInterpretation }: Summary): boolean {
  if (!/^1\.2\.840\.10008\.5\.1\.4\.1\.1\.7(?:\.\d)?$/.test(sopClassUid)) return false
  const coloured = /^(?:RGB|YBR)/.test(photometricInterpretation)
  return ["CT", "MR", "PT"].includes(modality) || (coloured && ["DV", "DI", "SI"].includes(conversionType))
}

const segmentation = "1.2.840.10008.5.1.4.1.1.66.4"

/** Words of segments' types (PS3.16 CID 7150 and on) that lie under the skin, wherever in the body. */
const inner: ReadonlySet<string> = new Set(
  `NEOPLASM PRIMARY SECONDARY METASTASIS METASTATIC MALIGNANT BENIGN TUMOR TUMOUR LESION NODULE CYST MASS EDEMA NECROSIS HEMORRHAGE HEMATOMA
  INFARCT INFARCTION ENHANCING NONENHANCING BRAIN CEREBRUM CEREBELLUM BRAINSTEM HIPPOCAMPUS THALAMUS AMYGDALA CAUDATE PUTAMEN
  VENTRICLE LYMPH NODE ARTERY VEIN`.split(/\s+/),
)

/** Whether a segmentation draws nothing but what is below the neck or under the skin: no face is in such masks. */
function drawsInner({ sopClassUid, segments }: Summary): boolean {
  if (sopClassUid !== segmentation || segments.length === 0) return false
  return segments.every(({ code, meaning }) => {
    const words = meaning.toUpperCase().match(/[A-Z]+/g) ?? []
    return isBelow(code, meaning) || (words.length > 0 && words.every((word) => inner.has(word)))
  })
}

/** Whether pictures of this class can be rendered or seen as a face. */
export function canShowFace(summary: Summary): boolean {
  if (drawsInner(summary)) return false
  const showing = showingOf(summary.sopClassUid)
  if (captureShowsFace(summary)) return true
  return !isRefusal(showing) && (showing === "volume" || showing === "photo")
}

/** What one instance adds to the decision on its series: `region` is `none` when nothing of a face can be seen in pictures of its
 * class, else where it says that it is; `above` also when its descriptions speak of head or neck, or it says
 * itself that features can be recognized. */
export interface SeriesEvidence {
  readonly burnedIn: boolean
  readonly region: "none" | Region
}

/** What an instance adds to the decision on its series. */
export function seriesEvidence(summary: Summary): SeriesEvidence {
  const burnedIn = summary.burnedInAnnotation === "YES"
  if (!canShowFace(summary)) return { burnedIn, region: "none" }
  const isShown = summary.recognizableVisualFeatures === "YES" || described(summary)
  return { burnedIn, region: isShown ? "above" : statedRegion(summary) }
}

/** What holds for a whole series. */
export type SeriesRisk = "face-risk" | "burned-in-text-risk" | undefined

/** The risk of a series by how many of its instances say what; see {@link seriesRisk}. */
export function riskOf(counts: {
  readonly burnedIn: number
  readonly below: number
  readonly above: number
  readonly unknown: number
}): SeriesRisk {
  if (counts.burnedIn > 0) return "burned-in-text-risk"
  if (counts.above > 0) return "face-risk"
  return counts.unknown > 0 && counts.below === 0 ? "face-risk" : undefined
}

/** What holds for a whole series, given all its instances: `face-risk` when a face could be rendered from it, as its region is head,
 * face, neck or unknown, or its descriptions speak of one; `burned-in-text-risk` when any instance says that it has burned-in
 * text. A region that some instances state counts for those that state none. */
export function seriesRisk(summaries: readonly Summary[]): SeriesRisk {
  const all = summaries.map(seriesEvidence)
  const count = (region: SeriesEvidence["region"]) => all.filter((one) => one.region === region).length
  const burnedIn = all.filter((one) => one.burnedIn).length
  return riskOf({ burnedIn, below: count("below"), above: count("above"), unknown: count("unknown") })
}
