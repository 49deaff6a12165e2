import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { classes } from "./finding.ts"
import { grade } from "./grade.ts"
import type { Grade } from "./grade.ts"
import { readStandard } from "./standard.ts"

const usage = `npm run grade -- IN OUT [--map F.csv] [--options A,B] [--json] [--no-conformance] [--standard FOLDER]

Grades de-identified DICOM files against their originals, by the tables of PS3.15 Annex E.
  --map            what weir deid --map wrote; without it files pair by their names
  --options        options of the profile that the files were made with
  --no-conformance leaves dciodvfy out
  --standard       folder of the standard's tables (default: ../shared/data/standard)
Ends with 1 when there are findings, 2 for a wrong command line.`

/** The report as lines: findings by class, then each, then the sum. */
export function lines({ files, refused, conformance, findings }: Grade): readonly string[] {
  const told = findings.filter(({ class: kind }) => kind !== "ambiguous")
  const table = classes.map((kind) => {
    const mine = findings.filter((finding) => finding.class === kind)
    const left = kind === "conformance" && !conformance ? "  (not asked)" : ""
    const inFiles = new Set(mine.map(({ input, output }) => `${input} ${output}`)).size
    return `${kind.padEnd(12)} ${String(mine.length).padStart(8)} ${String(inFiles).padStart(6)}${left}`
  })
  return [
    `${"class".padEnd(12)} findings  files`,
    ...table,
    ...(refused.size === 0 ? [] : ["", "without output:"]),
    ...[...refused].sort(([a], [b]) => (a < b ? -1 : 1)).map(([reason, count]) => `  ${reason} ${count}`),
    "",
    ...findings.map(({ class: kind, input, path, what, evidence }) =>
      `${kind}: ${input} ${path} ${what} ${evidence}`.trimEnd(),
    ),
    `${files} files, ${told.length} findings`,
  ]
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      map: { type: "string" },
      options: { type: "string", default: "" },
      json: { type: "boolean", default: false },
      "no-conformance": { type: "boolean", default: false },
      standard: { type: "string", default: "../shared/data/standard" },
    },
  })
  if (positionals.length !== 2) throw new Error("takes IN and OUT")
  const result = await grade({
    input: resolve(positionals[0]!),
    output: resolve(positionals[1]!),
    ...(values.map === undefined ? {} : { map: resolve(values.map) }),
    options: values.options.split(",").filter((name) => name !== ""),
    standard: readStandard(resolve(values.standard)),
    conformance: !values["no-conformance"],
  })
  const json = () => JSON.stringify({ ...result, refused: Object.fromEntries(result.refused) }, undefined, 2)
  process.stdout.write(values.json ? `${json()}\n` : `${lines(result).join("\n")}\n`)
  return result.findings.some(({ class: kind }) => kind !== "ambiguous") ? 1 : 0
}

if (import.meta.main)
  try {
    process.exitCode = await main()
  } catch (thrown) {
    process.stderr.write(`${(thrown as Error).message}\n\n${usage}\n`)
    process.exitCode = 2
  }
