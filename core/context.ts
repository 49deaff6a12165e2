import type { Objects } from "./ports/objects.ts"
import type { Zone } from "./record.ts"
import type { RecordType } from "./record-type.ts"
import type { Reviews } from "./review/reviews.ts"
import type { Vault } from "./vault/vault.ts"

/** A line of the log: an event name (kebab-case) with counts, names, codes and positions. Never a payload value: what the log
 * prints is an allow-list of field names, and strings of more than 200 characters are cut. */
export interface Logger {
  info(event: string, fields?: Readonly<Record<string, string | number | boolean>>): void
  warn(event: string, fields?: Readonly<Record<string, string | number | boolean>>): void
  error(event: string, fields?: Readonly<Record<string, string | number | boolean>>): void
}

/** A namespace of person identifiers and the issuers that mean it; a pipeline's `identity:` list has the highest rank first. */
export interface IdentityNamespace {
  readonly namespace: string
  /** Values of (0010,0021) Issuer of Patient ID; "" means instances that state none. */
  readonly dicomIssuers: readonly string[]
  /** Values of Identifier.system. */
  readonly fhirSystems: readonly string[]
  /** Assigning authorities of PID-3 (HL7 v2): namespace id, else universal id; "" means identifiers that state none. */
  readonly hl7v2Authorities?: readonly string[]
}

/** How the pipeline tells persons apart. */
export interface Identity {
  readonly namespaces: readonly IdentityNamespace[]
  /** The deployment's identity key; throws a fatal `missing-secret` error when the pipeline has none. */
  key(): Uint8Array
}

/** An input or output of the step as the pipeline binds it. */
export interface Bound {
  readonly topic: string
  readonly zone: Zone
  /** What its records are, with the marks of their fields. */
  readonly type: RecordType
}

/** What a plugin can reach. An instance's context lives as long as the instance. */
export interface Context {
  /** Name of the pipeline. */
  readonly pipeline: string
  /** Name of the source, stage or sink that uses the plugin. */
  readonly name: string
  /** Aborted when the instance is to stop. */
  readonly signal: AbortSignal
  readonly inputs: Readonly<Record<string, Bound>>
  readonly outputs: Readonly<Record<string, Bound>>
  /** A path of the pipeline file, relative to the file's folder, as an absolute path. */
  resolve(path: string): string
  /** The bytes of a declared secret, without a trailing newline; throws fatal `missing-secret`. */
  secret(name: string): Uint8Array
  /** The bucket of a zone; only zones of the step's inputs and outputs, else fatal `zone-not-bound`. */
  objects(zone: Zone): Objects
  readonly identity: Identity
  /** The reverse vault of a project in the Store, made if there is none. `project` and `envelope` name declared secrets: the project
   * key and the key that opens the vault. Rejects with fatal `vault-unsupported`, `vault-key`, `vault-codes`, `key-too-short`. */
  vault(project: string, envelope: string, codes: Vault["codes"]): Promise<Vault>
  /** The stage's review queue in the Store: what waits there for a person, and what was decided, under the project key that the named
   * secret holds. undefined: the Store keeps none. */
  reviews(project: string): Reviews | undefined
  /** Address of the Store's server, for sinks that write beside it. */
  readonly storeUrl: string
  readonly clock: { now(): number }
  readonly log: Logger
  /** Adds to a counter that the run's summary and the metrics show; `name` is kebab-case, `label` a code and never a value. */
  count(name: string, label: string, by?: number): void
}
