// Reading of JSON of any shape: a resource whose element is not what FHIR says it is counts as one without that element.

export type Json = Readonly<Record<string, unknown>>

export const object = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {}

export const items = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.map(object) : [])

export const text = (value: unknown): string | undefined =>
  typeof value === "string" && value.length > 0 ? value : undefined

/** The value at a path of element names. */
export const at = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, name) => object(inner)[name], value)

/** The logical id that a reference names, in any of its forms; undefined for contained resources and others. */
export function referenced(reference: unknown): { readonly type: string | undefined; readonly id: string } | undefined {
  const whole = text(object(reference)["reference"])
  if (whole === undefined || whole.startsWith("#")) return undefined
  if (whole.startsWith("urn:"))
    return { type: text(object(reference)["type"]), id: whole.slice(whole.lastIndexOf(":") + 1) }
  const match = /(?:^|\/)([A-Z][A-Za-z]+)\/([A-Za-z0-9.-]{1,64})(?:\/_history\/[^/]+)?$/.exec(whole)
  return match === null ? undefined : { type: match[1], id: match[2]! }
}
