import { instantOf } from "../calendar.ts"
import type { Moment, WaveName } from "../calendar.ts"
import type { Fate } from "../fate.ts"
import { released } from "../fate.ts"
import type { Random } from "../random.ts"
import type { Coding } from "../systems.ts"
import { systems } from "../systems.ts"

/** A FHIR R4 resource, as plain JSON. */
export interface Resource {
  readonly resourceType: string
  readonly id?: string
  readonly [element: string]: unknown
}

/** A line of an NDJSON file. */
export interface Line {
  readonly wave: WaveName
  readonly resource: Resource
  readonly fate: Fate
}

/** A version of a resource and when the record system got to know it. */
export const meta = (version: number, at: Moment, random: Random) => ({
  meta: { versionId: String(version), lastUpdated: instantOf(at, random.at("ms", version).int(0, 999)) },
})

export const told = (wave: WaveName, resource: Resource, fate: Fate = released): Line => ({ wave, resource, fate })

export const concept = (...codings: readonly Coding[]) => ({ coding: codings, text: codings[0]!.display })
export const reference = (type: string, id: string) => ({ reference: `${type}/${id}` })

/** The identifier of an order or a study by its accession number. */
export const accessionIdentifier = (value: string) => ({
  type: { coding: [{ system: systems.identifierType, code: "ACSN" }] },
  system: systems.accession,
  value,
})
