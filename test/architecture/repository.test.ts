import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { filesOf, root } from "./imports.ts"

const own = "test/architecture/repository.test.ts"

/** Folders in which a machine keeps homes and work; a path of one is no path of ours. */
const machinePath = /(?<![\w.\-}~])\/(?:work|home|root|Users|mnt|var\/lib\/jenkins|builds)\/[\w.-]+/
/** Where packages come from is the business of whoever installs them. */
const registryHost =
  /\b(?:registry\.[a-z0-9-]+\.[a-z]+|[a-z0-9.-]*(?:artifactory|nexus|verdaccio|pypi|goproxy)\.[a-z0-9.-]+|proxy\.golang\.org|repo1?\.maven\.[a-z.]+)/i

/** `file:line` of each line of the tree's text files that a pattern finds. */
const linesWith = (pattern: RegExp): readonly string[] =>
  filesOf()
    .filter((file) => file !== own)
    .flatMap((file) => {
      const bytes = readFileSync(join(root, file))
      if (bytes.includes(0)) return []
      return bytes
        .toString("utf8")
        .split("\n")
        .flatMap((line, at) => (pattern.test(line) ? [`${file}:${at + 1}`] : []))
    })

describe("the repository", () => {
  it("names no path of a machine", () => {
    expect(machinePath.test("see /home/someone/x"), "the pattern finds one").toBe(true)
    expect(linesWith(machinePath)).toEqual([])
  })

  it("names no host of a package registry", () => {
    expect(registryHost.test("https://registry.npmjs.org/x"), "the pattern finds one").toBe(true)
    expect(linesWith(registryHost)).toEqual([])
  })

  it("waits in no test for a time, but for what is to come true", () => {
    // `test/kit` has `until` for it, whose looks are a moment apart.
    const sleep = /\bsetTimeout\b|\bsleep\b\s*\(|\bAtomics\.wait\b|Effect\.sleep\b/
    expect(sleep.test("await sleep(300)"), "the pattern finds one").toBe(true)
    expect(linesWith(sleep).filter((line) => /^test\/.*\.test\.ts:/.test(line))).toEqual([])
  })

  it("pins every dependency to one version", () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<
      "dependencies" | "devDependencies",
      Readonly<Record<string, string>>
    >
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(([, range]) => !/^\d/.test(range))
    expect(loose).toEqual([])
  })

  it("numbers each decision once", () => {
    const pages = filesOf(join(root, "docs/decisions"))
    const numbers = pages.map((file) => /\/(\d{4})-[a-z0-9-]+\.md$/.exec(file)?.[1])
    expect(numbers).not.toContain(undefined)
    expect(pages.filter((_, at) => numbers.indexOf(numbers[at]) !== at)).toEqual([])
  })

  it("links to files that are there", () => {
    const dead = filesOf()
      .filter((file) => file.endsWith(".md"))
      .flatMap((file) =>
        [...readFileSync(join(root, file), "utf8").matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)]
          .map(([, target]) => join(file, "..", target!))
          .filter((target) => !existsSync(join(root, target)))
          .map((target) => `${file} -> ${target}`),
      )
    expect(dead).toEqual([])
  })
})
