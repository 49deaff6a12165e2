import type { AnyPlugin } from "../plugin.ts"
import type { CanaryKind } from "../canary/canary.ts"
import type { IdentityNamespace } from "../context.ts"
import type { Zone } from "../record.ts"
import type { RecordType } from "../record-type.ts"

/** A driver with its settings, as the pipeline file gives them. */
export interface DriverSettings {
  readonly driver: string
  readonly [setting: string]: unknown
}

/** Where a secret's bytes come from. */
export type SecretSource = { readonly file: string } | { readonly env: string }

/** What writes a topic. */
export interface TopicWriter {
  readonly kind: "source" | "stage"
  readonly name: string
}

export interface CompiledTopic {
  readonly name: string
  readonly zone: Zone
  readonly type: RecordType
  /** What the partition key means. */
  readonly key: string
  readonly partitions: number
  readonly retention: number | undefined
  readonly compact: boolean
  readonly writers: readonly TopicWriter[]
  /** Names of the sources whose feeds reach this topic, by each of its writers. */
  readonly feeds: ReadonlyMap<string, readonly string[]>
}

export interface CompiledStep {
  readonly plugin: AnyPlugin
  readonly options: unknown
}

export interface CompiledSource extends CompiledStep {
  readonly name: string
  /** Output port to topic. */
  readonly outputs: Readonly<Record<string, string>>
}

/** Where a stage or sink begins that has no position: at the first record that is kept, or at what comes next. */
export type Start = "earliest" | "latest"

export interface CompiledStage {
  readonly name: string
  /** Undefined where the file does not say: earliest, where that repeats nothing. */
  readonly start?: Start
  /** Topic to input port of the first step. */
  readonly inputs: ReadonlyMap<string, string>
  readonly steps: readonly CompiledStep[]
  /** Output port of the last step to topic. */
  readonly outputs: Readonly<Record<string, string>>
  readonly stateful: boolean
  readonly privacy: boolean
  /** Of each input; equal. */
  readonly partitions: number
}

export interface CompiledSink extends CompiledStep {
  readonly name: string
  /** Undefined where the file does not say: earliest. */
  readonly start?: Start
  readonly topics: readonly string[]
}

/** Where and to whom the HTTP listener answers. */
export interface ListenSettings {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** Name of the secret that callers show as a bearer token. */
  readonly token: string | undefined
  /** Paths of PEM files; with `clientCa` callers must show a certificate of it. */
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string | undefined } | undefined
}

/** Where the canaries are read from, and which kinds of their identifiers the profile keeps. */
export interface CompiledCanaries {
  /** From the pipeline's folder. */
  readonly file: string
  readonly except: readonly CanaryKind[]
}

/** When hits of a stage's self-check are an alarm, and what then. */
export interface SelfCheckPolicy {
  /** So many hits ... */
  readonly hits: number
  /** ... within so long, ms. */
  readonly within: number
  readonly onRepeat: "alarm" | "stop"
}

/** What is sealed in `phi`, and which key opens it. */
export interface EncryptSettings {
  /** Name of the secret that opens the vault. */
  readonly vault: string
  readonly what: readonly ("objects" | "values")[]
}

/** A pipeline file that was found right: a graph that can run. */
export interface CompiledPipeline {
  readonly name: string
  /** Absolute path of the pipeline file. */
  readonly file: string
  /** Folder from which relative paths are taken. */
  readonly folder: string
  readonly log: DriverSettings
  readonly store: DriverSettings
  readonly objects: DriverSettings
  /** How long after its last reference an object is removed, ms; undefined: never. */
  readonly sweepAfter: number | undefined
  /** Undefined: what lies in `phi` lies there as it is. */
  readonly encrypt?: EncryptSettings
  readonly secrets: ReadonlyMap<string, SecretSource>
  /** Secrets that plugins use. */
  readonly neededSecrets: readonly string[]
  readonly identity: readonly IdentityNamespace[]
  readonly topics: ReadonlyMap<string, CompiledTopic>
  readonly sources: readonly CompiledSource[]
  /** In topological order. */
  readonly stages: readonly CompiledStage[]
  readonly sinks: readonly CompiledSink[]
  /** Undefined: there is no listener. */
  readonly listen?: ListenSettings
  /** Undefined: none are looked for. */
  readonly canaries?: CompiledCanaries
  readonly selfCheck: SelfCheckPolicy
}
