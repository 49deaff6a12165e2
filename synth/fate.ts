/** What should become of an arrival. `waiting`: its Patient is not known in that wave; it is released once it is.
 * Reasons of drops and refusals are the pipeline's own words; of other dead letters they say what is wrong. */
export type Fate =
  | { readonly fate: "released" }
  | { readonly fate: "waiting"; readonly later: "released" }
  | { readonly fate: "dropped"; readonly reason: "duplicate" | "older-version" | "no-person" | "not-dicom" }
  | { readonly fate: "dead-letter"; readonly reason: string }

export const released: Fate = { fate: "released" }
export const waiting: Fate = { fate: "waiting", later: "released" }
export const dropped = (reason: Extract<Fate, { fate: "dropped" }>["reason"]): Fate => ({ fate: "dropped", reason })
export const dead = (reason: string): Fate => ({ fate: "dead-letter", reason })
