import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type { AnyPlugin } from "../plugin.ts"

/** What is wrong with an option, and where under `with:`. */
export interface OptionFault {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** Decodes what stands under `with:`; every fault at once, unknown keys refused. Messages hold no rejected value. */
export function decodeOptions(
  plugin: AnyPlugin,
  given: unknown,
): { readonly options: unknown; readonly faults: readonly OptionFault[] } {
  const result = Schema.decodeUnknownResult(plugin.options, { errors: "all", onExcessProperty: "error" })(given)
  if (Result.isSuccess(result)) return { options: result.success, faults: [] }
  const { issues } = SchemaIssue.makeFormatterStandardSchemaV1()(result.failure.issue)
  const faults = issues.map(({ path, message }) => ({
    path: (path ?? []).map((part) => {
      const key = typeof part === "object" ? part.key : part
      return typeof key === "number" ? key : String(key)
    }),
    message: `option of ${plugin.name}: ${message}`,
  }))
  return { options: undefined, faults }
}

/** The options as JSON Schema (draft 2020-12), for editors and reference pages; as strict as decoding. Options that nest refer to
 * definitions, which `$id` makes their own wherever the schema is put. */
export function optionsJsonSchema(plugin: AnyPlugin): unknown {
  const { schema, definitions } = Schema.toJsonSchemaDocument(plugin.options, { onExcessProperty: "error" })
  if (Object.keys(definitions).length === 0) return schema
  return { $id: `weir:options/${plugin.name}`, ...schema, $defs: definitions }
}
