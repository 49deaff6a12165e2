import { readFile } from "node:fs/promises"
import { fatal, identityKeyFrom } from "../../core/index.ts"
import { optionsFault, profileOptions } from "../../formats/dicom/index.ts"
import { policyFrom } from "../../transforms/deidentify/dicom-options.ts"
import type { DicomOptions } from "../../transforms/deidentify/dicom-options.ts"
import type { ReadText } from "../../transforms/deidentify/pixels/read-text.ts"
import { deidentifyFiles } from "./deidentify.ts"
import type { FileResult, Progress } from "./deidentify.ts"
import { checkApart, listInputs } from "./files.ts"
import { MapFile } from "./map.ts"
import type { NamespaceOf } from "./person.ts"
import { Tally, writeReport } from "./report.ts"
import { Texts } from "./texts.ts"
import { Folder } from "./write.ts"

export type { FileResult, Progress } from "./deidentify.ts"
export type { NamespaceOf } from "./person.ts"

/** De-identification out of stream. */
export interface FilesGiven {
  /** A folder, read with its subfolders, or one file. */
  readonly input: string
  /** A folder apart from the input; made when it is not there. */
  readonly output: string
  /** 32 bytes or more. */
  readonly projectKey: Uint8Array
  /** The deployment's identity key; derived from the project key unless given. */
  readonly identityKey?: Uint8Array
  /** As deidentify-dicom has them. */
  readonly options?: Omit<DicomOptions, "key">
  /** See {@link NamespaceOf}; `mrn` for all issuers unless given. */
  readonly namespace?: NamespaceOf
  /** Who reads text in pictures under clean-pixel-data; the OCR engine unless given. */
  readonly readText?: ReadText
  /** Where the CSV of input, output, status and reason goes, mode 0600; outside the output. */
  readonly map?: string
  readonly onProgress?: (progress: Progress) => void
  readonly signal?: AbortSignal
}

/** De-identifies the files of a folder as a pipeline would, with the same bytes as result wherever the person is the same: Patient
 * ID and issuer alone make it here. Outputs are named `<study>/<sha256>.dcm` by pseudonym and content. HL7 v2 files
 * (`.hl7`) and reports (`.txt`, whose person `<name>.person.json` beside them states) take the pseudonym, the shift and the
 * accession numbers of the images, as `<person>/<sha256>.hl7` and `.txt`. Yields what became of each
 * file, in name order. Throws fatal `path-missing`, `in-place`, `map-in-output`, `key-too-short`; systemic `disk-full`. */
export async function* deidentifyEach(given: FilesGiven): AsyncGenerator<FileResult> {
  const { input, output, projectKey, map } = given
  const policy = policyFrom(given.options ?? {}, projectKey, given.readText)
  await checkApart(input, output, map)
  const inputs = await listInputs(input)
  const table = map === undefined ? undefined : await MapFile.open(map)
  const identityKey = given.identityKey ?? identityKeyFrom(projectKey)
  const namespace = given.namespace ?? "mrn"
  try {
    const results = deidentifyFiles(inputs, {
      policy,
      texts: (ambiguous) => new Texts(projectKey, given.options ?? {}, identityKey, namespace, ambiguous),
      identityKey,
      namespace,
      folder: new Folder(output),
      onProgress: given.onProgress ?? (() => {}),
      signal: given.signal ?? new AbortController().signal,
    })
    for await (const result of results) {
      await table?.add(result)
      yield result
    }
  } finally {
    await table?.close()
  }
}

/** What `weir deid` asks for; key files hold the bytes of a key, a newline at the end does not count. */
export interface FolderGiven {
  readonly input: string
  readonly output: string
  readonly keyFile: string
  readonly identityKeyFile?: string
  /** Options of the profile, such as `retain-uids`. */
  readonly options: readonly string[]
  readonly faces: "refuse" | "allow"
  /** Lists of issuers of accession numbers that mean the same one, as deidentify-dicom has them. */
  readonly accessionIssuers?: readonly (readonly string[])[]
  readonly namespace?: NamespaceOf
  readonly map?: string
  /** Where a report of the run goes, a page (.html) or JSON; see {@link RunReport}. */
  readonly reports?: readonly string[]
  readonly onProgress?: (progress: Progress) => void
  readonly signal?: AbortSignal
}

/** What became of the files, in numbers. */
export interface FolderVerdicts {
  readonly released: number
  /** Refused and failed files by reason, in order. */
  readonly refused: ReadonlyMap<string, number>
  /** How many of them failed: could not be read, or changed while they were. */
  readonly failed: number
}

async function keyIn(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    const { code } = cause as NodeJS.ErrnoException
    throw fatal("missing-secret", `the key file cannot be read (${code ?? "unknown"})`, { path: "key-file", cause })
  })
  const newline = bytes.at(-1) === 0x0a ? (bytes.at(-2) === 0x0d ? 2 : 1) : 0
  return bytes.subarray(0, bytes.length - newline)
}

function optionsOf({ options, faces, accessionIssuers = [] }: FolderGiven): Omit<DicomOptions, "key"> {
  const unknown = options.filter((option) => !(profileOptions as readonly string[]).includes(option))
  if (unknown.length > 0)
    throw fatal("unknown-option", `no option of the profile is named ${unknown.join(", ")}`, {
      path: "options",
      hint: `there are ${profileOptions.join(", ")}`,
    })
  const fault = optionsFault(options)
  if (fault !== undefined) throw fatal("options-conflict", fault, { path: "options", hint: "name one of them" })
  return {
    ...Object.fromEntries(options.map((option) => [option, true])),
    faces,
    "accession-issuers": accessionIssuers,
  }
}

/** {@link deidentifyEach} with its keys in files, for `weir deid`; resolves once all files have their result and the reports are
 * written. */
export async function deidentifyFolder(given: FolderGiven): Promise<FolderVerdicts> {
  const { keyFile, identityKeyFile, options, faces, accessionIssuers: _, reports = [], ...rest } = given
  const projectKey = await keyIn(keyFile)
  const tally = new Tally()
  const each = deidentifyEach({
    ...rest,
    options: optionsOf(given),
    projectKey,
    ...(identityKeyFile === undefined ? {} : { identityKey: await keyIn(identityKeyFile) }),
  })
  for await (const result of each) tally.add(result)
  for (const path of reports) await writeReport(path, tally.report({ options, faces, projectKey }))
  const refused = new Map([...tally.refusals].sort(([a], [b]) => (a < b ? -1 : 1)))
  return { released: tally.files.released, refused, failed: tally.files.failed }
}
