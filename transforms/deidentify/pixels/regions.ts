import data from "./data/regions.json" with { type: "json" }
import type { Summary } from "../../../formats/dicom/index.ts"
import type { Rectangle } from "../../../formats/pixels/index.ts"

/** What a rule asks of a header: each text is part of the attribute's value, whatever its case; each number is its value. */
interface Rule {
  readonly modality?: string
  readonly manufacturer?: string
  readonly model?: string
  readonly imageType?: string
  readonly series?: readonly string[]
  readonly burnedIn?: boolean
  readonly rows?: number
  readonly columns?: number
  readonly areas: readonly (readonly number[])[]
}

/** What regions are chosen by. */
export type RegionHeader = Pick<
  Summary,
  "modality" | "manufacturer" | "imageType" | "seriesDescription" | "burnedInAnnotation" | "rows" | "columns"
> & { readonly model: string }

const has = (value: string, part: string | undefined): boolean =>
  part === undefined || value.toUpperCase().includes(part.toUpperCase())

function fits(header: RegionHeader, rule: Rule): boolean {
  return (
    (rule.modality === undefined || header.modality === rule.modality) &&
    has(header.manufacturer, rule.manufacturer) &&
    has(header.model, rule.model) &&
    has(header.imageType.join("\\"), rule.imageType) &&
    (rule.series === undefined || rule.series.some((part) => has(header.seriesDescription, part))) &&
    (rule.burnedIn !== true || header.burnedInAnnotation === "YES") &&
    (rule.rows === undefined || header.rows === rule.rows) &&
    (rule.columns === undefined || header.columns === rule.columns)
  )
}

/** Where devices of a header's kind are known to write who and when, in pixels; rules as data, with their source. */
export function regionsOf(header: RegionHeader): readonly Rectangle[] {
  return (data.rules as readonly Rule[])
    .filter((rule) => fits(header, rule))
    .flatMap(({ areas }) => areas.map(([x, y, width, height]) => ({ x: x!, y: y!, width: width!, height: height! })))
}
