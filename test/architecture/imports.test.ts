import { describe, expect, it } from "vitest"
import { brokenImports, rowOf } from "./import-table.ts"
import { filesOf, importsOfText, importsOfTree } from "./imports.ts"

describe("the import table", () => {
  it("holds for every file of the tree", () => {
    const imports = importsOfTree()
    expect(imports.length).toBeGreaterThan(500)
    expect(brokenImports(imports)).toEqual([])
  })

  it("has a row for every source file", () => {
    const sources = filesOf().filter((file) => file.endsWith(".ts"))
    expect(sources.filter((file) => rowOf(file) === undefined)).toEqual([])
  })

  it.each([
    ["core/engine/run.ts", `import { x } from "../drivers/log-kafka/index.ts"`],
    ["core/engine/run.ts", `import { Kafka } from "kafkajs"`],
    ["core/plugin.ts", `import type { Source } from "../connectors/dicom/index.ts"`],
    ["core/drivers/log-kafka/index.ts", `import pg from "pg"`],
    ["core/drivers/log-kafka/index.ts", `export * from "../objects-folder/index.ts"`],
    ["formats/dicom/parse.ts", `import { fatal } from "../../core/index.ts"`],
    ["formats/dicom/parse.ts", `import { readFile } from "node:fs/promises"`],
    ["formats/dicom/parse.ts", `import { other } from "../fhir/resource.ts"`],
    ["formats/fhir/time.ts", `import avsc from "avsc"`],
    ["connectors/dicom/index.ts", `import { parse } from "../fhir/index.ts"`],
    ["connectors/dicom/index.ts", `import { compile } from "../../core/pipeline/compile.ts"`],
    ["transforms/study/index.ts", `import type {\n  Namespaces,\n} from "../identity/members.ts"`],
    ["transforms/study/index.ts", `import { request } from "node:https"`],
    ["transforms/study/index.ts", `import net from "net"`],
    ["transforms/study/index.ts", `const pg = await import("pg")`],
    ["transforms/study/index.ts", `type Pool = import("pg").Pool`],
    ["sinks/object-store/index.ts", `import { S3Client } from "@aws-sdk/client-s3"`],
    ["test/kit/harness.ts", `import * as fc from "fast-check"`],
    ["test/kit/harness.ts", `import { compile } from "../../core/pipeline/compile.ts"`],
    ["synth/index.ts", `import { personKey } from "../core/index.ts"`],
    ["cli/run.ts", `import { openKafka } from "../core/drivers/log-kafka/index.ts"`],
    ["examples/weir-plugin-example/index.js", `import { compile } from "../../core/index.ts"`],
    ["newfolder/x.ts", `import "effect"`],
  ])("is broken by %s: %s", (file, text) => {
    expect(brokenImports(importsOfText(file, text))).toHaveLength(1)
  })

  it("reads code, not comments, and finds every form of import", () => {
    const text = `/** import { a } from "comment-a" */
// import "comment-b"
import d, { type E } from "one"
export type { F } from "two"
import "three"
const url = "http://host/path" // from "comment-c"
await import("four")
let g: import("five").G
const h = require("six")
export const i = 1
`
    expect(importsOfText("main.ts", text).map(({ target }) => target)).toEqual([
      "one",
      "two",
      "three",
      "four",
      "five",
      "six",
    ])
  })
})
