import { find } from "./element.ts"
import type { DataSet, Element } from "./element.ts"
import { framesAreClean } from "./frames.ts"
import type { Parsed } from "./parse.ts"
import { seriesRisk } from "./region.ts"
import { canClear, embeddedOverlay } from "./overlay-bits.ts"
import type { ProfileOption } from "./profile.ts"
import { rawText } from "./raw-text.ts"
import { cleanedBy, isRefusal, mediaDirectory, showingOf } from "./sop-class.ts"
import type { ClassRefusal, Showing } from "./sop-class.ts"
import type { Summary } from "./summary.ts"
import { isPixelData, tagText } from "./tag.ts"
import { frameCoding } from "./transfer-syntax.ts"

/** Why an instance is not released. */
export type RefusalReason =
  | "unparsable"
  | ClassRefusal
  | "unsupported-transfer-syntax"
  | "missing-uid"
  | "overlay"
  | "unexpected-pixel-data"
  | "app-segment"
  | "burned-in-text-risk"
  | "burned-in-text-unsure"
  | "pixels-unreadable"
  | "no-person"
  | "face-risk"
  | "identifier-left"

/** A refusal. `path` is a tag path, `detail` a code; neither holds a value. */
export interface Refused {
  readonly kind: "refused"
  readonly reason: RefusalReason
  readonly path?: string
  readonly detail?: string
}

export const refuse = (reason: RefusalReason, path?: string, detail?: string): Refused => ({
  kind: "refused",
  reason,
  ...(path === undefined ? {} : { path }),
  ...(detail === undefined ? {} : { detail }),
})

/** Modalities (0008,0060) whose pictures are made on screens or carry text as a rule (PS3.3 C.7.3.1.1.1). */
const textModalities = new Set(
  "US BDUS EC DD IVUS ES ES HC OT XC DOC RG FS DG CD LP CP CS DF DM MA MS PI SC TG VF VI FID".split(" "),
)

/** Image Type values of screens and reports of scanners. */
const textTypes =
  /SCREEN|CAPTURE|DOSE[ _]?INFO|DOSE[ _]?REPORT|REPORT|PROTOCOL|PRINT|SECONDARY CAPTURE|SNAPSHOT|SCANNED/

const textDescriptions =
  /SCREEN ?(?:SAVE|SHOT|CAP)|SNAPSHOT|DOSE (?:REPORT|INFO|RECORD|SUMMARY|SHEET)|PATIENT PROTOCOL|SECONDARY CAPTURE|SCANNED|DIGITI[SZ]ED FILM|FILM DIGITI[SZ]ER/

/** Classes whose pictures are grey by definition; colour in them is an annotation. */
const colourless =
  /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.(?:1|1\.1|1\.1\.1|1\.2|1\.2\.1|1\.3|1\.3\.1|2|2\.1|2\.2|4|4\.1|4\.4|12\.1|12\.1\.1|12\.2|12\.2\.1|128|128\.1|130|13\.1\.[1-5]|20|481\.1)$/

const derivedSecondary = (type: readonly string[]): boolean =>
  type[0]?.toUpperCase() === "DERIVED" && type[1]?.toUpperCase() === "SECONDARY"

const hasSlideLabel = ({ specimenLabelInImage, imageType }: Summary): boolean =>
  specimenLabelInImage !== "NO" || imageType.some((value) => /LABEL|OVERVIEW/.test(value.toUpperCase()))

/** Why a picture may carry burned-in text, as a code; undefined when nothing says so. */
function textRisk(summary: Summary, showing: Showing): string | undefined {
  if (summary.burnedInAnnotation !== "" && summary.burnedInAnnotation !== "NO") return "burned-in-annotation"
  if (showing === "photo" && summary.burnedInAnnotation !== "NO") return "burned-in-annotation"
  if (textModalities.has(summary.modality)) return "modality"
  const types = [summary.imageType, ...summary.frameTypes.map((type) => type.split("\\"))]
  if (types.some(derivedSecondary)) return "derived-secondary"
  if (types.some((type) => type.some((value) => textTypes.test(value.toUpperCase())))) return "image-type"
  if (showing === "slide" && hasSlideLabel(summary)) return "slide-label"
  if (summary.conversionType !== "") return "conversion-type"
  if (summary.detectorType === "FILM") return "digitized-film"
  const coloured = !summary.photometricInterpretation.startsWith("MONOCHROME")
  if (colourless.test(summary.sopClassUid) && coloured && summary.rows !== undefined) return "colour"
  return textDescriptions.test(`${summary.seriesDescription} ${summary.studyDescription}`.toUpperCase())
    ? "description"
    : undefined
}

/** Secondary capture device and hard copy attributes (PS3.3 C.8.6.1): the picture went through a screen, paper or film. */
const captureDevice = (tag: number): boolean => tag >= 0x00181010 && tag <= 0x0018101b && tag !== 0x00181014

const hasValue = (element: Element): boolean => element.valueEnd > element.valueStart

/** Pixel data besides the one element that is spliced through, and coefficient and variable pixel data (retired). */
function unexpectedPixels(dataSet: DataSet): Element | undefined {
  const pixels = dataSet.elements.filter(({ tag }) => isPixelData(tag))
  if (pixels.length > 1) return pixels[1]
  return dataSet.elements.find(
    ({ tag }) => tag > 0x7fe00010 && tag < 0x80000000 && ((tag >>> 16) & 1) === 0 && (tag & 0xffff) !== 0,
  )
}

/** Bytes that native pixel data has by its description (PS3.5 8.1.1, YBR_FULL_422 halved); undefined when it cannot be told. */
function expectedBytes(summary: Summary): number | undefined {
  const { rows, columns, bitsAllocated, samplesPerPixel = 1, numberOfFrames = 1 } = summary
  if (rows === undefined || columns === undefined || bitsAllocated === undefined) return undefined
  const samples = summary.photometricInterpretation === "YBR_FULL_422" ? 2 : samplesPerPixel
  return Math.ceil((rows * columns * samples * Math.max(1, numberOfFrames) * bitsAllocated) / 8)
}

function pixelRefusal(parsed: Parsed, summary: Summary): Refused | undefined {
  const unexpected = unexpectedPixels(parsed.dataSet)
  if (unexpected !== undefined) return refuse("unexpected-pixel-data", tagText(unexpected.tag))
  const pixelData = parsed.dataSet.elements.find(({ tag }) => isPixelData(tag))
  const coding = frameCoding(parsed.transferSyntax)
  if (coding === undefined) return refuse("unsupported-transfer-syntax", "(0002,0010)")
  if (pixelData === undefined) return undefined
  if (pixelData.items !== undefined) return refuse("unexpected-pixel-data", tagText(pixelData.tag))
  if ((coding === "native") !== (pixelData.fragments === undefined))
    return refuse("unsupported-transfer-syntax", tagText(pixelData.tag))
  if (coding !== "native")
    return framesAreClean(parsed.source, pixelData, coding, (summary.rows ?? 0) * (summary.columns ?? 0))
      ? undefined
      : refuse("app-segment", tagText(pixelData.tag))
  const expected = expectedBytes(summary)
  const length = pixelData.valueEnd - pixelData.valueStart
  if (expected === undefined || length > expected + (expected % 2))
    return refuse("unexpected-pixel-data", tagText(pixelData.tag), "length")
  return undefined
}

/** Overlays in bits of the pixel data that cannot be cleared; those with data of their own are removed. */
function overlayRefusal(parsed: Parsed): Refused | undefined {
  const found = embeddedOverlay(parsed)
  return found === undefined || canClear(parsed) ? undefined : refuse("overlay", tagText(found.tag))
}

function missingUid(summary: Summary): Refused | undefined {
  if (summary.sopInstanceUid === "") return refuse("missing-uid", "(0008,0018)")
  if (summary.studyInstanceUid === "") return refuse("missing-uid", "(0020,000D)")
  return summary.seriesInstanceUid === "" ? refuse("missing-uid", "(0020,000E)") : undefined
}

/** How the pictures of an instance are to be looked at before they pass: not at all, as it has none that carry text; a share of a
 * series; or each. */
export type Reading = "none" | "sample" | "each"

/** Slices as scanners make them: burned-in text is rare in them, and found in a sample of a series. */
const sampled = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.(?:2|2\.1|2\.2|4|4\.1|4\.4|128|128\.1|130|20)$/
/** Segmentations, surfaces, dose and parameter maps: labels and numbers, which scanners and screens do not write into. */
const noText = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.(?:30|66(?:\.\d)?|481\.[2-9])$/

const isOriginal = ([first, second]: readonly string[]): boolean =>
  first?.toUpperCase() === "ORIGINAL" && second?.toUpperCase() === "PRIMARY"

/** How an instance is to be read, by SOP class, Image Type, Conversion Type, Modality and Burned In Annotation. */
export function readingOf(parsed: Parsed, summary: Summary): Reading {
  const { dataSet } = parsed
  if (!dataSet.elements.some(({ tag }) => isPixelData(tag)) || noText.test(summary.sopClassUid)) return "none"
  const showing = classOf(parsed, summary)
  if (showing === "data") return "none"
  const risky = isRefusal(showing) || textRisk(summary, showing) !== undefined
  const captured = dataSet.elements.some((element) => captureDevice(element.tag) && hasValue(element))
  return risky || captured || !sampled.test(summary.sopClassUid) || !isOriginal(summary.imageType) ? "each" : "sample"
}

export interface RefusalContext {
  readonly hasPerson: boolean
  /** Under Clean Pixel Data: whether the pictures were read, and what identifies taken out of them; or need not be, by a sample of
   * their series. */
  readonly pixels?: "read" | "sampled" | undefined
  readonly faces: "refuse" | "allow"
  readonly options: readonly ProfileOption[]
  /** What `seriesRisk` said of the whole series; decided by the instance alone when not given. */
  readonly series?: { readonly risk: ReturnType<typeof seriesRisk> }
}

/** The directory of a medium has its class in the file meta information alone, or shows by its own attributes (PS3.3 F.3). */
function classOf(parsed: Parsed, summary: Summary): Showing | ClassRefusal {
  const { dataSet, meta, metaSource } = parsed
  const stored = meta === undefined ? undefined : find(meta, 0x00020002)
  const isDirectory =
    (stored !== undefined && rawText(metaSource, stored) === mediaDirectory) || find(dataSet, 0x00041220) !== undefined
  return isDirectory ? "media-directory" : showingOf(summary.sopClassUid)
}

/** Whether an option cleans what the class is refused for; of pictures, once they were read, or where there are none. */
function isCleaned(refusal: ClassRefusal, parsed: Parsed, { options, pixels }: RefusalContext): boolean {
  if (refusal !== "burned-in-text-risk") return cleanedBy[refusal] !== undefined && options.includes(cleanedBy[refusal])
  const none = !parsed.dataSet.elements.some(({ tag }) => isPixelData(tag))
  return options.includes("clean-pixel-data") && (none || pixels === "read")
}

/** Why the pictures of an instance may carry text that nobody has looked for. */
function unread(parsed: Parsed, summary: Summary, context: RefusalContext): Refused | undefined {
  if (context.options.includes("clean-pixel-data")) {
    const reading = readingOf(parsed, summary)
    const seen =
      reading === "none" || context.pixels === "read" || (reading === "sample" && context.pixels === "sampled")
    return seen ? undefined : refuse("burned-in-text-risk", undefined, "unread")
  }
  const showing = classOf(parsed, summary)
  const text = showing === "data" || isRefusal(showing) ? undefined : textRisk(summary, showing)
  if (text !== undefined) return refuse("burned-in-text-risk", undefined, text)
  const capture = parsed.dataSet.elements.find((element) => captureDevice(element.tag) && hasValue(element))
  return capture === undefined ? undefined : refuse("burned-in-text-risk", tagText(capture.tag), "capture-device")
}

/** The decision on the series, and where burned-in text hid another risk, that of the instance alone. */
export function riskOfSeries(
  summary: Summary,
  { series, pixels }: Pick<RefusalContext, "series" | "pixels">,
): ReturnType<typeof seriesRisk> {
  const risk = series === undefined ? seriesRisk([summary]) : series.risk
  return risk === "burned-in-text-risk" && pixels === "read"
    ? seriesRisk([{ ...summary, burnedInAnnotation: "" }])
    : risk
}

/** The first reason that applies not to release an instance; undefined when none does. */
export function refusalOf(parsed: Parsed, summary: Summary, context: RefusalContext): Refused | undefined {
  const showing = classOf(parsed, summary)
  const byClass =
    isRefusal(showing) && !isCleaned(showing, parsed, context) ? refuse(showing, "(0008,0016)") : undefined
  if (byClass !== undefined && showing !== "burned-in-text-risk") return byClass
  const early = missingUid(summary) ?? overlayRefusal(parsed) ?? pixelRefusal(parsed, summary)
  if (early !== undefined || byClass !== undefined) return early ?? byClass
  const text = unread(parsed, summary, context)
  if (text !== undefined) return text
  if (!context.hasPerson) return refuse("no-person")
  const risk = riskOfSeries(summary, context)
  if (risk === undefined || (risk === "face-risk" && context.faces === "allow")) return undefined
  return refuse(risk)
}
