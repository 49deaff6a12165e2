import { createHash } from "node:crypto"
import type { Resource } from "./resource.ts"

/** The types of Bundle of FHIR R4. */
export const bundleTypes = [
  "collection",
  "batch",
  "transaction",
  "batch-response",
  "transaction-response",
  "searchset",
  "history",
  "document",
  "message",
] as const
export type BundleType = (typeof bundleTypes)[number]

/** An entry of a Bundle, with its references resolved. */
export interface OpenEntry {
  /** With an id, also where it gets one from the server that it is sent to; references to other entries of the Bundle, by
   * `urn:uuid:` too, are `Type/id`. undefined where there is none. */
  readonly resource: (Resource & { readonly id: string }) | undefined
  /** Empty where there is none. */
  readonly fullUrl: string
  readonly entry: Json
}

/** A Bundle as its entries. */
export interface OpenBundle {
  readonly type: BundleType
  readonly entries: readonly OpenEntry[]
  readonly bundle: Resource
}

/** Why a Bundle is not read, or not written. */
export type BundleCode = "bundle-type" | "bundle-empty" | "no-composition" | "no-message-header"

/** A Bundle that must not pass; carries no value of it. */
export class BundleError extends Error {
  override readonly name = "BundleError"
  readonly code: BundleCode

  constructor(code: BundleCode) {
    super(`the Bundle is refused: ${code}`)
    this.code = code
  }
}

type Json = Readonly<Record<string, unknown>>
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
const text = (value: unknown): string => (typeof value === "string" ? value : "")

const id = "[A-Za-z0-9.-]{1,64}"
const urn = new RegExp(`^urn:(?:uuid|oid):(${id})$`)
const restful = new RegExp(`^(.*/)?([A-Z][A-Za-z]{1,40})/(${id})$`)

/** The id by which a fullUrl names its resource; empty where it does not. */
export const idInUrl = (fullUrl: string): string => urn.exec(fullUrl)?.[1] ?? restful.exec(fullUrl)?.[3] ?? ""

/** Reads a Bundle. Throws BundleError `bundle-type`, `bundle-empty`. */
export function openBundle(bundle: Resource): OpenBundle {
  const type = bundleTypes.find((one) => one === bundle["type"])
  if (type === undefined) throw new BundleError("bundle-type")
  const given = Array.isArray(bundle["entry"]) ? (bundle["entry"] as unknown[]) : []
  if (given.length === 0) throw new BundleError("bundle-empty")
  const entries = given.map((one): OpenEntry => {
    const entry = isObject(one) ? one : {}
    const fullUrl = text(entry["fullUrl"])
    return { resource: identified(entry["resource"], fullUrl), fullUrl, entry }
  })
  const targets = targetsOf(entries)
  return { type, bundle, entries: entries.map((entry) => resolved(entry, targets)) }
}

/** A resource with an id: its own, that of its fullUrl, else one that follows from what it says. */
function identified(resource: unknown, fullUrl: string): OpenEntry["resource"] {
  if (!isObject(resource) || text(resource["resourceType"]) === "") return undefined
  const own = text(resource["id"]).trim()
  const stated = own === "" ? idInUrl(fullUrl) : own
  const made = stated === "" ? createHash("sha256").update(JSON.stringify(resource)).digest("hex") : stated
  return { ...resource, resourceType: text(resource["resourceType"]), id: made }
}

const urlKey = (url: string): string => (url.startsWith("urn:uuid:") ? url.toLowerCase() : url)

/** `Type/id` of each entry by its fullUrl; undefined for one that two resources have. */
function targetsOf(entries: readonly OpenEntry[]): ReadonlyMap<string, string | undefined> {
  const targets = new Map<string, string | undefined>()
  for (const { resource, fullUrl } of entries) {
    if (resource === undefined || fullUrl === "") continue
    const target = `${resource.resourceType}/${resource.id}`
    const url = urlKey(fullUrl)
    targets.set(url, !targets.has(url) || targets.get(url) === target ? target : undefined)
  }
  return targets
}

/** References as R4 resolves them in a Bundle (bundle.html#references): by fullUrl, a relative one under the base of its own entry. */
function resolved(entry: OpenEntry, targets: ReadonlyMap<string, string | undefined>): OpenEntry {
  if (entry.resource === undefined) return entry
  const base = restful.exec(entry.fullUrl)?.[1] ?? ""
  const targetOf = (reference: string): string | undefined => {
    const url = urlKey(reference.replace(/\/_history\/[^/]*$/, ""))
    return targets.get(url) ?? targets.get(base + url)
  }
  return { ...entry, resource: withTargets(entry.resource, targetOf) as NonNullable<OpenEntry["resource"]> }
}

function withTargets(value: unknown, targetOf: (reference: string) => string | undefined): unknown {
  if (Array.isArray(value)) return value.map((item) => withTargets(item, targetOf))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      if (name === "reference" && typeof inner === "string") return [name, targetOf(inner) ?? inner]
      return [name, withTargets(inner, targetOf)]
    }),
  )
}
