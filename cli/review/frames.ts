import { createHash } from "node:crypto"
import { mkdir, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { tracked } from "../../core/engine/objects.ts"
import type { Runtime } from "../../core/engine/runtime.ts"
import { fatal } from "../../core/errors.ts"
import type { ReviewRow } from "../../core/ports/reviews.ts"
import { DicomFormatError, parseWhole } from "../../formats/dicom/index.ts"
import { PixelsUnreadable, decodeFrame, describe, displayOf, frameBytes, render } from "../../formats/pixels/index.ts"
import { pngOf } from "./png.ts"

/** Frames to look at: those in which something was found, else the first, the middle and the last; from 0. */
function framesToShow({ facts }: ReviewRow, count: number): readonly number[] {
  const found = facts.boxes.flatMap(({ frame }) => (frame === undefined ? [] : [frame - 1]))
  const shown = found.length === 0 ? [0, count >> 1, count - 1] : found
  return [...new Set(shown)].filter((frame) => frame >= 0 && frame < count).sort((a, b) => a - b)
}

/** Writes frames of what is held as PNG; what they show is phi. Gives the paths.
 * @throws fatal `object-changed`, `pixels-unreadable` */
export async function writeFrames(runtime: Runtime, row: ReviewRow, folder: string): Promise<readonly string[]> {
  const { key, sha256 } = row.facts.object
  const bytes = await tracked(runtime.objects.get("phi")!, "phi", runtime).bytes(key)
  if (createHash("sha256").update(bytes).digest("hex") !== sha256)
    throw fatal("object-changed", "the object's bytes are not those that are held", {
      hint: "find out who writes to the phi bucket; send the instance again",
    })
  const dir = resolve(folder)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  try {
    const parsed = parseWhole(bytes)
    const its = describe(parsed)
    const display = displayOf(parsed, its)
    const frames = frameBytes(parsed, its)
    const paths: string[] = []
    for (const at of framesToShow(row, frames.length)) {
      const path = join(dir, `${row.id}-frame-${at + 1}.png`)
      const picture = render(await decodeFrame(frames[at]!, its), its, display, "full")
      await writeFile(path, pngOf(picture), { mode: 0o600 })
      paths.push(path)
    }
    return paths
  } catch (thrown) {
    if (!(thrown instanceof PixelsUnreadable) && !(thrown instanceof DicomFormatError)) throw thrown
    throw fatal("pixels-unreadable", `the pictures cannot be shown (${thrown.code})`, {
      hint: "look at the instance where it came from",
    })
  }
}
