import { existsSync, readFileSync, readdirSync } from "node:fs"
import { join, relative, sep } from "node:path"
import { Actions, isSame } from "./actions.ts"
import { Dates } from "./dates.ts"
import { dciodvfyErrors, everywhere } from "./dciodvfy.ts"
import { evidenceOf } from "./finding.ts"
import type { Finding, Report } from "./finding.ts"
import { gradeFile, gradeMarkers, gradePixels, gradePrivate } from "./markers.ts"
import { pairOf } from "./pair.ts"
import type { Pair } from "./pair.ts"
import { readDicom } from "./reader.ts"
import type { Element } from "./reader.ts"
import { Asked } from "./rules.ts"
import { searchTokens } from "./search.ts"
import type { Standard } from "./standard.ts"
import { isText, textOf } from "./text.ts"
import { tokensOf } from "./tokens.ts"
import type { Token } from "./tokens.ts"
import { UidMapping, originalUids } from "./uids.ts"

/** What is graded. Folders are absolute. */
export interface Given {
  readonly input: string
  readonly output: string
  /** CSV of `weir deid --map`; without it files pair by their names. */
  readonly map?: string
  /** Options of the profile that the outputs were made with. */
  readonly options: readonly string[]
  readonly standard: Standard
  /** Whether dciodvfy is asked, where it is installed. */
  readonly conformance: boolean
}

/** What grading found. */
export interface Grade {
  /** Outputs that were graded. */
  readonly files: number
  readonly refused: ReadonlyMap<string, number>
  /** Whether dciodvfy was asked. */
  readonly conformance: boolean
  /** Those of class ambiguous count for nothing. */
  readonly findings: readonly Finding[]
}

interface Named {
  readonly input: string
  readonly output: string
  readonly status: string
  readonly reason: string
}

/** Paths under a folder with `/`, in name order. */
const filesIn = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, "/"))
    .sort()

/** Rows of RFC 4180. */
function csv(text: string): readonly string[][] {
  const rows: string[][] = [[]]
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|$)/g)) {
    rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain ?? "")
    if (end !== ",") rows.push([])
  }
  return rows.filter((row) => row.length >= 2)
}

function named({ input, output, map }: Given): readonly Named[] {
  if (map === undefined) {
    const outputs = new Set(filesIn(output))
    return filesIn(input).map((file) => ({
      input: file,
      output: outputs.has(file) ? file : "",
      status: outputs.has(file) ? "released" : "refused",
      reason: outputs.has(file) ? "" : "no-output",
    }))
  }
  return csv(readFileSync(map, "utf8"))
    .slice(1)
    .map(([from, to, status, reason]) => ({ input: from!, output: to!, status: status ?? "", reason: reason ?? "" }))
}

/** Whether an element's text holds a strong token, so that cleaning it is right. */
const holds = (tokens: readonly Token[]) => (element: Element) => {
  if (!isText(element)) return false
  const text = textOf(element).normalize("NFC").toLowerCase()
  return tokens.some((token) => !token.weak && token.kind !== "text" && text.includes(token.text))
}

const makers = [0x00080070, 0x00081090]
const codes = [0x00080100, 0x00080102, 0x00080103]

/** Whether a token is no finding in an element of the output, as that is a standard one outside the table and stayed as it was: a
 * description or device that a coded term names too, a site with the manufacturer's name, a short word that is a code. */
const keptIn = (pair: Pair) => (token: Token, element: Element) => {
  const row = pair.standard.rowOf(element.tag)
  if (element.vr === "UI" && ((row !== undefined && pair.asked.of(row) === "K") || element.tag === 0x00020003))
    return pair.asked.has("retain-uids")
  const isOurs =
    token.kind === "text" ||
    token.kind === "device" ||
    (token.kind === "place" && makers.includes(element.tag)) ||
    (token.text.length < 5 && codes.includes(element.tag))
  const before = isOurs ? pair.before.get(element.path) : undefined
  return before !== undefined && row === undefined && isSame(before, element)
}

/** Grades outputs against their inputs. Throws only when a folder or the map cannot be read. */
export async function grade(given: Given): Promise<Grade> {
  const { standard } = given
  const asked = new Asked(given.options)
  const findings: Finding[] = []
  const refused = new Map<string, number>()
  const rows = named(given)
  const reportFor =
    ({ input, output }: Named): Report =>
    (kind, path, what, value) =>
      findings.push({
        class: kind,
        input,
        output,
        path,
        what,
        evidence: value === undefined ? "" : evidenceOf(value),
      })
  for (const { status, reason } of rows) if (status !== "released") refused.set(reason, (refused.get(reason) ?? 0) + 1)
  const released = rows.filter(({ status }) => status === "released")
  const pairs: [Named, Pair][] = []
  for (const row of released) {
    const pair = read(given, row, asked, standard)
    if (typeof pair === "string") reportFor(row)("files", "", pair)
    else pairs.push([row, pair])
  }
  strangers(given, rows, findings)
  const uids = new UidMapping()
  const originals = new Map(pairs.map(([row, pair]) => [row, originalUids(pair.input, asked, standard)]))
  for (const [row, pair] of pairs) uids.addOriginals(pair, originals.get(row)!)
  const dates = new Dates()
  for (const [row, pair] of pairs) {
    const report = reportFor(row)
    const tokens = tokensOf(pair.input, asked, standard)
    searchTokens(pair.output, pair.outputName, tokens, keptIn(pair), report)
    uids.grade(pair, originals.get(row)!, report)
    dates.grade(pair, report)
    gradePrivate(pair, report)
    new Actions(pair, holds(tokens), report).grade()
    gradeMarkers(pair, report)
    gradeFile(pair, report)
    gradePixels(pair, report)
  }
  const asking = given.conformance && (await verify(given, pairs, reportFor))
  return { files: pairs.length, refused, conformance: asking, findings }
}

function read(given: Given, row: Named, asked: Asked, standard: Standard): Pair | string {
  const [from, to] = [join(given.input, row.input), join(given.output, row.output)]
  if (!existsSync(from)) return "no-input"
  if (row.output === "" || !existsSync(to)) return "no-output"
  const input = readDicom(readFileSync(from), standard)
  const output = readDicom(readFileSync(to), standard)
  if (input === undefined) return "input-unreadable"
  if (output === undefined) return "output-unreadable"
  return pairOf(input, output, { inputName: row.input, outputName: row.output }, asked, standard)
}

/** Files in the output that belong to no input. */
function strangers(given: Given, rows: readonly Named[], findings: Finding[]): void {
  const known = new Set(rows.map(({ output }) => output))
  for (const file of filesIn(given.output))
    if (!known.has(file))
      findings.push({ class: "files", input: "", output: file, path: "", what: "of-no-input", evidence: "" })
}

async function verify(
  given: Given,
  pairs: readonly [Named, Pair][],
  reportFor: (row: Named) => Report,
): Promise<boolean> {
  let installed = true
  await everywhere(pairs, async ([row]) => {
    const before = installed ? await dciodvfyErrors(join(given.input, row.input)) : undefined
    const after = before === undefined ? undefined : await dciodvfyErrors(join(given.output, row.output))
    if (before === undefined || after === undefined) installed = false
    else for (const error of after) if (!before.has(error)) reportFor(row)("conformance", "", error)
  })
  return installed
}
