import { BundleError } from "../bundle.ts"
import type { BundleType, OpenBundle, OpenEntry } from "../bundle.ts"
import { absentUrl, isStandardSystem } from "./allow-list.ts"
import { isObject, objects, text } from "./json.ts"
import type { Json } from "./json.ts"
import type { Mapping } from "./mapping.ts"
import { coding, instant } from "./values.ts"

/** Where the resources of a Bundle are said to be: a server that there is nowhere (RFC 2606), so that `Type/id` resolves in it. */
export const bundleServer = "https://deidentified.invalid/"

/** The system of the identifier that a document has. */
const bundleSystem = "urn:weir:fhir:bundle"

/** What the resources of a Bundle became: undefined for what is left out. */
export type BundleOutputs = readonly (Json | undefined)[]

/** By whose codes and dates a Bundle is told. */
export interface BundleAbout {
  /** Of its one person, or of the first of several. */
  readonly mapping: Mapping
  readonly birthDate: string | null
  readonly isOnePerson: boolean
}

const masked: Json = { extension: [{ url: absentUrl, valueCode: "masked" }] }

const hasRequest: ReadonlySet<BundleType> = new Set(["batch", "transaction", "history"])
const hasResponse: ReadonlySet<BundleType> = new Set(["batch-response", "transaction-response", "history"])
const modes: ReadonlySet<string> = new Set(["match", "include"])

const nameOf = ({ resourceType, id }: Json): string => `${text(resourceType)}/${text(id)}`

/** A Bundle of the same type, of the resources that are left. Of a Bundle its type stands, and its id mapped; of a document what R4 demands
 * too: an identifier, and the time where its person's dates are told. Links, totals and signatures go. An entry is found where its
 * references lead; it is sent by `PUT`, and what a search said of it is whether it matched. What a message is about stands, of its
 * header.
 * @param outputs of the entries, in their order
 * @throws BundleError `no-composition`, `no-message-header`: without its first entry it would be no document or message */
export function closeBundle({ type, bundle, entries }: OpenBundle, outputs: BundleOutputs, about: BundleAbout): Json {
  const { mapping } = about
  const told = outputs.map(
    (output, at) => output ?? (type === "message" && at === 0 ? header(entries, outputs, mapping) : undefined),
  )
  if (type === "document" && told[0]?.["resourceType"] !== "Composition") throw new BundleError("no-composition")
  if (type === "message" && told[0]?.["resourceType"] !== "MessageHeader") throw new BundleError("no-message-header")
  const times = new Map<string, number>()
  for (const one of told) if (one !== undefined) times.set(nameOf(one), (times.get(nameOf(one)) ?? 0) + 1)
  const isOnce = (name: string) => type === "history" || times.get(name) === 1
  return {
    resourceType: "Bundle",
    ...(text(bundle.id) === "" ? {} : { id: mapping.identifier("Bundle", text(bundle.id)) }),
    ...(type === "document" ? documentOf(bundle, about) : {}),
    type,
    entry: told.flatMap((one, at) => (one === undefined ? [] : [entryOf(one, entries[at]!, type, isOnce)])),
  }
}

function documentOf(bundle: Json, { mapping, birthDate, isOnePerson }: BundleAbout): Json {
  const { identifier, timestamp } = bundle
  const own = isObject(identifier) ? `${text(identifier["system"])}|${text(identifier["value"])}` : undefined
  const time = isOnePerson ? instant(timestamp, { ...mapping, birthDate, isOld: false }) : undefined
  return {
    ...(own === undefined ? {} : { identifier: { system: bundleSystem, value: mapping.identifier("Bundle", own) } }),
    ...(time !== undefined ? { timestamp: time } : timestamp === undefined ? {} : { _timestamp: masked }),
  }
}

function entryOf(
  resource: Json,
  { fullUrl, entry }: OpenEntry,
  type: BundleType,
  isOnce: (name: string) => boolean,
): Json {
  const name = nameOf(resource)
  const mode = isObject(entry["search"]) ? text(entry["search"]["mode"]) : ""
  const status = isObject(entry["response"]) ? text(entry["response"]["status"]).slice(0, 3) : ""
  return {
    ...(fullUrl !== "" && isOnce(name) ? { fullUrl: bundleServer + name } : {}),
    resource,
    ...(type === "searchset" && modes.has(mode) ? { search: { mode } } : {}),
    ...(hasRequest.has(type) ? { request: { method: "PUT", url: name } } : {}),
    ...(hasResponse.has(type) ? { response: { status: /^[1-5]\d\d$/.test(status) ? status : "200" } } : {}),
  }
}

/** What stands of a MessageHeader: its event where everybody knows the code, and which of the entries that are left it is about. */
function header(entries: readonly OpenEntry[], outputs: BundleOutputs, mapping: Mapping): Json | undefined {
  const given = entries[0]?.resource
  if (given?.resourceType !== "MessageHeader") return undefined
  const { eventCoding: event, focus } = given as Json
  const isKnown = isObject(event) && isStandardSystem(text(event["system"]))
  const names = new Map(
    entries.map(({ resource }, at) => [resource === undefined ? "" : nameOf(resource), outputs[at]]),
  )
  const about = objects(focus).flatMap((one) => {
    const output = names.get(text(one["reference"]))
    return output === undefined ? [] : [{ reference: nameOf(output) }]
  })
  return {
    resourceType: "MessageHeader",
    id: mapping.identifier("MessageHeader", given.id),
    eventCoding: (isKnown ? coding(event, mapping) : undefined) ?? masked,
    source: { _endpoint: masked },
    ...(about.length === 0 ? {} : { focus: about }),
  }
}
