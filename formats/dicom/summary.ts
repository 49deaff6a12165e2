import { find } from "./element.ts"
import type { DataSet } from "./element.ts"
import { lookup } from "./dictionary.ts"
import { parse } from "./parse.ts"
import type { Input, NeedMore, Parsed } from "./parse.ts"
import { Values } from "./values.ts"

/** What identity, study assembly and the de-identifier's decisions need of an instance. Texts are decoded and without padding,
 * empty when absent; dates and times are as written. */
export interface Summary {
  readonly transferSyntax: string
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly studyInstanceUid: string
  readonly seriesInstanceUid: string
  readonly patientId: string
  readonly issuerOfPatientId: string
  readonly patientName: string
  readonly patientBirthDate: string
  readonly accessionNumber: string
  /** Local Namespace Entity ID, else Universal Entity ID, of (0008,0051). */
  readonly accessionIssuer: string
  readonly modality: string
  /** (0018,0015), upper case. */
  readonly bodyPart: string
  /** Codes of (0008,2218) Anatomic Region and (0008,2228) Primary Anatomic Structure, those of functional groups included. */
  readonly anatomicRegions: readonly { readonly code: string; readonly meaning: string }[]
  /** Of segmentations, what each segment is: its Segmented Property Type (0062,000F). */
  readonly segments: readonly { readonly code: string; readonly meaning: string }[]
  readonly studyDate: string
  readonly studyTime: string
  readonly timezoneOffset: string
  readonly imageType: readonly string[]
  /** Frame Types (0008,9007) of multi-frame objects, each as its values joined by backslashes, without repeats. */
  readonly frameTypes: readonly string[]
  /** (0028,0301), upper case. */
  readonly burnedInAnnotation: string
  /** (0028,0302), upper case. */
  readonly recognizableVisualFeatures: string
  readonly conversionType: string
  readonly studyDescription: string
  readonly seriesDescription: string
  readonly protocolName: string
  readonly manufacturer: string
  readonly detectorType: string
  /** (0048,0010), upper case. */
  readonly specimenLabelInImage: string
  readonly photometricInterpretation: string
  readonly samplesPerPixel: number | undefined
  readonly bitsAllocated: number | undefined
  readonly numberOfStudyRelatedInstances: number | undefined
  readonly numberOfSeriesRelatedInstances: number | undefined
  readonly seriesNumber: number | undefined
  readonly instanceNumber: number | undefined
  readonly rows: number | undefined
  readonly columns: number | undefined
  readonly numberOfFrames: number | undefined
}

class Reader {
  private readonly values: Values
  private readonly dataSet: DataSet

  constructor(values: Values, dataSet: DataSet) {
    this.values = values
    this.dataSet = dataSet
  }

  texts(tag: number): readonly string[] {
    const element = find(this.dataSet, tag)
    if (element === undefined || element.valueEnd === element.valueStart || element.items !== undefined) return []
    return this.values.texts(element, lookup(tag)?.vr ?? element.vr)
  }

  text(tag: number): string {
    return this.texts(tag)[0] ?? ""
  }

  upper(tag: number): string {
    return this.text(tag).toUpperCase()
  }

  /** An integer string (IS). */
  integer(tag: number): number | undefined {
    const text = this.text(tag)
    return /^[+-]?\d{1,10}$/.test(text) ? Number(text) : undefined
  }

  u16(tag: number): number | undefined {
    const element = find(this.dataSet, tag)
    return element === undefined ? undefined : this.values.u16(element, this.dataSet.coding.bigEndian)
  }

  items(tag: number): readonly Reader[] {
    const items = find(this.dataSet, tag)?.items ?? []
    return items.map((item) => new Reader(new Values(this.values.source, item, this.values.charset), item))
  }
}

function accessionIssuer(reader: Reader): string {
  const issuer = reader.items(0x00080051)[0]
  if (issuer === undefined) return ""
  return issuer.text(0x00400031) || issuer.text(0x00400032)
}

/** Anatomy is stated as a code at the top, or in the frame anatomy macro of multi-frame objects (PS3.3 C.7.6.16.2.8). */
function anatomicRegions(reader: Reader): Summary["anatomicRegions"] {
  const groups = [...reader.items(0x52009229), ...reader.items(0x52009230)]
  const frames = groups.flatMap((group) => group.items(0x00209071))
  return [reader, ...frames]
    .flatMap((holder) => [...holder.items(0x00082218), ...holder.items(0x00082228)])
    .map((code) => ({ code: code.text(0x00080100), meaning: code.text(0x00080104) }))
}

/** A segment without a type has empty texts (PS3.3 C.8.20.4). */
const segments = (reader: Reader): Summary["segments"] =>
  reader.items(0x00620002).map((segment) => {
    const type = segment.items(0x0062000f)[0]
    return { code: type?.text(0x00080100) ?? "", meaning: type?.text(0x00080104) ?? "" }
  })

const frameTypeHolders = [
  0x00189226, 0x00189329, 0x00189504, 0x00189751, 0x00189835, 0x00400710, 0x00409092, 0x00480116, 0x00520025,
]

/** Each frame type macro has a sequence of its own (PS3.3 C.8, "Frame Type Macro"). */
function frameTypes(reader: Reader): readonly string[] {
  const groups = [...reader.items(0x52009229), ...reader.items(0x52009230)]
  const holders = groups.flatMap((group) => frameTypeHolders.flatMap((tag) => group.items(tag)))
  return [...new Set(holders.map((holder) => holder.texts(0x00089007).join("\\")))]
}

/** The summary of a file that was read. */
export function summaryOf(parsed: Parsed): Summary {
  const reader = new Reader(new Values(parsed.source, parsed.dataSet), parsed.dataSet)
  return {
    transferSyntax: parsed.transferSyntax,
    sopClassUid: reader.text(0x00080016),
    sopInstanceUid: reader.text(0x00080018),
    studyInstanceUid: reader.text(0x0020000d),
    seriesInstanceUid: reader.text(0x0020000e),
    patientId: reader.text(0x00100020),
    issuerOfPatientId: reader.text(0x00100021),
    patientName: reader.text(0x00100010),
    patientBirthDate: reader.text(0x00100030),
    accessionNumber: reader.text(0x00080050),
    accessionIssuer: accessionIssuer(reader),
    modality: reader.upper(0x00080060),
    bodyPart: reader.upper(0x00180015),
    anatomicRegions: anatomicRegions(reader),
    segments: segments(reader),
    studyDate: reader.text(0x00080020),
    studyTime: reader.text(0x00080030),
    timezoneOffset: reader.text(0x00080201),
    imageType: reader.texts(0x00080008),
    frameTypes: frameTypes(reader),
    burnedInAnnotation: reader.upper(0x00280301),
    recognizableVisualFeatures: reader.upper(0x00280302),
    conversionType: reader.upper(0x00080064),
    studyDescription: reader.text(0x00081030),
    seriesDescription: reader.text(0x0008103e),
    protocolName: reader.text(0x00181030),
    manufacturer: reader.text(0x00080070),
    detectorType: reader.upper(0x00187004),
    specimenLabelInImage: reader.upper(0x00480010),
    photometricInterpretation: reader.upper(0x00280004),
    samplesPerPixel: reader.u16(0x00280002),
    bitsAllocated: reader.u16(0x00280100),
    numberOfStudyRelatedInstances: reader.integer(0x00201208),
    numberOfSeriesRelatedInstances: reader.integer(0x00201209),
    seriesNumber: reader.integer(0x00200011),
    instanceNumber: reader.integer(0x00200013),
    rows: reader.u16(0x00280010),
    columns: reader.u16(0x00280011),
    numberOfFrames: reader.integer(0x00280008),
  }
}

/** Reads the header of a file, up to its pixel data, and summarizes it. Throws DicomFormatError for anything unreadable.
 *
 *     let header = await read(0, 256 * 1024)
 *     let summary = summarize({ header, size })
 *     while (summary.kind === "more") summary = summarize({ header: (header = await read(0, summary.to)), size })
 */
export function summarize(input: Input): ({ readonly kind: "summary" } & Summary) | NeedMore {
  const parsed = parse(input, { stopAtPixelData: true, skipPrivate: true })
  return parsed.kind === "more" ? parsed : { kind: "summary", ...summaryOf(parsed) }
}
