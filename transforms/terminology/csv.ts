/** A row of a CSV text with the line on which it begins, from 1. */
export interface CsvRow {
  readonly line: number
  readonly cells: readonly string[]
}

/** A quote that is not closed, or text after a closing one. */
export class CsvError extends Error {
  readonly line: number
  constructor(line: number, message: string) {
    super(message)
    this.line = line
  }
}

const cell = /(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r?\n|\r|$)/y

/** Reads CSV (RFC 4180): commas, quotes doubled inside quotes, lines ended by LF or CRLF. Empty lines are passed over.
 * Throws {@link CsvError}. */
export function parseCsv(text: string): readonly CsvRow[] {
  const rows: CsvRow[] = []
  let cells: string[] = []
  let line = 1
  let begins = 1
  cell.lastIndex = 0
  for (let at = 0; at < text.length;) {
    cell.lastIndex = at
    const match = cell.exec(text)
    if (match === null) throw new CsvError(line, "a quote is not closed, or text follows a closing quote")
    cells.push(match[1]?.replaceAll('""', '"') ?? match[2]!)
    line += match[0].split("\n").length - 1
    at += match[0].length
    if (match[3] === "," && at < text.length) continue
    if (match[3] === ",") cells.push("")
    if (cells.some((value) => value !== "")) rows.push({ line: begins, cells })
    cells = []
    begins = line
  }
  return rows
}
