/** What is wrong with the bytes; the code is stable, kebab-case. */
export type DicomFormatCode =
  | "not-dicom"
  | "truncated"
  | "length-overflow"
  | "bad-vr"
  | "bad-item"
  | "bad-delimiter"
  | "bad-meta"
  | "bad-transfer-syntax"
  | "bad-deflate"
  | "undefined-length"
  | "duplicate-element"
  | "too-deep"
  | "too-many-elements"
  | "too-large"
  | "trailing-bytes"

const texts: Readonly<Record<DicomFormatCode, string>> = {
  "not-dicom": "the bytes are not a DICOM file",
  truncated: "the file ends inside an element",
  "length-overflow": "a length is greater than what encloses it",
  "bad-vr": "an element has no readable value representation",
  "bad-item": "a sequence holds something other than items",
  "bad-delimiter": "a delimiter stands where none may be",
  "bad-meta": "the file meta information cannot be read",
  "bad-transfer-syntax": "the transfer syntax is missing, unknown or not that of the bytes",
  "bad-deflate": "the deflated data set cannot be inflated",
  "undefined-length": "an element has an undefined length that its value representation does not allow",
  "duplicate-element": "a data set holds an element twice",
  "too-deep": "sequences are nested too deeply",
  "too-many-elements": "there are too many elements",
  "too-large": "the inflated data set is too large",
  "trailing-bytes": "bytes that are no element follow the data set",
}

/** Bytes that are not a readable DICOM file. `path` is a tag path as `(0040,A730)[0].(0008,0103)`, `offset` counts bytes from the
 * start of the file (of the inflated data set when deflated). Never a value. */
export class DicomFormatError extends Error {
  override readonly name = "DicomFormatError"
  readonly code: DicomFormatCode
  readonly path: string
  readonly offset: number

  constructor(code: DicomFormatCode, path: string, offset: number) {
    super(`${texts[code]} (${path === "" ? "" : `at ${path}, `}offset ${offset})`)
    this.code = code
    this.path = path
    this.offset = offset
  }
}
