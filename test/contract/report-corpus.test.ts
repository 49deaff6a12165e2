import { describe, expect, it } from "vitest"
import { surrogatesOf } from "../property/report-generator.ts"
import { judge, snippetsOf, tokensIn } from "./report-snippets.ts"

const surrogates = surrogatesOf(new Uint8Array(32).fill(5), "p")
const snippets = snippetsOf("corpus")
const results = snippets.map((snippet) => judge(snippet, surrogates))

/** What is known to be missed, or taken wrongly: looked at, and left. */
const known = {
  missed: [] as readonly string[],
  wrong: [] as readonly string[],
}

describe("reports as they are written", () => {
  it("are many and varied", () => {
    expect(snippets.length).toBeGreaterThanOrEqual(30)
    expect(new Set(snippets.flatMap(({ marked }) => marked.map(({ kind }) => kind))).size).toBe(12)
  })

  it("lose what identifies", () => {
    const missed = results.flatMap(({ snippet, spans }) =>
      spans.flatMap(({ kind, left }) => left.map((word) => `${snippet.title}: ${kind}: ${word}`)),
    )
    expect(missed).toEqual(known.missed)
  })

  it("keep all else: eponyms, units, values, doses, terms", () => {
    const words = snippets.reduce((sum, { text }) => sum + tokensIn(text, 0, text.length).length, 0)
    expect(words).toBeGreaterThan(1000)
    const wrong = results.flatMap(({ snippet, wrong: all }) =>
      all.map(({ kind, word }) => `${snippet.title}: ${kind}: ${word}`),
    )
    expect(wrong).toEqual(known.wrong)
  })

  it("give one thing one surrogate throughout a report", () => {
    for (const { snippet, findings } of results) {
      const made = new Map<string, string>()
      for (const { kind, start, end, surrogate } of findings) {
        const slot = `${kind} ${snippet.text.slice(start, end)}`
        if (kind === "date" || surrogate === "") continue
        expect(made.get(slot) ?? surrogate, slot).toBe(surrogate)
        made.set(slot, surrogate)
      }
    }
  })
})
