/**
 * Makes formats/text/data/names.json from the frequently occurring names of the US Census of 1990 (public domain; the files
 * dist.female.first, dist.male.first and dist.all.last):
 *
 *     node scripts/text-names.ts FOLDER
 *
 * The lists `more` and `never` of the file that stands are kept: they are written by hand.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const target = join(import.meta.dirname, "../formats/text/data/names.json")
const mostGiven = 2200
const mostFamily = 7000

const ranked = (file: string, most: number): readonly string[] =>
  readFileSync(join(process.argv[2] ?? ".", file), "utf8")
    .split("\n")
    .slice(0, most)
    .map((line) => line.split(/\s/)[0]!.toLowerCase())
    .filter((name) => name.length > 1)

/** Lines of the names that begin with one letter, so that a change is read as one. */
const lines = (names: Iterable<string>): readonly string[] => {
  const byLetter = new Map<string, string[]>()
  for (const name of [...new Set(names)].sort()) byLetter.set(name[0]!, [...(byLetter.get(name[0]!) ?? []), name])
  return [...byLetter.values()].map((all) => all.join(" "))
}

const { more, never } = JSON.parse(readFileSync(target, "utf8")) as Record<string, unknown>
const table = {
  edition: "1990",
  source:
    "United States Census Bureau, Frequently Occurring Surnames and Given Names from Census 1990 (public domain), the most frequent by scripts/text-names.ts; `more` and `never` compiled for Weir, not taken from a list",
  note: "Lower case. given and family: names in use, which tell nothing by themselves; never: those that are drugs, devices and places first. more: names of other languages.",
  given: lines([...ranked("dist.male.first", mostGiven), ...ranked("dist.female.first", mostGiven)]),
  family: lines(ranked("dist.all.last", mostFamily)),
  more,
  never,
}
writeFileSync(target, `${JSON.stringify(table, undefined, 2)}\n`)
