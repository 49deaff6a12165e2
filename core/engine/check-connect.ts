import { randomUUID } from "node:crypto"
import { classify } from "../errors.ts"
import type { Logger } from "../context.ts"
import type { CompiledPipeline } from "../pipeline/model.ts"
import type { AnyPlugin } from "../plugin.ts"
import { Findings } from "../ports/finding.ts"
import type { Finding } from "../ports/finding.ts"
import type { Objects } from "../ports/objects.ts"
import type { Store } from "../ports/store.ts"
import { zones } from "../record.ts"
import type { Zone } from "../record.ts"
import { registryTopic } from "../registry.ts"
import { Counters } from "./counters.ts"
import { checkRetention } from "./check-retention.ts"
import { readSecrets, topicSpecs } from "./open.ts"
import type { OpenOptions } from "./open.ts"
import { readings } from "./positions.ts"
import { contextFor } from "./runtime.ts"
import type { ContextRuntime } from "./runtime.ts"

type CheckOptions = Pick<OpenOptions, "drivers" | "environment">

/** Looks at everything that a pipeline is going to need, before it runs: secrets, Log, Store, Objects by zone, clocks, and what its
 * plugins connect to. It makes nothing but buckets or folders that are missing, and an object that it removes again; on embedded
 * ports their folders. Never rejects for what it finds. */
export async function checkConnect(pipeline: CompiledPipeline, options: CheckOptions): Promise<readonly Finding[]> {
  const secrets = new Map<string, Uint8Array>()
  const found: Finding[] = [...(await checkSecrets(pipeline, options, secrets))]
  found.push(...(await checkLog(pipeline, options)), ...checkRetention(pipeline))
  for (const zone of zones) found.push(...(await checkObjects(pipeline, options, zone)))
  const { drivers } = options
  const told = (await drivers.checks?.store(pipeline.store, pipeline.folder)) ?? []
  found.push(...told)
  if (told.some(({ level }) => level === "failed")) return [...found, ...notTried(pipeline)]
  return [...found, ...(await withStoreUrl(pipeline, options, (store) => checkPlugins(pipeline, secrets, store)))]
}

function failure(found: Findings, thrown: unknown, hint: string): void {
  const error = classify(thrown)
  found.failed(error.message, error.hint ?? hint)
}

async function checkSecrets(
  pipeline: CompiledPipeline,
  { environment }: CheckOptions,
  into: Map<string, Uint8Array>,
): Promise<readonly Finding[]> {
  const found = new Findings("secrets")
  for (const secret of pipeline.secrets)
    try {
      const read = await readSecrets({ secrets: new Map([secret]), folder: pipeline.folder }, environment)
      for (const [name, bytes] of read) into.set(name, bytes)
    } catch (error) {
      failure(found, error, "see the pipeline file")
    }
  if (into.size > 0) found.ok(`${into.size} of ${pipeline.secrets.size} are there, and long enough`)
  return found.all
}

async function checkLog(pipeline: CompiledPipeline, { drivers }: CheckOptions): Promise<readonly Finding[]> {
  const topics = [...topicSpecs(pipeline), { name: registryTopic, partitions: 1, compact: true }]
  const groups = [...new Set(readings(pipeline).map(({ group }) => group))]
  const told = (await drivers.checks?.log(pipeline.log, { pipeline: pipeline.name, topics, groups })) ?? []
  if (told.length > 0) return told
  const found = new Findings("log")
  try {
    await (await drivers.log(pipeline.log, pipeline.folder)).close()
    found.ok(`driver ${pipeline.log.driver} opens`)
  } catch (error) {
    failure(found, error, "see log: in the pipeline file")
  }
  return found.all
}

async function checkObjects(
  pipeline: CompiledPipeline,
  { drivers }: CheckOptions,
  zone: Zone,
): Promise<readonly Finding[]> {
  const found = new Findings(`objects ${zone}`)
  try {
    found.all.push(...((await drivers.checks?.objects(pipeline.objects, zone)) ?? []))
    const objects = await drivers.objects(pipeline.objects, zone, pipeline.folder)
    try {
      await probe(objects, found)
    } finally {
      await objects.close()
    }
  } catch (error) {
    failure(found, error, "see objects: in the pipeline file")
  }
  return found.all
}

/** Puts, reads, puts on a condition and deletes one object. */
async function probe(objects: Objects, found: Findings): Promise<void> {
  const key = `weir-check/${randomUUID()}`
  const bytes = Buffer.from("weir check --connect")
  try {
    await objects.put(key, bytes)
    if (!bytes.equals(await objects.bytes(key)))
      found.failed("an object was read otherwise than it was written", "do not use this object store")
    if (await objects.putIfAbsent(key, Buffer.from("other")))
      found.failed(
        "a put on the condition that there is none replaced what was there",
        "use a store that knows If-None-Match",
      )
  } finally {
    await objects.delete([key])
  }
  if ((await objects.head(key)) !== undefined)
    found.failed("a deleted object is still there", "allow deletes, and see that nothing brings deleted objects back")
  if (!found.all.some(({ level }) => level === "failed"))
    found.ok("objects can be put, on a condition too, read and deleted")
}

/** Opens an embedded Store, whose address is known only while it is open; another's is in its settings, and it is left as it is. */
async function withStoreUrl(
  { store: settings, folder }: CompiledPipeline,
  { drivers }: CheckOptions,
  act: (store: Pick<Store, "url" | "objects">) => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  const { url } = settings
  if (typeof url === "string") return act({ url } as Pick<Store, "url" | "objects">)
  const found = new Findings("store")
  try {
    const store = await drivers.store(settings, folder)
    found.ok(`driver ${settings.driver} opens`)
    try {
      return [...found.all, ...(await act(store))]
    } finally {
      await store.close()
    }
  } catch (error) {
    failure(found, error, "see store: in the pipeline file")
    return found.all
  }
}

interface Use {
  readonly name: string
  readonly plugin: AnyPlugin
  readonly options: unknown
}

const uses = ({ sources, stages, sinks }: CompiledPipeline): readonly Use[] =>
  [...sources, ...stages.flatMap(({ name, steps }) => steps.map((step) => ({ name, ...step }))), ...sinks].filter(
    ({ plugin }) => plugin.test !== undefined,
  )

const notTried = (pipeline: CompiledPipeline): readonly Finding[] =>
  uses(pipeline).map(({ name, plugin }) => ({
    level: "warning",
    about: name,
    message: `${plugin.name} was not tried`,
    hint: "mend the Store first",
  }))

const silent: Logger = { info() {}, warn() {}, error() {} }

async function checkPlugins(
  pipeline: CompiledPipeline,
  secrets: ReadonlyMap<string, Uint8Array>,
  store: Pick<Store, "url" | "objects">,
): Promise<readonly Finding[]> {
  const runtime: ContextRuntime = {
    pipeline,
    secrets,
    store,
    objects: new Map(),
    counters: new Counters(),
    logger: silent,
    now: () => Date.now(),
  }
  const found: Finding[] = []
  for (const { name, plugin, options } of uses(pipeline)) {
    const own = new Findings(name)
    const context = contextFor(runtime, name, { inputs: {}, outputs: {} }, AbortSignal.timeout(30_000))
    try {
      await plugin.test!(options as never, context)
      own.ok(`${plugin.name} reaches what it needs`)
    } catch (error) {
      failure(own, error, "see its options in the pipeline file")
    }
    found.push(...own.all)
  }
  return found
}
