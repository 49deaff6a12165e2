import { resolve } from "node:path"
import { WeirError } from "../../core/errors.ts"
import type { Command } from "../command.ts"
import { UsageError, exit } from "../exit.ts"
import { cleanable, hasReader, withCleaning } from "../deid/cleaning.ts"
import { total } from "../counts.ts"

/** An option that does not exist is a matter of the command line. */
function usage(thrown: unknown): never {
  if (thrown instanceof WeirError && thrown.code === "unknown-option")
    throw new UsageError([`${thrown.message}${thrown.hint === undefined ? "" : `; ${thrown.hint}`}`], "deid")
  throw thrown
}

/** Undefined for what is no list of lists of texts. */
function issuersIn(given: string): readonly (readonly string[])[] | undefined {
  const isList = (value: unknown, of: (item: unknown) => boolean) => Array.isArray(value) && value.every(of)
  try {
    const lists: unknown = JSON.parse(given)
    return isList(lists, (list) => isList(list, (one) => typeof one === "string")) ? (lists as string[][]) : undefined
  } catch {
    return undefined
  }
}

const listOf = (given: string | undefined): readonly string[] => (given ?? "").split(",").filter((one) => one !== "")

const profiles = ["shifted", "safe-harbor", "limited-data-set"] as const
const isProfile = (given: string | undefined): given is (typeof profiles)[number] =>
  (profiles as readonly (string | undefined)[]).includes(given)

export const deid: Command = {
  name: "deid",
  summary:
    "De-identifies a folder of DICOM, HL7 v2 (.hl7), FHIR (.json, .ndjson, .ndjson.gz) and reports (.txt) as a pipeline would",
  positionals: ["IN", "OUT"],
  options: {
    "key-file": { value: "FILE", doc: "the project key, 32 bytes or more (required)" },
    "identity-key-file": {
      value: "FILE",
      doc: "the deployment's identity key (default: derived from the project key)",
    },
    options: { value: "A,B", doc: "options of the profile, such as retain-longitudinal-modified-dates" },
    profile: {
      value: "NAME",
      doc: "shifted, safe-harbor (years only, random codes; needs --vault) or limited-data-set; without it --options alone say what becomes of dates",
    },
    determination: {
      value: "TEXT",
      doc: "who gave the expert's determination that profile shifted needs; the report says it",
    },
    vault: { value: "DIR", doc: "folder of the project's vault, made when it is not there; apart from IN and OUT" },
    "vault-key-file": { value: "FILE", doc: "the key that opens the vault, 32 bytes or more" },
    hold: {
      value: "A,B",
      doc: "what is held instead of cleaned: pixels (words burned into pictures, which are read where the text reader is installed), reports (texts of structured reports)",
    },
    faces: { value: "allow", doc: "let series pass from which a face could be rendered; that is recorded in them" },
    namespace: {
      value: "NAME",
      doc: "namespace of PatientID, as the pipeline's identity: list names it (default mrn)",
    },
    "accession-issuers": {
      value: "JSON",
      doc: 'lists of issuers of accession numbers that mean the same one, as a pipeline has them: [["HOSP", ""]]',
    },
    report: { value: "A.html,B.json", doc: "writes what was applied, counts by action and refusals by reason" },
    map: { value: "FILE.csv", doc: "writes input,output,status,reason for each file, mode 0600" },
  },
  more: "Whose a file is: images say it by Patient ID, messages by PID-3, resources by the identifier of the Patient that they refer to (in any file of IN), and of NAME.txt NAME.person.json says it. A person has one pseudonym and one shift in all of them. FHIR resources that are refused are left out of Bundles and of files with one a line, and counted.",
  async run(args, app, io) {
    const [input, output] = args.positionals as [string, string]
    const keyFile = args.text("key-file")
    const faces = args.text("faces")
    const profile = args.text("profile")
    const determination = args.text("determination")
    const [vault, vaultKeyFile] = [args.text("vault"), args.text("vault-key-file")]
    const named = listOf(args.text("hold"))
    const hold = cleanable.filter((one) => named.includes(one))
    const issuers = issuersIn(args.text("accession-issuers") ?? "[]")
    const faults = [
      ...(keyFile === undefined ? ["missing --key-file FILE"] : []),
      ...(faces === undefined || faces === "allow" ? [] : ["--faces takes allow"]),
      ...(named.every((one) => hold.some((known) => known === one)) ? [] : [`--hold takes ${cleanable.join(", ")}`]),
      ...(profile === undefined || isProfile(profile) ? [] : [`--profile takes ${profiles.join(", ")}`]),
      ...((vault === undefined) === (vaultKeyFile === undefined)
        ? []
        : ["--vault and --vault-key-file need each other"]),
      ...(profile === "safe-harbor" && vault === undefined
        ? [
            "--profile safe-harbor needs --vault DIR --vault-key-file FILE: its codes must not be derived from the individual",
          ]
        : []),
      ...(issuers === undefined ? ["--accession-issuers takes lists of texts as JSON"] : []),
    ]
    if (faults.length > 0) throw new UsageError(faults, "deid")
    const identityKeyFile = args.text("identity-key-file")
    const map = args.text("map")
    const reports = listOf(args.text("report"))
    const namespace = args.text("namespace")
    const live = io.stderr.isTTY === true
    const { released, refused, failed, leftOut } = await app
      .deidentifyFolder({
        input: resolve(input),
        output: resolve(output),
        keyFile: resolve(keyFile!),
        options: withCleaning(listOf(args.text("options")), hold, hasReader()),
        faces: faces === "allow" ? "allow" : "refuse",
        accessionIssuers: issuers!,
        reports: reports.map((path) => resolve(path)),
        signal: io.signal,
        onProgress: ({ phase, done, total: all }) => live && io.stderr.write(`\r${phase} ${done} of ${all} files`),
        ...(identityKeyFile === undefined ? {} : { identityKeyFile: resolve(identityKeyFile) }),
        ...(namespace === undefined ? {} : { namespace }),
        ...(isProfile(profile) ? { profile } : {}),
        ...(determination === undefined ? {} : { determination }),
        ...(vault === undefined ? {} : { vault: { folder: resolve(vault), keyFile: resolve(vaultKeyFile!) } }),
        ...(map === undefined ? {} : { map: resolve(map) }),
      })
      .catch(usage)
    if (live) io.stderr.write("\r\u001b[K")
    io.stdout.write(`${released} released, ${total(refused)} refused or left out\n`)
    for (const [reason, count] of refused) io.stdout.write(`  ${reason} ${count}\n`)
    if (leftOut.size > 0) io.stdout.write(`${total(leftOut)} FHIR resources left out of files of several\n`)
    for (const [reason, count] of leftOut) io.stdout.write(`  ${reason} ${count}\n`)
    return failed > 0 || io.signal.aborted ? exit.failed : exit.ok
  },
}
