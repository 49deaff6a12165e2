export type Json = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The objects of an element that may repeat; one that does not counts as a list of one. */
export const objects = (value: unknown): readonly Json[] => (Array.isArray(value) ? value : [value]).filter(isObject)

export const text = (value: unknown): string => (typeof value === "string" ? value : "")
