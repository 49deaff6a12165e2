import { writeFile } from "node:fs/promises"
import { fatal } from "../../core/index.ts"
import { profileEdition } from "../../formats/dicom/index.ts"
import type { ProfileOption } from "../../formats/dicom/index.ts"
import { methodCodes } from "../../formats/dicom/profile.ts"
import { keyIdOf } from "../../transforms/deidentify/profile.ts"
import { version } from "../version.ts"
import type { FileResult } from "./deidentify.ts"

/** What was applied to the files of a run, and what became of them. No value, name of a file or identifier is in it. */
export interface RunReport {
  readonly tool: string
  readonly profile: { readonly standard: "PS3.15 Annex E"; readonly edition: string }
  /** Codes of CID 7050 with their meanings. */
  readonly codes: readonly { readonly code: string; readonly meaning: string }[]
  readonly options: readonly string[]
  readonly faces: "refuse" | "allow"
  /** The profile, what it still needs, and who gave it. */
  readonly statement: string
  /** Tells runs under one key from runs under another; nothing of the key is in it. */
  readonly keyId: string
  readonly files: { readonly released: number; readonly refused: number; readonly failed: number }
  /** Elements of images by what was done. */
  readonly actions: Readonly<Record<string, number>>
  /** HL7 v2 files and reports: fields (a report is one) by what was done, and what was replaced in texts by kind. */
  readonly texts: {
    readonly actions: Readonly<Record<string, number>>
    readonly findings: Readonly<Record<string, number>>
  }
  /** FHIR resources: how many are in the output, their elements by what was done, and those that were left out by reason. */
  readonly resources: {
    readonly released: number
    readonly actions: Readonly<Record<string, number>>
    readonly leftOut: Readonly<Record<string, number>>
  }
  /** Files without output by reason. */
  readonly refusals: Readonly<Record<string, number>>
}

/** What a run is made with. */
export interface Applied {
  readonly statement: string
  readonly options: readonly string[]
  readonly faces: "refuse" | "allow"
  readonly projectKey: Uint8Array
}

/** Counts what becomes of files. */
export class Tally {
  readonly files = { released: 0, refused: 0, failed: 0 }
  readonly actions = new Map<string, number>()
  readonly texts = { actions: new Map<string, number>(), findings: new Map<string, number>() }
  readonly resources = { released: 0, actions: new Map<string, number>(), leftOut: new Map<string, number>() }
  readonly refusals = new Map<string, number>()

  add({ status, reason, counts, texts, resources }: FileResult): void {
    this.files[status]++
    if (status !== "released") this.refusals.set(reason, (this.refusals.get(reason) ?? 0) + 1)
    addAll(this.actions, counts)
    addAll(this.texts.actions, texts?.actions)
    addAll(this.texts.findings, texts?.findings)
    this.resources.released += resources?.released ?? 0
    addAll(this.resources.actions, resources?.actions)
    addAll(this.resources.leftOut, resources?.leftOut)
  }

  report({ statement, options, faces, projectKey }: Applied): RunReport {
    const asked = [...new Set(options)].sort() as ProfileOption[]
    return {
      tool: `weir ${version()}`,
      profile: { standard: "PS3.15 Annex E", edition: profileEdition },
      codes: (["basic", ...asked] as const).map((option) => {
        const [code, meaning] = methodCodes.get(option)!
        return { code, meaning }
      }),
      options: asked,
      faces,
      statement,
      keyId: keyIdOf(projectKey),
      files: this.files,
      actions: sorted(this.actions),
      texts: { actions: sorted(this.texts.actions), findings: sorted(this.texts.findings) },
      resources: {
        released: this.resources.released,
        actions: sorted(this.resources.actions),
        leftOut: sorted(this.resources.leftOut),
      },
      refusals: sorted(this.refusals),
    }
  }
}

function addAll(into: Map<string, number>, counts: object = {}): void {
  for (const [name, count] of Object.entries(counts) as [string, number][])
    if (count > 0) into.set(name, (into.get(name) ?? 0) + count)
}

const sorted = (counts: ReadonlyMap<string, number>): Record<string, number> =>
  Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)))

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string => {
  const row = (cells: readonly (string | number)[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(String(cell))}</${tag}>`).join("")}</tr>`
  return `<table>\n${[row(head, "th"), ...rows.map((cells) => row(cells, "td"))].join("\n")}\n</table>`
}

/** The report as a page that needs nothing else. */
export function reportPage(report: RunReport): string {
  const { tool, profile, codes, options, faces, statement, keyId, files, actions, texts, resources, refusals } = report
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>De-identification report</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;margin:0 0 1.5rem}td,th{border:1px solid #bbb;padding:.25rem .6rem;text-align:left}</style>
<h1>De-identification report</h1>
<h2>What was applied</h2>
${table(
  ["what", "value"],
  [
    ["tool", tool],
    ["profile", `${profile.standard}, edition ${profile.edition}`],
    ["options", options.join(", ") || "none"],
    ["faces", faces],
    ["key id", keyId],
  ],
)}
${table(
  ["code (CID 7050)", "meaning"],
  codes.map(({ code, meaning }) => [code, meaning]),
)}
<h2>Files</h2>
${table(["what became of them", "files"], Object.entries(files))}
<h2>Elements of images by action</h2>
${table(["action", "elements"], Object.entries(actions))}
<h2>Fields of messages, and reports, by action</h2>
${table(["action", "fields"], Object.entries(texts.actions))}
<h2>Replaced in texts, by kind</h2>
${table(["kind", "passages"], Object.entries(texts.findings))}
<h2>Elements of FHIR resources by action</h2>
${table(["action", "elements"], Object.entries(resources.actions))}
<h2>FHIR resources, and those that were left out, with reasons</h2>
${table(["what became of them", "resources"], [["released", resources.released], ...Object.entries(resources.leftOut)])}
<h2>Refused, with reasons</h2>
${table(["reason", "files"], Object.entries(refusals))}
<p>${escaped(statement)}</p>
</html>
`
}

/** Writes a report: a page where the name ends in .html, else JSON. Throws fatal `report-unwritable`. */
export async function writeReport(path: string, report: RunReport): Promise<void> {
  const text = /\.html?$/i.test(path) ? reportPage(report) : `${JSON.stringify(report, undefined, 2)}\n`
  await writeFile(path, text).catch((cause: unknown) => {
    const { code } = cause as NodeJS.ErrnoException
    throw fatal("report-unwritable", `the report cannot be written (${code ?? "unknown"})`, { path: "report", cause })
  })
}
