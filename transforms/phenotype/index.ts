import { createHash } from "node:crypto"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { defineStateful, fatal, foldDeriveDiff, label, personEvent, port, Schema, study } from "../../core/index.ts"
import type { In, Label, Rec, PersonEvent, Study } from "../../core/index.ts"
import { zoneOffset } from "../../formats/fhir/time.ts"
import type { Reading } from "./coded-facts.ts"
import type { Definition } from "./definition.ts"
import { deriveLabel } from "./derive.ts"
import { factOfEvent, factOfStudy } from "./facts.ts"
import { parseDefinition } from "./parse-definition.ts"
import { labelUnits } from "./plan.ts"
import type { LabelUnit } from "./plan.ts"
import { allStudies } from "./sorts.ts"

const text = (description: string) => Schema.String.annotate({ description })
const optionalText = (description: string) => Schema.optionalKey(text(description))

const options = Schema.Struct({
  definitions: text("folder of phenotype definitions, *.yaml or *.yml"),
  "time-zone": optionalText("zone of dates that state none: an IANA name, Z or +hh:mm (default Z)"),
  "accession-issuers": Schema.optionalKey(
    Schema.Array(Schema.Array(Schema.String)).annotate({
      description: "lists of issuers of accession numbers (DICOM issuers, FHIR systems) that mean the same one",
    }),
  ),
})
type Options = typeof options.Type

const inputs = { facts: port(personEvent, "person", "phi"), studies: port(study, "person", "phi") }
const outputs = { out: port(label, "person", "phi") }
type Inputs = typeof inputs

/** Raised when deriving itself changes, so that labels are derived again. */
const derivation = 1

/** Reads the definitions of a folder; every fault of every file at once.
 * @throws fatal `phenotype-definition` */
export async function loadDefinitions(folder: string): Promise<readonly Definition[]> {
  const files = (await readdir(folder)).filter((name) => /\.ya?ml$/.test(name)).sort()
  const read = await Promise.all(
    files.map(async (file) => ({ file, ...parseDefinition(file, await readFile(join(folder, file), "utf8")) })),
  )
  const problems = read.flatMap(({ faults }) =>
    faults.map(({ place, path, message }) => `${place} ${path}: ${message}`),
  )
  const owners = new Map<string, string>()
  for (const { file, definition } of read) {
    if (definition === undefined) continue
    const other = owners.get(definition.name)
    if (other !== undefined) problems.push(`${file}:1:1 phenotype: ${definition.name} is defined in ${other} too`)
    owners.set(definition.name, file)
  }
  if (files.length === 0) problems.push("the folder holds no *.yaml file")
  if (problems.length > 0)
    throw fatal("phenotype-definition", `phenotype definitions have faults:\n${problems.join("\n")}`, {
      path: "definitions",
    })
  return read.map(({ definition }) => definition!)
}

function readingOf(given: Options): Reading {
  const zone = zoneOffset(given["time-zone"] ?? "Z")
  if (zone === undefined)
    throw fatal("time-zone-unknown", "the time zone is no IANA name, Z or +hh:mm", { path: "time-zone" })
  const names = new Map((given["accession-issuers"] ?? []).flatMap((same) => same.map((issuer) => [issuer, same[0]!])))
  return { zone, namespace: (issuer) => names.get(issuer) ?? issuer }
}

/** Labels of imaging studies by declared phenotypes: fold, derive, diff over a person's studies and clinical facts. */
export const phenotype = defineStateful({
  name: "phenotype",
  summary: "Labels imaging studies by joining them with conditions, measurements and reports in time windows",
  options,
  inputs,
  outputs,
  async create(given, context) {
    const definitions = await loadDefinitions(context.resolve(given.definitions))
    const reading = readingOf(given)
    const stamp = createHash("sha256")
      .update(JSON.stringify([derivation, given, definitions]))
      .digest("base64url")
    return foldDeriveDiff<Inputs, typeof outputs, Label, LabelUnit>("out", {
      fact: (record: In<Inputs>) =>
        record.input === "studies"
          ? factOfStudy(record as Rec<Study>, reading)
          : factOfEvent(record as Rec<PersonEvent>, reading),
      index: () => [allStudies],
      units: (_key, changed, [studies]) => labelUnits(definitions, changed, studies ?? []),
      derive: (_key, unit, rows, known) => deriveLabel(unit, rows, known),
      definition: stamp,
    })
  },
})
