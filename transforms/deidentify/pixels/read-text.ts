import type { Picture } from "../../../formats/pixels/index.ts"

/** A place in a picture that looks like a line of text. */
export interface TextBox {
  /** Pixels of the picture; the box has a margin around its letters. */
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  /** What it says; empty when nothing could be made of it. */
  readonly text: string
  /** How sure the reader is of the text, 0 to 1; 0 for an empty one. */
  readonly score: number
}

/** Reads the text in pictures: one engine, closed when it is no longer needed. */
export interface ReadText {
  /** Name and version of engine and models. */
  readonly engine: string
  /** The lines found in a picture after it was enlarged by a whole number; boxes are in pixels of the picture as given. Rejects when
   * the engine fails. */
  read(picture: Picture, scale: number): Promise<readonly TextBox[]>
  close(): Promise<void>
}
