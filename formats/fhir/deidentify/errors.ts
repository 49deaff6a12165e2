/** Why a resource is not de-identified: its type is not in the allow-list, or it is no resource at all. */
export type FhirDeidentifyCode = "resource-type" | "not-a-resource"

/** A resource that must not pass; carries no value of it. */
export class FhirDeidentifyError extends Error {
  override readonly name = "FhirDeidentifyError"
  readonly code: FhirDeidentifyCode

  constructor(code: FhirDeidentifyCode, message: string) {
    super(message)
    this.code = code
  }
}
