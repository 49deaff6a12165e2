/** Regenerates formats/dicom/data/words.json, the words that may stand in a cleaned descriptor:
 *
 *     node scripts/dicom-words.ts CONCEPTS
 *
 * CONCEPTS: `pydicom/sr/_concepts_dict.py` of pydicom 3.0.1 (MIT), the code meanings of PS3.16's context groups; the keywords of
 * formats/dicom/data/dictionary.json are added. Left out are words that only stand capitalised inside a meaning, as names do, and
 * the frequent given names and surnames of `names` below. */
import { readFileSync, writeFileSync } from "node:fs"

const [concepts] = process.argv.slice(2)
if (concepts === undefined) {
  console.error("usage: node scripts/dicom-words.ts CONCEPTS")
  process.exit(64)
}

/** Words that are clinical and yet more often someone's name. */
const names = new Set(
  `ADAM ADAMS ALBERT ALEXANDER ALLEN ANDERSON ANDREW ANDREWS ANGEL ANNA ARTHUR BAKER BARBARA BELL BENJAMIN BENNETT BERG BERNARD
  BISHOP BOYD BROOKS BRYANT BUTLER CAMPBELL CARLO CARPENTER CARTER CHARLES CHRISTIAN CHRISTMAS CLARK COLE COLLINS COOK COOPER COX
  CRUZ DANIEL DAVID DAVIES DAVIS DAWN DENNIS DIAMOND DIXON DOUGLAS DUNCAN EDWARD EDWARDS ELIZABETH EVANS FISCHER FISHER
  FLORENCE FORD FOSTER FOX FRANCE FRANCIS FRANK FRANKLIN FREEMAN GARCIA GARDNER GEORGE GILBERT GORDON GRACE GRAHAM GRANT GRIFFIN
  HALL HAMILTON HARPER HARRIS HARRISON HART HARVEY HAYES HENDERSON HENRY HERMAN HILL HOFFMANN HOLMES HOPE HOWARD HUGHES HUNT HUNTER
  IRIS JACK JACKSON JACOB JAMES JASON JENKINS JENSEN JOE JOHN JOHNS JOHNSON JONES JORDAN JOSEPH JUNE JUSTIN KELLY KENNEDY KIM KING
  LAWRENCE LEE LEO LEWIS LI LONDON LOPEZ LOUIS LUKE MARIA MARIE MARK MARSHALL MARTIN MARY MASON MATTHEW MAX MAY MAYER MEYER MICHAEL
  MILLER MITCHELL MONROE MOORE MORGAN MORRIS MURPHY MURRAY MYERS NELSON NEWMAN NORMAN OLIVER OWEN PALMER PARIS PARK PARKER
  PATRICK PAUL PEARSON PERRY PETER PETERS PETERSON PHILIP PHILLIPS PIERCE PORTER POST POWELL PRICE RAY REED REYNOLDS RICHARD RICHARDSON
  RILEY ROBERT ROBERTS ROBIN ROBINSON ROGERS ROSE ROSS RUSSELL RUTH RYAN SANCHEZ SANDERS SARA SCHMIDT SCOTT SHAW SIMMONS SIMON
  SIMPSON SMITH SOPHIA STELLA STEPHEN STEVENS STEWART STONE SULLIVAN TAYLOR THOMAS THOMPSON TORRES TUCKER TURNER VICTOR VICTORIA
  VIOLA VIOLET WAGNER WALKER WALLACE WALTER WANG WARD WARREN WASHINGTON WATSON WEBB WEBER WEISS WELLS WERNER WEST WHEELER WILLIAM WILLIAMS
  WILLIAMSON WILLIS WILSON WOLF WOOD WOODS WRIGHT YOUNG ZIMMERMAN AMBER CHRISTINE DAISY ERIC FAITH FELIX HEATHER IVAN IVY JASMINE
  LILY MONICA OLIVE PEARL PENNY RUBY SANDY VERA WANDA BROWN GREEN WHITE BLACK GRAY GREY SHORT LONG BIRD BUSH CASTLE CHAPMAN CRAWFORD
  DEAN EARL ELLIS FIELDS FLEMING FOWLER GIBSON GOMEZ HAWKINS HICKS KNIGHT LANE MALONE MANN NICHOLS NOBLE PAYNE POOLE RAMOS REYES RHODES
  RICE RIVERA RUIZ SALAZAR SINGH SPENCER STANLEY STEELE TRAN VARGAS VAUGHN WADE WALSH WATKINS WATTS WEAVER WOODWARD`.split(
    /\s+/,
  ),
)
/** Colours, sizes and ages that reports need more than surnames do harm: what names the person goes before any word is looked up. */
for (const word of [
  "BLACK",
  "BROWN",
  "FIELDS",
  "GRAY",
  "GREEN",
  "GREY",
  "LONG",
  "RAY",
  "SHORT",
  "STONE",
  "WHITE",
  "YOUNG",
])
  names.delete(word)

const source = readFileSync(concepts, "utf8")
const lower = new Set<string>()
const inside = new Set<string>()
const first = new Set<string>()
const add = (meaning: string, titled: boolean): void => {
  const words = meaning.match(/\p{L}+/gu) ?? []
  for (const [at, word] of words.entries()) {
    const upper = word.toUpperCase()
    if (word.length < 2 || !/^[A-Z]+$/.test(upper)) continue
    if (word === word.toLowerCase() || word === upper) lower.add(upper)
    else if (at > 0 && !titled) inside.add(upper)
    else first.add(upper)
  }
}

/** Meanings of these schemes are written with a capital for each word, which says nothing. */
const titled = new Set(["DCM", "MDC", "IBSI", "NEU", "BARI"])
/** Drugs, organisms and places are no descriptors. */
const passedOver = new Set(["ITIS_TSN", "PUBCHEM_CID", "NDC", "RXNORM", "I10", "MSH"])
for (const part of source.split(/^concepts\[/m).slice(1)) {
  const scheme = /^"(\w+)"/.exec(part)![1]!
  if (passedOver.has(scheme)) continue
  for (const [, double, single] of part.matchAll(/\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'),\s*\[/g))
    add(double ?? single!, titled.has(scheme))
}
const dictionary = JSON.parse(
  readFileSync(new URL("../formats/dicom/data/dictionary.json", import.meta.url), "utf8"),
) as { readonly rows: readonly (readonly [string, string, string, string])[] }
for (const [, , , keyword] of dictionary.rows)
  for (const word of keyword.match(/[A-Z][a-z]+/g) ?? []) first.add(word.toUpperCase())

const words = [...new Set([...lower, ...[...first].filter((word) => !inside.has(word))])]
  .filter((word) => !names.has(word))
  .sort()
const about = {
  edition: "2024",
  source: "PS3.16 context groups and PS3.6 keywords, as in pydicom 3.0.1 (MIT)",
  columns: "words, upper case, of one initial",
}
const byInitial = Map.groupBy(words, (word) => word[0]!)
const head = Object.entries(about).map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)},`)
const body = [...byInitial.values()].map((list) => JSON.stringify(list.join(" "))).join(",\n")
writeFileSync(
  new URL("../formats/dicom/data/words.json", import.meta.url),
  `{${head.join("\n")}\n"rows":[\n${body}\n]}\n`,
)
console.log(`words.json: ${words.length} words`)
