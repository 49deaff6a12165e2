import { resolve } from "node:path"
import type { CompiledPipeline } from "../pipeline/model.ts"
import { personKeys, pseudonymizer } from "../privacy.ts"
import { readCanaries } from "./canary.ts"
import type { Canary } from "./canary.ts"
import { CanaryWatch } from "./watch.ts"

/** The watch of a pipeline that names canaries; undefined for all others, which it costs nothing.
 * @throws fatal `canaries-unreadable` */
export async function openCanaries(
  pipeline: CompiledPipeline,
  secrets: ReadonlyMap<string, Uint8Array>,
): Promise<CanaryWatch | undefined> {
  if (pipeline.canaries === undefined) return undefined
  const { file, except } = pipeline.canaries
  const canaries = await readCanaries(resolve(pipeline.folder, file))
  const zoneOf = (topic: string) => pipeline.topics.get(topic)?.zone ?? "phi"
  return new CanaryWatch({ canaries, except, keys: keysOf(pipeline, secrets, canaries), zoneOf })
}

/** The keys by which records of canaries are known: person keys, and the pseudonyms of every project of the pipeline. Random codes
 * of a vault are not among them: steps that give those name a record's person by what they were given. */
function keysOf(
  { identity, stages }: CompiledPipeline,
  secrets: ReadonlyMap<string, Uint8Array>,
  canaries: readonly Canary[],
): ReadonlyMap<string, string> {
  const identityKey = secrets.get("identity-key")
  const [highest] = identity
  if (identityKey === undefined || highest === undefined) return new Map()
  const personKey = personKeys(identityKey)
  const projects = stages
    .flatMap(({ steps }) => steps)
    .map(({ options }) => secrets.get(String((options as { key?: unknown } | undefined)?.key)))
    .filter((secret) => secret !== undefined)
    .map((secret) => pseudonymizer(secret))
  return new Map(
    canaries.flatMap(({ name, identifiers }) => {
      const person = personKey(highest.namespace, identifiers.mrn)
      return [person, ...projects.map((project) => project.person(person))].map((key) => [key, name] as const)
    }),
  )
}
