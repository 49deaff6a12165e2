/** Why pixel data cannot be read: `codec-missing` an optional package is not installed, `undecodable` its bytes are no picture of the
 * described kind, `unsupported` a kind that is not read. */
export type UnreadableCode = "codec-missing" | "undecodable" | "unsupported"

/** Thrown for pixel data that cannot be read. The message names packages, attributes and counts, never values of a person. */
export class PixelsUnreadable extends Error {
  readonly code: UnreadableCode

  constructor(code: UnreadableCode, message: string) {
    super(message)
    this.code = code
  }
}

export const undecodable = (message: string): PixelsUnreadable => new PixelsUnreadable("undecodable", message)
export const unsupported = (message: string): PixelsUnreadable => new PixelsUnreadable("unsupported", message)
