import { WeirError } from "../../core/index.ts"
import { BundleError, idInUrl, openBundle } from "../../formats/fhir/bundle.ts"
import { allowed, closeBundle } from "../../formats/fhir/deidentify/index.ts"
import { FhirReadError, readResource } from "../../formats/fhir/read.ts"
import type { Resource } from "../../formats/fhir/resource.ts"
import type { Asking } from "../../transforms/deidentify/codes.ts"
import type { Codes } from "../../transforms/deidentify/codes.ts"
import { Decisions } from "../../transforms/deidentify/decisions.ts"
import type { Original } from "../../transforms/deidentify/dicom-original.ts"
import { cleanResource, mappingOf } from "../../transforms/deidentify/fhir-resource.ts"
import type { FhirPolicy } from "../../transforms/deidentify/fhir-resource.ts"
import type { PatientIds, Patients, ResourcePerson } from "./patients.ts"
import { FileRefused, linesIn, mostResource, zippedAs } from "./resource-text.ts"
import type { Folder } from "./write.ts"

/** What a file of FHIR resources is, by its name: one resource, or one a line. */
export type ResourceKind = "resource" | "lines"

/** undefined for what holds no resources. */
export function resourceKindOf(file: string): ResourceKind | undefined {
  if (/\.ndjson(\.gz)?$/i.test(file)) return "lines"
  return /\.json$/i.test(file) ? "resource" : undefined
}

/** Bytes that a file needs of what may be in memory at once: what is read whole is parsed and written again, of lines a few are. */
export const resourceRoom = (kind: ResourceKind, size: number): number =>
  kind === "lines" ? Math.min(size, mostResource) : 4 * size

/** What was done to the resources of a file. */
export interface ResourceCounts {
  readonly released: number
  /** Elements of released ones by what was done. */
  readonly actions: Readonly<Record<string, number>>
  /** Resources that were left out, by reason; of a file that is refused too. */
  readonly leftOut: Readonly<Record<string, number>>
}

/** A file without identity, or why there is none. */
export type ResourcesResult =
  | { readonly kind: "released"; readonly output: string; readonly told: ResourceCounts }
  | { readonly kind: "refused"; readonly reason: string; readonly told: ResourceCounts }

const add = (into: Map<string, number>, name: string, count = 1): void =>
  void into.set(name, (into.get(name) ?? 0) + count)

/** Counts what becomes of the resources of one file. */
class Told {
  released = 0
  readonly actions = new Map<string, number>()
  readonly leftOut = new Map<string, number>()

  add(each: One): void {
    if (each.kind === "left-out") return add(this.leftOut, each.reason)
    this.released++
    for (const [action, count] of Object.entries(each.actions)) add(this.actions, action, count)
  }

  get counts(): ResourceCounts {
    const { released, actions, leftOut } = this
    return { released, actions: Object.fromEntries(actions), leftOut: Object.fromEntries(leftOut) }
  }
}

/** What became of one resource. */
type One =
  | {
      readonly kind: "released"
      readonly resource: Resource
      readonly person: ResourcePerson
      readonly actions: Readonly<Record<string, number>>
    }
  | { readonly kind: "left-out"; readonly reason: string }

/** What became of a resource, or of a Bundle and its entries. */
interface Outcome {
  readonly ones: readonly One[]
  /** undefined where nothing is left. */
  readonly output: { readonly resource: object; readonly folder: string } | undefined
}

/** The folder of what is of several persons. */
const ofSeveral = "resources"

const leftOut = (reason: string): One => ({ kind: "left-out", reason })

/** Resources of a line-wise file that are de-identified at the same time. */
const [mostLines, mostBytes] = [200, 4 << 20]

/** De-identifies files of FHIR resources, with the person that an image of the same Patient ID has. */
export class Resources {
  readonly #policy: FhirPolicy
  readonly #codes: Codes
  readonly #patients: Patients
  readonly #folder: Folder

  constructor(policy: FhirPolicy, codes: Codes, patients: Patients, folder: Folder) {
    this.#policy = policy
    this.#codes = codes
    this.#patients = patients
    this.#folder = folder
  }

  /** Learns which Patients a file has. Gives the reason why it is refused, where that is plain before others are read. */
  async examine(name: string, kind: ResourceKind, original: Original): Promise<string | undefined> {
    try {
      if (kind === "lines")
        for await (const lines of linesIn(name, original)) lines.forEach((line) => this.#learn(line))
      else this.#patientsIn(await wholeOf(original))
      return undefined
    } catch (thrown) {
      return reasonOf(thrown)
    }
  }

  /** A line that cannot be read is told of when the file is written. */
  #learn(line: Buffer | undefined): void {
    if (line === undefined || !line.includes('"Patient"')) return
    try {
      const resource = readResource(line)
      if (resource !== undefined) this.#patientsIn(resource)
    } catch (thrown) {
      reasonOf(thrown)
    }
  }

  #patientsIn(resource: Resource): void {
    if (resource.resourceType === "Patient") this.#patients.add(resource)
    if (resource.resourceType !== "Bundle") return
    for (const { resource: inner, fullUrl } of openBundle(resource).entries)
      if (inner?.resourceType === "Patient") this.#patients.add(inner, idInUrl(fullUrl))
  }

  /** @param unchanged throws when the file was written to */
  async write(name: string, kind: ResourceKind, original: Original, unchanged: () => void): Promise<ResourcesResult> {
    const told = new Told()
    try {
      const output = await (kind === "lines"
        ? this.#writeLines(name, original, unchanged, told)
        : this.#writeOne(original, unchanged, told))
      return { kind: "released", output, told: told.counts }
    } catch (thrown) {
      return { kind: "refused", reason: reasonOf(thrown), told: { ...told.counts, released: 0, actions: {} } }
    }
  }

  async #writeOne(original: Original, unchanged: () => void, told: Told): Promise<string> {
    const resource = await wholeOf(original)
    const isBundle = resource.resourceType === "Bundle"
    const { ones, output } = await this.#codes.settle((asking) => this.#outcome(resource, asking))
    // One that is alone is a file that is refused.
    if (isBundle || output !== undefined) for (const one of ones) told.add(one)
    if (output === undefined)
      throw new FileRefused(reasonOfAll(ones.flatMap((one) => (one.kind === "left-out" ? [one.reason] : []))))
    unchanged()
    const pieces = [Buffer.from(`${JSON.stringify(output.resource)}\n`, "utf8")]
    return this.#folder.write(output.folder, written(pieces), "json")
  }

  async #writeLines(name: string, original: Original, unchanged: () => void, told: Told): Promise<string> {
    const text = async function* (this: Resources) {
      for await (const batch of batchesOf(linesIn(name, original))) {
        const done = await this.#codes.settle((asking) => batch.map((line) => this.#line(line, asking)))
        const released = done.flatMap(({ ones, output }) => {
          for (const one of ones) told.add(one)
          return output === undefined ? [] : [`${JSON.stringify(output.resource)}\n`]
        })
        if (released.length > 0) yield Buffer.from(released.join(""), "utf8")
      }
      if (told.released === 0) throw new FileRefused(reasonOfAll(told.leftOut.keys()))
      unchanged()
    }
    const extension = /\.gz$/i.test(name) ? "ndjson.gz" : "ndjson"
    const object = { pieces: undefined, stream: () => zippedAs(name, text.call(this)) }
    return this.#folder.write(ofSeveral, object, extension)
  }

  #line(line: Buffer | undefined, asking: Asking): Outcome {
    if (line === undefined) return { ones: [leftOut("line-too-long")], output: undefined }
    try {
      const resource = readResource(line)
      return resource === undefined ? { ones: [], output: undefined } : this.#outcome(resource, asking)
    } catch (thrown) {
      return { ones: [leftOut(reasonOf(thrown))], output: undefined }
    }
  }

  #outcome(resource: Resource, asking: Asking): Outcome {
    if (resource.resourceType === "Bundle") return this.#bundle(resource, asking)
    const one = this.#one(resource, asking)
    if (one.kind === "left-out") return { ones: [one], output: undefined }
    return { ones: [one], output: { resource: one.resource, folder: asking.of(one.person.key).person } }
  }

  #bundle(bundle: Resource, asking: Asking): Outcome {
    const opened = openBundle(bundle)
    const inside = this.#patients.idsOf(
      opened.entries.flatMap(({ resource }) => (resource?.resourceType === "Patient" ? [resource] : [])),
    )
    const ones = opened.entries.map(({ resource }) =>
      resource === undefined ? leftOut("no-resource") : this.#one(resource, asking, inside),
    )
    const outputs = ones.map((one) => (one.kind === "released" ? one.resource : undefined))
    const persons = new Map(ones.flatMap((one) => (one.kind === "released" ? [[one.person.key, one.person]] : [])))
    const [first, ...others] = persons.values()
    // The header of a message is no resource of a person: what stands of it is not counted.
    const counted = opened.type === "message" ? ones.slice(1) : ones
    if (first === undefined) return { ones: counted, output: undefined }
    const codes = asking.of(first.key)
    const isOnePerson = others.length === 0
    const mapping = mappingOf(first.key, this.#policy, codes, () => {})
    const resource = closeBundle(opened, outputs, { mapping, birthDate: first.birthDate, isOnePerson })
    return { ones: counted, output: { resource, folder: isOnePerson ? codes.person : ofSeveral } }
  }

  #one(resource: Resource, asking: Asking, inside?: PatientIds): One {
    if (!allowed.has(resource.resourceType)) return leftOut("resource-type")
    if (typeof resource.id !== "string" || resource.id.trim() === "") return leftOut("no-id")
    const person = this.#patients.of(resource, inside)
    return typeof person === "string" ? leftOut(person) : this.#cleaned(resource, person, asking)
  }

  #cleaned(resource: Resource, person: ResourcePerson, asking: Asking): One {
    asking.note(person.key, [person.identifier])
    const decisions = new Decisions()
    const { decided, undone } = decisions
    const codes = asking.of(person.key)
    const mapping = { ...mappingOf(person.key, this.#policy, codes, () => {}), decided, undone }
    try {
      const cleaned = cleanResource(resource, person, mapping, this.#policy.retainUids)
      const { actions } = decisions.made("", "")
      return { kind: "released", resource: cleaned, person, actions }
    } catch (thrown) {
      return leftOut(reasonOf(thrown))
    }
  }
}

/** Why a file or a Bundle of which nothing is left is refused. */
function reasonOfAll(reasons: Iterable<string>): string {
  const [reason, ...others] = new Set(reasons)
  return reason === undefined ? "empty" : others.length > 0 ? "no-resource-left" : reason
}

/** The reason of a refusal, a code; throws on what is none. */
function reasonOf(thrown: unknown): string {
  if (thrown instanceof FileRefused) return thrown.reason
  if (thrown instanceof FhirReadError || thrown instanceof BundleError) return thrown.code
  if (thrown instanceof WeirError && thrown.meaning === "bad-record") return thrown.code.replace(/^refused\./, "")
  throw thrown
}

async function wholeOf(original: Original): Promise<Resource> {
  if (original.size > mostResource) throw new FileRefused("too-large")
  const resource = readResource(await original.read(0, original.size))
  if (resource === undefined) throw new FileRefused("empty")
  return resource
}

/** Lines of some bytes together. */
async function* batchesOf(
  pieces: AsyncIterable<readonly (Buffer | undefined)[]>,
): AsyncGenerator<readonly (Buffer | undefined)[]> {
  let batch: (Buffer | undefined)[] = []
  let bytes = 0
  for await (const lines of pieces)
    for (const line of lines) {
      batch.push(line)
      bytes += line?.length ?? 0
      if (batch.length < mostLines && bytes < mostBytes) continue
      yield batch
      ;[batch, bytes] = [[], 0]
    }
  if (batch.length > 0) yield batch
}

const written = (pieces: readonly Uint8Array[]) => ({
  pieces,
  async *stream() {
    yield* pieces
  },
})
