import type { Drivers } from "../core/engine/run.ts"
import type { AnyPlugin } from "../core/plugin.ts"

/** A stream that commands write to. */
export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

/** What a command may touch of the process. */
export interface Io {
  /** Results. */
  readonly stdout: Output
  /** Progress, logs and errors. */
  readonly stderr: Output
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborted when the command is to drain and end. */
  readonly signal: AbortSignal
  /** ms since 1970, UTC. */
  now(): number
  /** Sets how long draining may take once `signal` is aborted, ms; then the process is ended. */
  drainWithin?(ms: number): void
}

/** Makes the synthetic hospital; see synth/generate.ts. */
export type Synthesize = (options: {
  readonly patients: number
  readonly seed: number | string
  readonly out: string
  readonly onProgress?: (done: number, patients: number) => void
}) => Promise<SynthesisSummary>

/** What the synthetic hospital wrote. */
export interface SynthesisSummary {
  readonly seed: string
  readonly out: string
  readonly patients: number
  readonly studies: number
  readonly planted: number
  readonly imageBytes: number
  readonly [count: string]: unknown
}

/** What `weir deid` asks for. */
export interface FolderDeidentification {
  readonly input: string
  readonly output: string
  readonly keyFile: string
  readonly identityKeyFile?: string
  /** Options of the profile, such as `retain-uids`. */
  readonly options: readonly string[]
  readonly faces: "refuse" | "allow"
  /** Lists of issuers of accession numbers that mean the same one. */
  readonly accessionIssuers?: readonly (readonly string[])[]
  readonly profile?: "shifted" | "safe-harbor" | "limited-data-set"
  /** Who gave the expert's determination that profile shifted needs, and where it is filed. */
  readonly determination?: string
  /** The folder of the project's vault, and the file of its key. */
  readonly vault?: { readonly folder: string; readonly keyFile: string }
  /** Where the CSV of input, output, status and reason goes. */
  readonly map?: string
  /** Where a report of the run goes, a page (.html) or JSON. */
  readonly reports?: readonly string[]
  /** Called as it goes on. */
  readonly onProgress?: (progress: { readonly phase: string; readonly done: number; readonly total: number }) => void
  readonly signal: AbortSignal
}

/** What became of the files. */
export interface FolderVerdicts {
  readonly released: number
  /** Refused and failed files by reason. */
  readonly refused: ReadonlyMap<string, number>
  /** How many of them failed: could not be read, or changed while they were. */
  readonly failed: number
  /** FHIR resources of several in one file that were left out, by reason. */
  readonly leftOut: ReadonlyMap<string, number>
}

/** Everything that the commands are given by the composition root. */
export interface App {
  readonly builtIns: readonly AnyPlugin[]
  readonly drivers: Drivers
  readonly synthesize: Synthesize
  readonly deidentifyFolder: (request: FolderDeidentification) => Promise<FolderVerdicts>
  /** The texts of a DICOM file, decoded; undefined when the bytes are none. */
  readonly dicomTexts: (bytes: Uint8Array) => Iterable<string> | undefined
}
