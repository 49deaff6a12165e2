import { DicomFormatError, parse, seriesEvidence, summaryOf } from "../../formats/dicom/index.ts"
import type {
  Deidentify,
  Input,
  InstanceContext,
  NeedMore,
  Refused,
  Released,
  Summary,
} from "../../formats/dicom/index.ts"
import { sliceEvidence } from "../deface/index.ts"
import type { InstanceEvidence } from "./dicom-series.ts"
import { redactReviewed } from "./pixels/clean-pixels.ts"
import type { PixelCleaner, PixelsHeld, ReviewedPixels } from "./pixels/clean-pixels.ts"

/** The bytes of an original, wherever they are. `read` gives exactly [from, to), or rejects. */
export interface Original {
  readonly size: number
  read(from: number, to: number): Promise<Uint8Array>
  stream(from: number, to: number): AsyncIterable<Uint8Array>
}

/** Objects up to this many bytes are read at once, whole. */
const mostWhole = 8 << 20
/** First read for a header alone; those of CT and MR slices fit. */
const headerRead = 64 << 10
/** Most bytes of one object that are held in memory. */
const mostHeld = 512 << 20

/** A refusal that formats/dicom does not know: the object needs more memory than is given to one. */
export interface Unfit {
  readonly kind: "refused"
  readonly reason: "unparsable" | "too-large"
  readonly path?: string
  readonly detail?: string
}

const unfit = (reason: Unfit["reason"], detail: string): Unfit => ({ kind: "refused", reason, detail })

interface Understood<T> {
  readonly found: Exclude<T, NeedMore> | Unfit
  readonly input: Input
}

/** Gives `understand` as many of the bytes as it asks for: the start, and perhaps the end; never native pixel data between. */
async function withBytes<T extends { readonly kind: string }>(
  original: Original,
  first: number,
  understand: (input: Input) => T | NeedMore,
): Promise<Understood<T>> {
  const { size } = original
  let input: Input = { header: await original.read(0, Math.min(size, first)), size }
  for (;;) {
    const found = understand(input)
    if (!isMore(found)) return { found: found as Exclude<T, NeedMore>, input }
    const { part, from, to } = found
    if (to > size || (part === "header" && to <= input.header.length))
      return { found: unfit("unparsable", "truncated"), input }
    if (to - from > mostHeld) return { found: unfit("too-large", "header"), input }
    // Growing by at least half keeps the number of tries small when a header has many elements.
    const end = part === "header" ? Math.min(size, Math.max(to, Math.ceil(input.header.length * 1.5))) : size
    const bytes = await original.read(from, end)
    input = part === "header" ? { ...input, header: bytes } : { ...input, tail: bytes }
  }
}

const isMore = (found: { readonly kind: string }): found is NeedMore => found.kind === "more"

/** What the header of an original tells: who and what it is, and what it adds to the decision on its series. */
export interface Examined {
  readonly kind: "examined"
  readonly summary: Summary
  readonly evidence: InstanceEvidence
}

function examineBytes(input: Input): Examined | Refused | NeedMore {
  try {
    const parsed = parse(input, { stopAtPixelData: true, skipPrivate: true })
    if (parsed.kind === "more") return parsed
    const summary = summaryOf(parsed)
    // What says of itself that it shows a face is believed, however few slices there are.
    const slices = summary.recognizableVisualFeatures === "YES" ? undefined : sliceEvidence(parsed, summary.sopClassUid)
    const evidence = { ...seriesEvidence(summary), ...(slices === undefined ? {} : { slices }) }
    return { kind: "examined", summary, evidence }
  } catch (thrown) {
    if (!(thrown instanceof DicomFormatError)) throw thrown
    return { kind: "refused", reason: "unparsable", path: thrown.path, detail: thrown.code }
  }
}

/** Reads an original up to its pixel data. */
export const examine = async (original: Original): Promise<Examined | Refused | Unfit> =>
  (await withBytes<Examined | Refused>(original, headerRead, examineBytes)).found

/** A released object, as pieces: read again as often as it is asked for. */
export interface ReleasedObject {
  readonly kind: "released"
  readonly released: Released
  /** Bytes. */
  readonly size: number
  /** All of it, when it is in memory. */
  readonly pieces: readonly Uint8Array[] | undefined
  stream(): AsyncIterable<Uint8Array>
}

/** De-identifies one original. Small ones and encapsulated ones are read whole; of others the pixel data is passed through. With a
 * reader of pixels, pictures that may carry text are read before they pass, and changed where they do. */
export async function deidentifyOriginal(
  original: Original,
  deidentify: Deidentify,
  context: InstanceContext,
  pixels?: PixelReading,
): Promise<ReleasedObject | Refused | Unfit | PixelsHeld> {
  if (pixels === undefined) return spliced(original, deidentify, context)
  const seen = await readPixels(original, deidentify, context, pixels)
  return seen.kind === "refused" ? seen : spliced(seen.original, deidentify, { ...context, pixels: seen.pixels })
}

async function spliced(
  original: Original,
  deidentify: Deidentify,
  context: InstanceContext,
): Promise<ReleasedObject | Refused | Unfit> {
  const whole = original.size <= mostWhole
  const { found, input } = await withBytes<Released | Refused>(original, whole ? original.size : headerRead, (bytes) =>
    deidentify(bytes, context),
  )
  return found.kind === "refused" ? found : objectOf(original, input, found)
}

/** Who reads the pictures of an instance. */
export interface PixelReading {
  /** undefined: nobody but a person. */
  readonly cleaner: PixelCleaner | undefined
  /** Whether the instance is to be read where a sample of its series suffices; asked only then. */
  readonly inSample: () => boolean | Promise<boolean>
  /** What a person decided on its pictures. */
  readonly reviewed?: ReviewedPixels
}

/** An original whose pictures were looked at as its header asks: changed where they said who it is. */
export interface PixelsSeen {
  readonly kind: "seen"
  readonly original: Original
  /** For the context of the instance. */
  readonly pixels: InstanceContext["pixels"]
}

/** Reads the pictures of an original that may carry text, and takes what identifies out of them; refused where that cannot be done, or
 * the instance is refused whatever its pictures show. */
export async function readPixels(
  original: Original,
  deidentify: Deidentify,
  context: InstanceContext,
  { cleaner, inSample, reviewed }: PixelReading,
): Promise<PixelsSeen | Refused | Unfit | PixelsHeld> {
  const found = await spliced(original, deidentify, { ...context, pixels: "read" })
  if (found.kind === "refused") return found
  if (original.size > mostHeld) return unfit("too-large", "pixels")
  const bytes = await original.read(0, original.size)
  const reading = cleaner?.reading(bytes) ?? "each"
  if (reading === "none" && reviewed === undefined) return { kind: "seen", original, pixels: undefined }
  const read = reading === "each" || reviewed !== undefined || (await inSample())
  const look = () =>
    cleaner === undefined || reading === "none"
      ? redactReviewed(bytes, reviewed ?? { lifts: new Set(), areas: [] })
      : cleaner.clean(bytes, context.identifiers ?? [], reviewed)
  const result = read ? await look() : ({ kind: "read" } as const)
  if (result.kind === "refused") return result
  if (result.kind === "changed") return { kind: "seen", original: inMemory(result.bytes), pixels: "changed" }
  // A sample says nothing of the others: what is in it is told like what is not.
  return { kind: "seen", original, pixels: reading === "sample" && reviewed === undefined ? "sampled" : "read" }
}

const inMemory = (bytes: Uint8Array): Original => ({
  size: bytes.length,
  read: async (from, to) => bytes.subarray(from, to),
  async *stream(from, to) {
    yield bytes.subarray(from, to)
  },
})

function objectOf(original: Original, { header }: Input, released: Released): ReleasedObject {
  const { prefix, copy, suffix } = released
  const size = prefix.length + (copy.to - copy.from) + suffix.length
  const inMemory = copy.to <= header.length
  const pieces = inMemory
    ? [prefix, header.subarray(copy.from, copy.to), suffix].filter(({ length }) => length > 0)
    : undefined
  async function* stream(): AsyncGenerator<Uint8Array> {
    yield prefix
    if (copy.to > copy.from)
      if (inMemory) yield header.subarray(copy.from, copy.to)
      else yield* original.stream(copy.from, copy.to)
    if (suffix.length > 0) yield suffix
  }
  return { kind: "released", released, size, pieces, stream }
}
