import { describe } from "vitest"
import type { AnyPlugin } from "../../core/index.ts"
import type { CasesOf, SinkCase, SourceCase, StatefulCase, TransformCase } from "./contract/cases.ts"
import { declarationContract } from "./contract/declaration.ts"
import { sinkContract } from "./contract/sink.ts"
import { sourceContract } from "./contract/source.ts"
import { statefulContract } from "./contract/stateful.ts"
import { transformContract } from "./contract/transform.ts"

/** The contract that every plugin keeps, as vitest suites; call it at the top of a test file.
 *
 * Every kind: declared in full, unknown options refused, every fault at once, no planted private value in anything that people
 * read. Transforms: each record ends once, the input stays as it is, batches may be cut anywhere. Stateful ones also do a step
 * again after a crash as they did it first, number revisions without a gap and, where a case says so, leave the same rows in
 * any order of arrival. Sources lose and repeat nothing over restarts. Sinks keep their delivery claim under redelivery. */
export function pluginContract<P extends AnyPlugin>(plugin: P, cases: CasesOf<P>): void {
  describe(`${plugin.name} keeps the contract of a ${plugin.kind === "stateful" ? "stateful transform" : plugin.kind}`, () => {
    declarationContract(plugin, cases)
    for (const each of cases) one(plugin, each)
  })
}

function one(plugin: AnyPlugin, each: SourceCase | TransformCase | StatefulCase | SinkCase): void {
  if (plugin.kind === "source") sourceContract(plugin, each as SourceCase)
  else if (plugin.kind === "transform") transformContract(plugin, each as TransformCase)
  else if (plugin.kind === "stateful") statefulContract(plugin, each as StatefulCase)
  else sinkContract(plugin, each as SinkCase)
}
