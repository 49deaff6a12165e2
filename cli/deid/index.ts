import { readFile } from "node:fs/promises"
import { fatal, identityKeyFrom, pseudonymizer } from "../../core/index.ts"
import type { Vault } from "../../core/index.ts"
import { optionsFault, profileOptions } from "../../formats/dicom/index.ts"
import { dicomFaults, optionsUnder, policyFrom, statementOf } from "../../transforms/deidentify/dicom-options.ts"
import type { DicomOptions } from "../../transforms/deidentify/dicom-options.ts"
import { Codes } from "../../transforms/deidentify/codes.ts"
import { clockOf } from "../../transforms/deidentify/local-time.ts"
import { codesOf, issuersOf, profileOf, shiftOf } from "../../transforms/deidentify/profile.ts"
import type { Profile } from "../../transforms/deidentify/profile.ts"
import type { ReadText } from "../../transforms/deidentify/pixels/read-text.ts"
import { deidentifyFiles } from "./deidentify.ts"
import type { FileResult, Progress } from "./deidentify.ts"
import { checkApart, checkVaultApart, listInputs } from "./files.ts"
import { MapFile } from "./map.ts"
import type { NamespaceOf } from "./person.ts"
import { withVault } from "./vault.ts"
import type { OpenStore, VaultGiven } from "./vault.ts"
import { Tally, writeReport } from "./report.ts"
import { Patients } from "./patients.ts"
import { Resources } from "./resources.ts"
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
  /** The project's vault, open; profile safe-harbor takes its codes from there. */
  readonly vault?: Vault
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
 * accession numbers of the images, as `<person>/<sha256>.hl7` and `.txt`. FHIR resources and Bundles (`.json`) become
 * `<person>/<sha256>.json`, those of several persons and one a line (`.ndjson`, `.ndjson.gz`) `resources/<sha256>` with that
 * extension. Yields what became of each
 * file, in name order. Throws fatal `path-missing`, `in-place`, `map-in-output`, `key-too-short`, `profile-refused`; systemic `disk-full`. */
export async function* deidentifyEach(given: FilesGiven): AsyncGenerator<FileResult> {
  const { input, output, projectKey, map } = given
  const options = given.options ?? {}
  checkFaults({ ...options, ...(given.vault === undefined ? {} : { vault: "given" }) })
  const pseudonyms = pseudonymizer(projectKey, shiftOf(options))
  const codes = new Codes(pseudonyms, given.vault)
  const policy = policyFrom(options, projectKey, given.readText, codes)
  const issuer = issuersOf(options["accession-issuers"])
  const project = { profile: profileOf(options), pseudonyms, codes, issuer, keyId: policy.keyId }
  await checkApart(input, output, map)
  const inputs = await listInputs(input)
  const table = map === undefined ? undefined : await MapFile.open(map)
  const identityKey = given.identityKey ?? identityKeyFrom(projectKey)
  const namespace = given.namespace ?? "mrn"
  const zone = options["time-zone"]
  const local = zone === undefined ? undefined : clockOf(zone)
  const asked = { ...project, local, retainUids: options["retain-uids"] === true }
  const folder = new Folder(output)
  try {
    const results = deidentifyFiles(inputs, {
      policy,
      texts: (ambiguous) => new Texts(asked, identityKey, namespace, ambiguous),
      resources: (ambiguous) => new Resources(asked, codes, new Patients(identityKey, namespace, ambiguous), folder),
      identityKey,
      namespace,
      note: (person, identifier) => codes.settle((asking) => asking.note(person, [identifier])),
      folder,
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

/** The faults of a profile that a pipeline has when it is compiled. Throws fatal `profile-refused`. */
function checkFaults(options: Omit<DicomOptions, "key">): void {
  const [fault] = dicomFaults(options, [])
  if (fault === undefined) return
  const isVault = options.profile === "safe-harbor" && options.vault === undefined
  throw fatal("profile-refused", isVault ? noVault : fault.message, { path: fault.path.join(".") || "profile" })
}

const noVault =
  "profile safe-harbor needs a vault: its codes must not be derived from the individual; name a folder for it and the file of its key"

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
  readonly profile?: Profile
  /** Who gave the expert's determination that profile shifted needs, and where it is filed. */
  readonly determination?: string
  /** Where the project's vault is, and its key; made when it is not there. Needs `openStore`. */
  readonly vault?: VaultGiven
  readonly openStore?: OpenStore
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
  /** FHIR resources of several in one file that were left out, by reason, in order. */
  readonly leftOut: ReadonlyMap<string, number>
}

async function keyIn(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    const { code } = cause as NodeJS.ErrnoException
    throw fatal("missing-secret", `the key file cannot be read (${code ?? "unknown"})`, { path: "key-file", cause })
  })
  const newline = bytes.at(-1) === 0x0a ? (bytes.at(-2) === 0x0d ? 2 : 1) : 0
  return bytes.subarray(0, bytes.length - newline)
}

function optionsOf(given: FolderGiven): Omit<DicomOptions, "key"> {
  const { options, faces, accessionIssuers = [], profile, determination } = given
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
    ...(profile === undefined ? {} : { profile }),
    ...(determination === undefined ? {} : { determination }),
  }
}

/** {@link deidentifyEach} with its keys in files, for `weir deid`; resolves once all files have their result and the reports are
 * written. */
export async function deidentifyFolder(given: FolderGiven): Promise<FolderVerdicts> {
  const { keyFile, identityKeyFile, faces, reports = [], vault, openStore } = given
  const { input, output, namespace, map, onProgress, signal } = given
  const projectKey = await keyIn(keyFile)
  const options = optionsOf(given)
  checkFaults({ ...options, ...(vault === undefined ? {} : { vault: "given" }) })
  const identityKey = identityKeyFile === undefined ? undefined : await keyIn(identityKeyFile)
  const tally = new Tally()
  const each = (open: Vault | undefined) =>
    deidentifyEach({
      ...defined({ input, output, namespace, map, onProgress, signal, identityKey, vault: open }),
      options,
      projectKey,
    } as FilesGiven)
  const run = async (open: Vault | undefined) => {
    for await (const result of each(open)) tally.add(result)
  }
  if (vault === undefined) await run(undefined)
  else {
    await checkVaultApart(input, output, vault.folder)
    const keys = { projectKey, envelopeKey: await keyIn(vault.keyFile) }
    await withVault(vault.folder, keys, codesOf(profileOf(options)), openStore, run)
  }
  const applied = { statement: statementOf("weir deid", options), options: optionsUnder(options), faces, projectKey }
  for (const path of reports) await writeReport(path, tally.report(applied))
  const inOrder = (counts: ReadonlyMap<string, number>) => new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
  const { files, refusals, resources } = tally
  const [refused, leftOut] = [inOrder(refusals), inOrder(resources.leftOut)]
  return { released: files.released, refused, failed: files.failed, leftOut }
}

const defined = (given: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
