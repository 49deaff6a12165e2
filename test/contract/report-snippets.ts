import { readFileSync } from "node:fs"
import { join } from "node:path"
import { deidentifyText, nameOf } from "../../formats/text/index.ts"
import type { Finding, FindingKind, Surrogates, TextPerson } from "../../formats/text/index.ts"

/** What is marked in a snippet: its kind, and where it stands; "?" may go or stay. */
export interface Marked {
  readonly kind: FindingKind | "?"
  readonly start: number
  readonly end: number
}

/** A report, or a part of one, of a made-up person. */
export interface Snippet {
  readonly title: string
  readonly person: TextPerson
  readonly text: string
  readonly marked: readonly Marked[]
}

const list = (text: string | undefined) =>
  (text ?? "")
    .split(/[,;]/)
    .map((each) => each.trim())
    .filter((each) => each !== "")

function personOf(line: string): TextPerson {
  const [name = "", ids, born = "", ...places] = line.replace(/^who: /, "").split(";")
  return {
    names: [nameOf(name.trim())],
    ids: list(ids).map((value) => ({ value })),
    birthDates: born.trim() === "" ? [] : [born.trim()],
    places: places.flatMap(list),
  }
}

function snippetOf(block: string): Snippet {
  const [title = "", who = "", ...lines] = block.split("\n")
  return snippetFrom(title, personOf(who), lines.join("\n").trimEnd())
}

/** A snippet from its text with marks. */
export function snippetFrom(title: string, person: TextPerson, source: string): Snippet {
  const marked: Marked[] = []
  let text = ""
  let done = 0
  for (const found of source.matchAll(/⟦([a-z-]+|\?):([^⟧]*)⟧/g)) {
    text += source.slice(done, found.index)
    marked.push({ kind: found[1] as Marked["kind"], start: text.length, end: text.length + found[2]!.length })
    text += found[2]!
    done = found.index + found[0].length
  }
  return { title, person, text: text + source.slice(done), marked }
}

/** The snippets of a file of test/golden/reports. */
export const snippetsOf = (name: string): readonly Snippet[] =>
  readFileSync(join(import.meta.dirname, `../golden/reports/${name}.txt`), "utf8")
    .split(/^=== /m)
    .slice(1)
    .map(snippetOf)

interface Span {
  readonly start: number
  readonly end: number
}

const small =
  /^(?:of|the|de|des|y|van|der|von|la|du|et|Mr|Mrs|Ms|Miss|Dr|Dra|Pt|Prof|Mlle|MD|RN|SPR|CNMT|Uncle|Nurse|end|al|los|den|St|Mc|Mac|Hospital|st|nd|rd|th)$/

/** Words and numbers of a passage; the small words of a name, a date or an address say nothing. */
export const tokensIn = (text: string, start: number, end: number): readonly Span[] =>
  [...text.slice(start, end).matchAll(/[\p{L}\p{M}\p{N}]+/gu)]
    .filter(([token]) => !small.test(token))
    .map((found) => ({ start: start + found.index, end: start + found.index + found[0].length }))

const over =
  ({ start, end }: Span) =>
  (each: Span): boolean =>
    each.start < end && start < each.end

/** The parts of an address that stay as they are: kinds of streets, states. */
const stays =
  /^(?:Street|St|Road|Rd|Ave|Lane|Terrace|Crescent|Grove|Close|Run|Flat|Cross|Col|No|rue|boul|Av|Apt|Box|OH|IL|AZ|NY|ON|QC|QLD|VIC|P|O|PO|W|N|Fifth)$/i

/** What is made of a snippet: what was left of the marked, and what was taken of the rest. */
export interface Judged {
  readonly snippet: Snippet
  readonly findings: readonly Finding[]
  /** For each passage that must go, the words of it that were left. */
  readonly spans: readonly { readonly kind: FindingKind; readonly left: readonly string[] }[]
  /** Words that were replaced and identify nobody, by the kind of the finding. */
  readonly wrong: readonly { readonly kind: FindingKind; readonly word: string }[]
}

/** Cleans a snippet and compares what was found with what is marked. */
export function judge(snippet: Snippet, surrogates: Surrogates): Judged {
  const { person, text, marked } = snippet
  const { findings } = deidentifyText(text, person, surrogates)
  const changed = findings.filter(({ start, end, surrogate }) => text.slice(start, end) !== surrogate)
  const wordOf = ({ start, end }: Span) => text.slice(start, end)
  const spans = marked.flatMap((span) =>
    span.kind === "?"
      ? []
      : [
          {
            kind: span.kind,
            left: tokensIn(text, span.start, span.end)
              .filter((token) => !((span.kind === "address" || span.kind === "place") && stays.test(wordOf(token))))
              .filter((token) => !changed.some(over(token)))
              .map(wordOf),
          },
        ],
  )
  const wrong = changed
    .filter(({ surrogate }) => surrogate !== "")
    .flatMap(({ kind, start, end, surrogate }) =>
      tokensIn(text, start, end)
        .filter((token) => !marked.some(over(token)) && !surrogate.includes(wordOf(token)))
        .map((token) => ({ kind, word: wordOf(token) })),
    )
  return { snippet, findings, spans, wrong }
}

/** How many passages of a kind there were and went whole, and how many words were taken under its name wrongly. */
export interface Figures {
  found: number
  all: number
  wrong: number
}

/** The figures of judged snippets by kind. */
export function figuresOf(judged: readonly Judged[]): ReadonlyMap<string, Figures> {
  const rows = new Map<string, Figures>()
  const row = (kind: string) => {
    const made = rows.get(kind) ?? { found: 0, all: 0, wrong: 0 }
    rows.set(kind, made)
    return made
  }
  for (const { spans, wrong } of judged) {
    for (const { kind, left } of spans) {
      row(kind).all++
      if (left.length === 0) row(kind).found++
    }
    for (const { kind } of wrong) row(kind).wrong++
  }
  return new Map([...rows].sort())
}
