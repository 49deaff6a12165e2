/** Why no hospital can be made. `path` names the option or folder. */
export class SynthError extends Error {
  override readonly name = "SynthError"
  readonly code: "bad-patients" | "out-not-empty"
  readonly path: string

  constructor(code: SynthError["code"], path: string, message: string) {
    super(message)
    this.code = code
    this.path = path
  }
}
