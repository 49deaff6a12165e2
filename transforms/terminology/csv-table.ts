import { CsvError, parseCsv } from "./csv.ts"
import type { CsvRow } from "./csv.ts"
import { equivalenceOf, isNoMatch } from "./code-table.ts"
import type { CodeTable, MappedCode, TableFault } from "./code-table.ts"

const columns = ["fromsystem", "fromcode", "tosystem", "tocode", "relationship"] as const
const aliases: Readonly<Record<string, string>> = { system: "tosystem", code: "tocode", equivalence: "relationship" }

const columnOf = (name: string): string => {
  const plain = name.trim().toLowerCase().replaceAll(/[_ -]/g, "")
  return aliases[plain] ?? plain
}

/** Reads a CSV table with the columns from_system, from_code, to_system, to_code, relationship (an R4 equivalence) and, if it likes,
 * display; in any order. `name` is what matches call the table. */
export function readCsvTable(text: string, file: string, name: string, faults: TableFault[]): CodeTable {
  const matches: MappedCode[] = []
  const fault = (line: number, message: string): void => {
    faults.push({ file, place: String(line), message })
  }
  const rows = rowsOf(text, fault)
  if (rows === undefined) return { matches, unmapped: [] }
  const header = rows[0]?.cells.map(columnOf) ?? []
  const missing = columns.filter((column) => !header.includes(column))
  if (missing.length > 0) fault(1, `missing columns ${missing.join(", ")}`)
  else
    for (const row of rows.slice(1)) {
      const match = matchOf(row, header, name, fault)
      if (match !== undefined && !isNoMatch(match.relationship)) matches.push(match)
    }
  return { matches, unmapped: [] }
}

function rowsOf(text: string, fault: (line: number, message: string) => void): readonly CsvRow[] | undefined {
  try {
    return parseCsv(text.replace(/^\uFEFF/, ""))
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    fault(error.line, error.message)
    return undefined
  }
}

function matchOf(
  { line, cells }: CsvRow,
  header: readonly string[],
  table: string,
  fault: (line: number, message: string) => void,
): MappedCode | undefined {
  const cell = (column: string): string => cells[header.indexOf(column)]?.trim() ?? ""
  if (cells.length > header.length) return void fault(line, "more cells than the header has")
  const relationship = equivalenceOf(cell("relationship"))
  if (relationship === undefined) return void fault(line, "relationship is no FHIR R4 equivalence")
  const needed = isNoMatch(relationship) ? columns.slice(0, 2) : columns.slice(0, 4)
  const empty = needed.filter((column) => cell(column) === "")
  if (empty.length > 0) return void fault(line, `empty ${empty.join(", ")}`)
  return {
    system: cell("tosystem"),
    code: cell("tocode"),
    display: cell("display") || null,
    fromSystem: cell("fromsystem"),
    fromCode: cell("fromcode"),
    relationship,
    table,
  }
}
