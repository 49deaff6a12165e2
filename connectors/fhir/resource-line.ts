import { isUtf8 } from "node:buffer"
import { arrivalVersion, badRecord, rowId, statedVersion } from "../../core/index.ts"
import type { Draft, FhirResource } from "../../core/index.ts"
import { isDeeper } from "../../formats/fhir/depth.ts"
import { clinicalTime, patientReference } from "../../formats/fhir/resource.ts"
import type { Resource } from "../../formats/fhir/resource.ts"
import { interval } from "../../formats/fhir/time.ts"
import type { ZoneOffset } from "../../formats/fhir/time.ts"

/** Where a line stands and how it is read. */
export interface LineContext {
  readonly source: string
  readonly zone: ZoneOffset
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly ordinal: number
}

/** Levels of nesting; FHIR's own elements stay under 20, without limit only in extensions. */
const mostLevels = 1000

type Json = Readonly<Record<string, unknown>>
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
const textOf = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null)

function parsed(body: string): Json {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    // The parser's text quotes the line, so it goes nowhere.
    throw badRecord("not-json", "the line is not JSON")
  }
  if (isObject(value)) return value
  throw badRecord("not-an-object", "the line is JSON but not an object")
}

/** The resource in an object, checked as far as rows need it. */
function resourceOf(value: Json): Resource & { readonly id: string } {
  const { resourceType, id } = value
  if (typeof resourceType !== "string" || !/^[A-Za-z]{1,64}$/.test(resourceType))
    throw badRecord("no-resource-type", "the object states no FHIR resource type", { path: "resourceType" })
  if (typeof id !== "string" || id.trim() === "" || id.length > 256)
    throw badRecord("no-id", "the resource has no usable id", { path: `${resourceType}.id` })
  return { ...value, resourceType, id }
}

function moment(text: string | null | undefined, path: string, zone: ZoneOffset): number | undefined {
  if (text === null || text === undefined) return undefined
  const found = interval(text, zone)
  if (found === undefined) throw badRecord("bad-date", "a FHIR date names no real time", { path })
  return found.from
}

/** Reads a line as a record; undefined for a blank one. Throws bad records `not-utf8`, `too-deep`, `not-json`, `not-an-object`,
 * `no-resource-type`, `no-id`, `bad-date`. */
export function readLine(bytes: Buffer, context: LineContext): Draft<FhirResource> | undefined {
  if (!isUtf8(bytes)) throw badRecord("not-utf8", "the line is not UTF-8")
  if (isDeeper(bytes, mostLevels)) throw badRecord("too-deep", `the line nests more than ${mostLevels} levels deep`)
  const body = bytes.toString("utf8").replace(/^\uFEFF/, "")
  if (/^\s*$/.test(body)) return undefined
  const { source, zone, file, line } = context
  const resource = resourceOf(parsed(body))
  const meta = isObject(resource["meta"]) ? resource["meta"] : {}
  const lastUpdated = textOf(meta["lastUpdated"])
  const versionId = textOf(meta["versionId"])
  const updated = moment(lastUpdated, `${resource.resourceType}.meta.lastUpdated`, zone)
  const time = moment(clinicalTime(resource), `${resource.resourceType} (clinical time)`, zone)
  const { resourceType, id } = resource
  return {
    key: (patientReference(resource) ?? "").toWellFormed(),
    id: rowId([resourceType, id.toWellFormed()]),
    op: "upsert",
    version:
      updated === undefined
        ? arrivalVersion(context.ordinal, line - 1)
        : statedVersion(updated, versionId ?? undefined),
    time: time ?? updated ?? 0,
    value: { source, resourceType, resourceId: id, versionId, lastUpdated, body, file, line },
  }
}
