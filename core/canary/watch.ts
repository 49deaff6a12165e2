import type { Append } from "../ports/log.ts"
import { fatal } from "../errors.ts"
import type { WeirError } from "../errors.ts"
import type { Draft, Rec, Zone } from "../record.ts"
import type { Canary, CanaryKind } from "./canary.ts"
import { ByteSearch } from "./search.ts"
import { spellingsOf } from "./spellings.ts"

/** Header of a canary's records below `phi`; its value is the canary's name. Sinks pass over them, and so should subscribers. */
export const canaryHeader = "weir-canary"

/** Counters of what came in of canaries, by source, and of what was found clean below `phi`, by stage and by sink. */
export const canaryArrived = "canary-arrived"
export const canarySeen = "canary-seen"

/** Code of the error that stops a pipeline in which a canary came below `phi`. */
export const canaryLeak = "canary-leak"

interface Needle {
  readonly canary: string
  readonly kind: CanaryKind
}

/** How a run knows its canaries. */
export interface CanarySettings {
  readonly canaries: readonly Canary[]
  /** Kinds that the pipeline's profile keeps: not looked for. */
  readonly except: readonly CanaryKind[]
  /** Person keys and pseudonyms of canaries, each to the canary's name. */
  readonly keys: ReadonlyMap<string, string>
  zoneOf(topic: string): Zone
}

const json = (value: unknown): Uint8Array =>
  Buffer.from(JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? String(one) : one)))

/** Looks for canaries in everything that is about to be written below `phi`. Once one was found, nothing is written any more: a
 * plugin that takes the error of a put for an answer does not get on. */
export class CanaryWatch {
  readonly #settings: CanarySettings
  /** What may not be found below `phi`. */
  readonly #search: ByteSearch<Needle>
  /** What tells a canary in `phi`. */
  readonly #all: ByteSearch<Needle>
  readonly #clean = new WeakSet<Append>()
  #leak: WeirError | undefined
  /** Places at which a canary was found below `phi`. */
  hits = 0

  constructor(settings: CanarySettings) {
    this.#settings = settings
    const needles = settings.canaries.flatMap(({ name, identifiers }) =>
      Object.entries(identifiers).map(
        ([kind, value]) =>
          [{ canary: name, kind: kind as CanaryKind }, spellingsOf(kind as CanaryKind, value)] as const,
      ),
    )
    this.#all = new ByteSearch(needles)
    this.#search = new ByteSearch(needles.filter(([{ kind }]) => !settings.except.includes(kind)))
  }

  /** Before messages are written. Those that were found clean are not searched again.
   * @throws fatal `canary-leak` */
  appends(appends: readonly Append[]): void {
    if (this.#leak !== undefined) throw this.#leak
    for (const append of appends) {
      const { topic, partition, messages } = append
      if (this.#settings.zoneOf(topic) === "phi" || this.#clean.has(append)) continue
      for (const { key, value, headers } of messages)
        for (const [part, bytes] of [
          ["key", key],
          ["value", value],
          ["headers", headers === undefined ? null : json(headers)],
        ] as const) {
          const needle = bytes === null ? undefined : this.#search.in(bytes)
          if (needle !== undefined) this.#found(needle, `the ${part} of a message for ${topic}[${partition}]`)
        }
      this.#clean.add(append)
    }
  }

  /** Before rows of topics below `phi` are given to a sink: those of canaries are left out, once they are found clean.
   * @throws fatal `canary-leak` */
  rows(sink: string, records: readonly Rec[]): { readonly kept: readonly Rec[]; readonly canaries: readonly string[] } {
    if (this.#leak !== undefined) throw this.#leak
    const canaries: string[] = []
    const kept = records.filter((record) => {
      if (record.zone === "phi") return true
      const { at, key, id, value, headers, time } = record
      const needle = this.#search.in(json([key, id, value, headers, time]))
      if (needle !== undefined)
        this.#found(needle, `a row of ${at.topic}[${at.partition}]@${at.offset} for sink ${sink}`)
      const canary = headers?.[canaryHeader]
      if (canary === undefined) return true
      canaries.push(canary)
      return false
    })
    return { kept, canaries }
  }

  /** Before an object is written below `phi`.
   * @throws fatal `canary-leak` */
  object(zone: Zone, key: string, part: "name" | "content", bytes: Uint8Array): void {
    if (this.#leak !== undefined) throw this.#leak
    const needle = this.#search.in(bytes)
    if (needle !== undefined) this.#found(needle, objectPlace(zone, key, part))
  }

  /** The same for one that comes in pieces: the iteration rejects, so that the object is not there. */
  pieces(zone: Zone, key: string, body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    return this.#search.through(body, (needle) => this.#found(needle, objectPlace(zone, key, "content")))
  }

  /** The canary that a message is of, where it says so. */
  within({ key, value }: { readonly key: Uint8Array | null; readonly value: Uint8Array | null }): string | undefined {
    return ((key && this.#all.in(key)) ?? (value && this.#all.in(value)))?.canary
  }

  /** The canary of which a stage emits something below `phi`: by its key, or by what it stems from, a record that is marked or whose
   * key means one.
   * @param root undefined for stages with state, where what is emitted may be of another person than what brought it about */
  of({ key }: Draft, root: Pick<Rec, "key" | "headers"> | undefined): string | undefined {
    const { keys } = this.#settings
    const own = keys.get(key)
    if (own !== undefined || root === undefined) return own
    return root.headers?.[canaryHeader] ?? keys.get(root.key) ?? this.#all.in(Buffer.from(root.key))?.canary
  }

  #found({ canary, kind }: Needle, where: string): never {
    this.hits++
    this.#leak = fatal(canaryLeak, `the ${kind} of ${canary}, a patient that there is not, stands in ${where}`, {
      hint: "nothing of this was written; take it that real patients' are passed as well: stop what reads below phi, and see docs/guides/operate.md, Canaries",
    })
    throw this.#leak
  }
}

/** Objects below `phi` are named by content or pseudonyms; a name that leaks is not told. */
const objectPlace = (zone: Zone, key: string, part: "name" | "content"): string =>
  part === "name" ? `the name of an object in zone ${zone}` : `object ${key} in zone ${zone}`

/** A canary's record as it stands below `phi`. */
export const marked = (draft: Draft, canary: string): Draft => ({
  ...draft,
  headers: { ...draft.headers, [canaryHeader]: canary },
})
