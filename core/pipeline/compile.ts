import { readFileSync } from "node:fs"
import { basename, dirname, extname, resolve } from "node:path"
import type { AnyPlugin, Port } from "../plugin.ts"
import { isBelow, zones } from "../record.ts"
import type { Zone } from "../record.ts"
import type { RecordType } from "../record-type.ts"
import * as builtInTypes from "../records/index.ts"
import { parseSource } from "./document.ts"
import type { Path, Source } from "./document.ts"
import { PipelineFaults, unknownName } from "./faults.ts"
import type {
  CompiledPipeline,
  CompiledSink,
  CompiledSource,
  CompiledStage,
  CompiledStep,
  CompiledTopic,
  SecretSource,
  Start,
} from "./model.ts"
import { borderFaults } from "./border.ts"
import { unstatedClocks } from "./clocks.ts"
import { encryptSettings } from "./encrypt.ts"
import { listenSettings } from "./listen.ts"
import { decodeOptions } from "./options.ts"
import type { PluginSet } from "./plugins.ts"
import { sweepAfter } from "./objects.ts"
import { duration, shape } from "./shape.ts"
import type { Shape } from "./shape.ts"
import { canarySettings, defaultSelfCheck, selfCheckPolicy } from "./watching.ts"

/** Partitions of a topic that does not say how many. */
export const defaultPartitions = 4

const topLevel = [
  "name",
  "plugins",
  "trust",
  "log",
  "store",
  "objects",
  "encrypt",
  "secrets",
  "identity",
  "topics",
  "sources",
  "stages",
  "sinks",
  "listen",
  "canaries",
  "self-check",
]
const recordTypes: ReadonlyMap<string, RecordType> = new Map(
  Object.values(builtInTypes)
    .filter((value): value is RecordType => typeof value === "object" && "avro" in value && "id" in value)
    .map((type) => [type.name, type]),
)

interface DeclaredTopic {
  readonly zone: Zone
  readonly partitions: number
  readonly retention: number | undefined
  readonly compact: boolean
  readonly schema: string | undefined
  readonly path: Path
}
interface WrittenTopic {
  type: RecordType
  key: string
  writers: { kind: "source" | "stage"; name: string }[]
  feeds: Map<string, readonly string[]>
}

/** What compiling may use besides the file; it never connects. */
export interface CompileInput {
  readonly plugins: PluginSet
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** The list under `plugins:`, before anything else is looked at; empty when the file does not parse. */
export function packagesOf(text: string): readonly string[] {
  const value = parseSource("", text, {}).value as { plugins?: unknown } | undefined
  const list = value?.plugins
  return Array.isArray(list) ? list.filter((item): item is string => typeof item === "string") : []
}

/** Compiles a pipeline file to a graph, or throws PipelineFaults with everything that is wrong with it. */
export function compileFile(file: string, input: CompileInput): CompiledPipeline {
  return compile(file, readFileSync(file, "utf8"), input)
}

/** @param file names the file in faults, and its folder is what relative paths are taken from */
export function compile(file: string, text: string, input: CompileInput): CompiledPipeline {
  const source = parseSource(file, text, input.environment)
  if (source.value === undefined || source.faults.length > 0) throw new PipelineFaults(source.faults)
  const pipeline = new Compiler(source, input).compile()
  if (source.faults.length > 0)
    throw new PipelineFaults(source.faults.toSorted((a, b) => a.line - b.line || a.column - b.column))
  return pipeline
}

class Compiler {
  readonly #source: Source
  readonly #plugins: PluginSet
  readonly #declared = new Map<string, DeclaredTopic>()
  readonly #written = new Map<string, WrittenTopic>()
  readonly #secrets = new Map<string, SecretSource>()
  readonly #needed = new Map<string, Path>()
  /** Topics that some `to:` names. One of them that nothing writes has a writer with a fault, which is told there. */
  readonly #named = new Set<string>()
  #trusted: readonly string[] = []

  constructor(source: Source, input: CompileInput) {
    this.#source = source
    this.#plugins = input.plugins
  }

  compile(): CompiledPipeline {
    const root = shape(this.#source, [], this.#source.value, topLevel)
    const file = resolve(this.#source.file)
    const empty = { path: [], keys: [] } as const
    const of = (key: string): Shape | { readonly path: Path; readonly keys: readonly string[] } =>
      root?.map(key) ?? empty
    this.#trusted = root?.strings("trust") ?? []
    root?.strings("plugins")
    for (const name of of("secrets").keys) this.#secret(root!, name)
    for (const name of of("topics").keys) this.#topic(root!, name)
    for (const kind of ["sources", "stages"])
      for (const entry of Object.values((root?.raw(kind) ?? {}) as Record<string, { to?: unknown } | null>))
        for (const topic of topicsIn(entry?.to)) this.#named.add(topic)
    const sources = of("sources").keys.flatMap((name) => this.#sourceOf(root!, name))
    const stages = this.#stages(root)
    const sinks = of("sinks").keys.flatMap((name) => this.#sink(root!, name))
    unstatedClocks(this.#source, sources, stages)
    borderFaults(this.#source, stages, (topic) => this.#zone(topic))
    const identity = this.#identity(root)
    const listen = root === undefined ? undefined : listenSettings(this.#source, root, this.#needed)
    const encrypt = root === undefined ? undefined : encryptSettings(this.#source, root, stages, this.#needed)
    const canaries = root === undefined ? undefined : canarySettings(this.#source, root)
    for (const [name, path] of this.#needed)
      if (!this.#secrets.has(name)) this.#source.fault(path, unknownName("secret", name, this.#secrets.keys()))
    if (root !== undefined && of("sources").keys.length === 0 && of("stages").keys.length === 0)
      this.#source.fault([], "a pipeline needs sources or stages")
    return {
      name: root?.string("name") ?? basename(file, extname(file)),
      file,
      folder: dirname(file),
      log: this.#driver(root, "log", { driver: "embedded", dir: ".weir/log" }),
      store: this.#driver(root, "store", { driver: "embedded", dir: ".weir/store" }),
      objects: this.#driver(root, "objects", { driver: "folder", dir: ".weir/objects" }),
      sweepAfter: sweepAfter(this.#source, root),
      ...(encrypt === undefined ? {} : { encrypt }),
      secrets: this.#secrets,
      neededSecrets: [...this.#needed.keys()],
      identity,
      topics: this.#topics(),
      sources,
      stages,
      sinks,
      ...(listen === undefined ? {} : { listen }),
      ...(canaries === undefined ? {} : { canaries }),
      selfCheck: root === undefined ? defaultSelfCheck : selfCheckPolicy(this.#source, root),
    }
  }

  #driver(root: Shape | undefined, key: "log" | "store" | "objects", fallback: { driver: string; dir: string }) {
    const settings = root?.map(key)
    if (settings === undefined) return fallback
    const known = { log: ["embedded", "kafka"], store: ["embedded", "postgres"], objects: ["folder", "s3"] }[key]
    const driver = settings.string("driver") ?? fallback.driver
    if (!known.includes(driver)) this.#source.fault([key, "driver"], unknownName("driver", driver, known))
    const allowed = driverKeys[driver] ?? []
    for (const name of settings.keys)
      if (name !== "driver" && !allowed.includes(name))
        this.#source.fault([key, name], unknownName("key", name, ["driver", ...allowed]), "key")
    const value = this.#source.value as Record<string, Record<string, unknown>>
    return { ...(driver === fallback.driver ? fallback : {}), ...value[key], driver }
  }

  #secret(root: Shape, name: string): void {
    const secret = root.map("secrets")?.map(name, ["file", "env"])
    const file = secret?.string("file")
    const env = secret?.string("env")
    if (secret === undefined) return
    if ((file === undefined) === (env === undefined))
      this.#source.fault(["secrets", name], "expected either file or env")
    this.#secrets.set(name, file === undefined ? { env: env ?? "" } : { file })
  }

  #identity(root: Shape | undefined) {
    return (root?.list("identity") ?? []).flatMap((item, at) => {
      const path = ["identity", at]
      const entry = shape(this.#source, path, item, ["namespace", "dicom-issuer", "fhir-system", "hl7v2-authority"])
      const namespace = entry?.string("namespace")
      if (entry === undefined) return []
      if (namespace === undefined) this.#source.fault(path, "missing namespace")
      return [
        {
          namespace: namespace ?? "",
          dicomIssuers: entry.strings("dicom-issuer") ?? [],
          fhirSystems: entry.strings("fhir-system") ?? [],
          hl7v2Authorities: entry.strings("hl7v2-authority") ?? [],
        },
      ]
    })
  }

  #topic(root: Shape, name: string): void {
    const path = ["topics", name]
    const topic = root.map("topics")?.map(name, ["zone", "schema", "partitions", "retention", "compact"])
    if (topic === undefined) return
    const zone = topic.string("zone") ?? "phi"
    if (!(zones as readonly string[]).includes(zone))
      this.#source.fault([...path, "zone"], unknownName("zone", zone, zones))
    const kept = topic.has("retention") ? duration(topic.string("retention") ?? "") : { ms: undefined }
    if (kept === undefined) this.#source.fault([...path, "retention"], "expected a duration such as 90d, or forever")
    const compact = topic.raw("compact") ?? false
    if (typeof compact !== "boolean") this.#source.fault([...path, "compact"], "expected true or false")
    this.#declared.set(name, {
      zone: zone as Zone,
      partitions: topic.integer("partitions", 1) ?? defaultPartitions,
      retention: kept?.ms,
      compact: compact === true,
      schema: topic.string("schema"),
      path,
    })
  }

  /** The plugin and its decoded options; faults are reported. */
  #step(step: Shape, kinds: readonly AnyPlugin["kind"][]): CompiledStep | undefined {
    const use = step.string("use")
    const candidates = [...this.#plugins.values()].filter(({ kind }) => kinds.includes(kind))
    if (use === undefined) return this.#source.fault(step.path, "missing use: the name of a plugin") as undefined
    const plugin = this.#plugins.get(use)
    if (plugin === undefined)
      return this.#source.fault(
        [...step.path, "use"],
        unknownName(
          "plugin",
          use,
          candidates.map(({ name }) => name),
        ),
      ) as undefined
    if (!kinds.includes(plugin.kind))
      return this.#source.fault(
        [...step.path, "use"],
        `${use} is a ${kindName(plugin)}, expected a ${kinds[0]}`,
      ) as undefined
    const decoded = decodeOptions(plugin, step.raw("with") ?? {})
    for (const { path, message } of decoded.faults) this.#source.fault([...step.path, "with", ...path], message, "key")
    if (decoded.faults.length > 0) return undefined
    for (const secret of plugin.secrets?.(decoded.options as never) ?? [])
      this.#needed.set(secret, [...step.path, "with"])
    return { plugin, options: decoded.options }
  }

  #sourceOf(root: Shape, name: string): CompiledSource[] {
    const path = ["sources", name]
    const entry = root.map("sources")?.map(name, ["use", "with", "to"])
    const step = entry === undefined ? undefined : this.#step(entry, ["source"])
    if (entry === undefined || step?.plugin.kind !== "source") return []
    const outputs = this.#outputs(entry, step.plugin.outputs)
    this.#outputZones(entry, step.plugin, outputs)
    for (const [port, topic] of Object.entries(outputs)) {
      const { type, key } = step.plugin.outputs[port] as Port<unknown>
      this.#write(topic, { kind: "source", name }, type as RecordType, key, [name], [...path, "to"])
    }
    return [{ name, ...step, outputs }]
  }

  /** `to:` is one topic, for the first port, or a mapping of ports to topics. */
  #outputs(entry: Shape, ports: Readonly<Record<string, Port<unknown>>>): Record<string, string> {
    const to = entry.raw("to")
    const names = Object.keys(ports)
    if (to === undefined) {
      this.#source.fault(entry.path, "missing to: the topic that it writes")
      return {}
    }
    if (typeof to === "string") return names[0] === undefined ? {} : { [names[0]]: to }
    const map = entry.map("to", names)
    const outputs: Record<string, string> = {}
    for (const port of map?.keys ?? []) {
      const topic = map?.string(port)
      if (topic !== undefined && names.includes(port)) outputs[port] = topic
    }
    return outputs
  }

  #write(
    topic: string,
    writer: { kind: "source" | "stage"; name: string },
    type: RecordType,
    key: string,
    feeds: readonly string[],
    path: Path,
  ) {
    const declared = this.#declared.get(topic)
    if (declared?.schema !== undefined && declared.schema !== type.name)
      this.#source.fault([...declared.path, "schema"], `${writer.kind} ${writer.name} writes ${type.name} records here`)
    const written = this.#written.get(topic)
    if (written === undefined) {
      this.#written.set(topic, { type, key, writers: [writer], feeds: new Map([[writer.name, feeds]]) })
      return
    }
    if (written.type.name !== type.name || written.key !== key)
      this.#source.fault(
        path,
        `topic ${topic} holds ${written.type.name} records keyed by ${written.key}, not ${type.name} by ${key}`,
      )
    written.writers.push(writer)
    written.feeds.set(writer.name, feeds)
  }

  /** Stages in topological order: each is compiled when everything that writes its inputs was. */
  #stages(root: Shape | undefined): CompiledStage[] {
    const entries = root?.map("stages")
    const waiting = new Map<string, Shape>()
    for (const name of entries?.keys ?? []) {
      const entry = entries?.map(name, ["from", "through", "to", "start"])
      if (entry !== undefined) waiting.set(name, entry)
    }
    const done: CompiledStage[] = []
    const writes = new Map([...waiting].map(([name, entry]) => [name, topicsIn(entry.raw("to"))]))
    while (waiting.size > 0) {
      const ready = [...waiting].find(([, entry]) =>
        topicsIn(entry.raw("from")).every(
          (topic) => ![...waiting.keys()].some((other) => writes.get(other)!.includes(topic)),
        ),
      )
      if (ready === undefined) {
        for (const [name, entry] of waiting)
          this.#source.fault(
            [...entry.path, "from"],
            `cycle: stage ${name} reads what it, or a stage after it, writes (${[...waiting.keys()].join(", ")})`,
          )
        return done
      }
      waiting.delete(ready[0])
      done.push(...this.#stage(ready[0], ready[1]))
    }
    return done
  }

  #stage(name: string, entry: Shape): CompiledStage[] {
    const through = entry.list("through") ?? []
    if (through.length === 0) this.#source.fault(entry.path, "missing through: a list of transforms")
    const privacy = this.#privacy(entry, through)
    const descends = privacy !== "none" ? false : this.#descends(entry)
    const start = this.#start(entry)
    const steps = through.map((item, at) => {
      const step = shape(this.#source, [...entry.path, "through", at], item, ["use", "with"])
      return step === undefined ? undefined : this.#step(step, ["transform", "stateful"])
    })
    if (steps.some((step) => step === undefined) || steps.length === 0) return []
    const chain = steps as CompiledStep[]
    const inputs = this.#inputs(entry, chain[0]!.plugin)
    if (inputs === undefined) return []
    const last = chain.at(-1)!.plugin as Extract<AnyPlugin, { kind: "transform" | "stateful" }>
    const outputs = this.#outputs(entry, last.outputs)
    const types = this.#through(entry, chain, inputs)
    if (!descends) this.#outputZones(entry, last, outputs)
    const feeds = [
      ...new Set([...inputs.keys()].flatMap((topic) => [...(this.#written.get(topic)?.feeds.values() ?? [])].flat())),
    ]
    for (const [port, topic] of Object.entries(outputs)) {
      const out = types.get(port)
      if (out !== undefined)
        this.#write(topic, { kind: "stage", name }, out.type, out.key, feeds, [...entry.path, "to"])
    }
    const stateful = chain.some(({ plugin }) => plugin.kind === "stateful")
    return [
      {
        name,
        inputs,
        steps: chain,
        outputs,
        stateful,
        privacy: privacy === "some",
        partitions: this.#partitions(entry, inputs),
        ...start,
      },
    ]
  }

  /** Topic to port: `from:` is a topic or a list for the first step's only port, or a mapping of its ports to topics. */
  #inputs(entry: Shape, first: AnyPlugin): Map<string, string> | undefined {
    const ports = Object.keys((first as { inputs?: Record<string, Port<unknown>> }).inputs ?? {})
    const from = entry.raw("from")
    const inputs = new Map<string, string>()
    let missing = false
    const bind = (topic: string, port: string, path: Path) => {
      if (!this.#isKnown(topic, path)) missing = true
      else if (inputs.has(topic)) this.#source.fault(path, `topic ${topic} is read twice`)
      else inputs.set(topic, port)
    }
    if (from === undefined) return this.#source.fault(entry.path, "missing from: the topics that it reads") as undefined
    if (typeof from === "string" || Array.isArray(from)) {
      if (ports.length > 1)
        return this.#source.fault(
          [...entry.path, "from"],
          `${first.name} has the inputs ${ports.join(", ")}: name them, as { ${ports[0]}: topic }`,
        ) as undefined
      for (const topic of entry.strings("from") ?? []) bind(topic, ports[0]!, [...entry.path, "from"])
    } else {
      const map = entry.map("from", ports)
      for (const port of map?.keys ?? [])
        for (const topic of map?.strings(port) ?? [])
          if (ports.includes(port)) bind(topic, port, [...entry.path, "from", port])
    }
    return inputs.size === 0 || missing ? undefined : inputs
  }

  /** Whether records of a known type are in the topic; a topic that nothing would write is reported. */
  #isKnown(topic: string, path: Path): boolean {
    if (this.#written.has(topic) || this.#declared.get(topic)?.schema !== undefined) return true
    if (!this.#named.has(topic))
      this.#source.fault(path, unknownName("topic", topic, [...this.#named, ...this.#declared.keys()]))
    return false
  }

  /** Follows record type and key through the chain; tells what the last step's outputs hold. */
  #through(entry: Shape, chain: readonly CompiledStep[], inputs: ReadonlyMap<string, string>) {
    const first = chain[0]!.plugin as { inputs: Record<string, Port<unknown>>; name: string }
    const incoming = [...inputs].map(([topic, port]) => ({
      port: first.inputs[port]!,
      ...this.#topicType(topic),
      topic,
    }))
    for (const { port, type, key, topic } of incoming) {
      const zone = this.#declared.get(topic)?.zone ?? "phi"
      if (port.zone !== "any" && port.zone !== zone)
        this.#source.fault([...entry.path, "from"], `${first.name} reads ${port.zone}, topic ${topic} is ${zone}`)
      this.#fits(entry, 0, first.name, port, type, key, `topic ${topic}`)
    }
    let current = { type: incoming[0]!.type, key: incoming[0]!.key }
    let rekeyed = false
    let statefuls = 0
    let outputs = new Map<string, { type: RecordType; key: string }>()
    for (const [at, { plugin }] of chain.entries()) {
      const step = plugin as Extract<AnyPlugin, { kind: "transform" | "stateful" }>
      const ports = Object.values(step.inputs as Record<string, Port<unknown>>)
      if (at > 0) {
        if (ports.length !== 1)
          this.#source.fault([...entry.path, "through", at], `${step.name} has several inputs and can only be first`)
        this.#fits(entry, at, step.name, ports[0]!, current.type, current.key, "the step before")
      }
      if (step.kind === "stateful" && ++statefuls > 1)
        this.#source.fault(
          [...entry.path, "through", at],
          "a stage has at most one stateful transform: put this one in a stage of its own",
        )
      if (step.kind === "stateful" && rekeyed)
        this.#source.fault(
          [...entry.path, "through", at],
          `${step.name} keeps state by key, and a step before it changes the key: put a topic between them`,
        )
      outputs = new Map(
        Object.entries(step.outputs as Record<string, Port<unknown>>).map(([name, { type, key }]) => [
          name,
          { type: type === "same" || type === "any" ? current.type : type, key: key === "same" ? current.key : key },
        ]),
      )
      if (at < chain.length - 1 && outputs.size !== 1)
        this.#source.fault([...entry.path, "through", at], `${step.name} has several outputs and can only be last`)
      const next = [...outputs.values()][0] ?? current
      if (next.key !== current.key) rekeyed = true
      current = next
    }
    return outputs
  }

  #topicType(topic: string): { readonly type: RecordType; readonly key: string } {
    const written = this.#written.get(topic)
    if (written !== undefined) return written
    const schema = this.#declared.get(topic)?.schema
    return { type: recordTypes.get(schema ?? "") ?? builtInTypes.personEvent, key: "any" }
  }

  #fits(
    entry: Shape,
    at: number,
    name: string,
    port: Port<unknown>,
    type: RecordType,
    key: string,
    what: string,
  ): void {
    const path = at === 0 ? [...entry.path, "from"] : [...entry.path, "through", at]
    if (typeof port.type === "object" && port.type.name !== type.name)
      this.#source.fault(path, `${name} reads ${port.type.name} records, ${what} has ${type.name}`)
    if (port.key !== "any" && key !== "any" && port.key !== key)
      this.#source.fault(
        path,
        `${name} needs records keyed by ${port.key}, ${what} is keyed by ${key}: not co-partitioned`,
      )
  }

  /** Whether a step is a privacy transform; told from the names alone, so that what else is wrong with a stage cannot hide that it
   * has none. A name that nobody knows may be a misspelt one. */
  #privacy(entry: Shape, through: readonly unknown[]): "some" | "none" | "unknown" {
    const plugins = through.map((item) => this.#plugins.get(String((item as { use?: unknown } | null)?.use)))
    let found = false
    for (const [at, plugin] of plugins.entries()) {
      if (plugin === undefined || !("privacy" in plugin) || plugin.privacy !== true) continue
      found = true
      if (plugin.from === undefined || this.#trusted.includes(plugin.name)) continue
      this.#source.fault(
        [...entry.path, "through", at],
        `privacy transform ${plugin.name} comes from package ${plugin.from}: name it under trust: if you trust it`,
      )
    }
    return found ? "some" : plugins.includes(undefined) ? "unknown" : "none"
  }

  /** Reports steps down the zones; tells whether there are any. */
  #descends(entry: Shape): boolean {
    let descends = false
    for (const from of topicsIn(entry.raw("from")))
      for (const to of topicsIn(entry.raw("to"))) {
        const [above, below] = [this.#zone(from), this.#zone(to)]
        if (!isBelow(below, above)) continue
        descends = true
        this.#source.fault(
          [...entry.path, "to"],
          `a step down the zones, from ${from} (${above}) to ${to} (${below}), without a privacy transform: add one, such as deidentify-record, to through`,
        )
      }
    return descends
  }

  /** What a plugin says it writes in one zone goes to no topic of another. */
  #outputZones(
    entry: Shape,
    plugin: { readonly name: string; readonly outputs: Readonly<Record<string, Port<unknown>>> },
    outputs: Readonly<Record<string, string>>,
  ): void {
    for (const [port, topic] of Object.entries(outputs)) {
      const { zone } = plugin.outputs[port]!
      if (zone !== "any" && zone !== this.#zone(topic))
        this.#source.fault(
          [...entry.path, "to"],
          `${plugin.name} writes ${zone}, topic ${topic} is ${this.#zone(topic)}`,
        )
    }
  }

  #zone(topic: string): Zone {
    return this.#declared.get(topic)?.zone ?? "phi"
  }

  #partitions(entry: Shape, inputs: ReadonlyMap<string, string>): number {
    const counts = new Map(
      [...inputs.keys()].map((topic) => [topic, this.#declared.get(topic)?.partitions ?? defaultPartitions]),
    )
    if (new Set(counts.values()).size > 1)
      this.#source.fault(
        [...entry.path, "from"],
        `inputs not co-partitioned: ${[...counts].map(([topic, count]) => `${topic} has ${count} partitions`).join(", ")}`,
      )
    return [...counts.values()][0] ?? defaultPartitions
  }

  #sink(root: Shape, name: string): CompiledSink[] {
    const path = ["sinks", name]
    const entry = root.map("sinks")?.map(name, ["use", "with", "from", "start"])
    const step = entry === undefined ? undefined : this.#step(entry, ["sink"])
    if (entry === undefined) return []
    const topics = entry.strings("from") ?? []
    if (!entry.has("from")) this.#source.fault(path, "missing from: the topics that it reads")
    for (const topic of topics) this.#isKnown(topic, [...path, "from"])
    return step === undefined ? [] : [{ name, ...step, topics, ...this.#start(entry) }]
  }

  #start(entry: Shape): { readonly start?: Start } {
    const start = entry.string("start")
    if (start === undefined) return {}
    if (start === "earliest" || start === "latest") return { start }
    this.#source.fault([...entry.path, "start"], unknownName("start", start, ["earliest", "latest"]))
    return {}
  }

  #topics(): Map<string, CompiledTopic> {
    const topics = new Map<string, CompiledTopic>()
    for (const [name, declared] of this.#declared)
      if (declared.schema !== undefined && !recordTypes.has(declared.schema) && !this.#written.has(name))
        this.#source.fault([...declared.path, "schema"], unknownName("schema", declared.schema, recordTypes.keys()))
    for (const name of new Set([...this.#declared.keys(), ...this.#written.keys()])) {
      const declared = this.#declared.get(name)
      const written = this.#written.get(name)
      const { type, key } = this.#topicType(name)
      topics.set(name, {
        name,
        type,
        key,
        zone: declared?.zone ?? "phi",
        partitions: declared?.partitions ?? defaultPartitions,
        retention: declared?.retention,
        compact: declared?.compact ?? false,
        writers: written?.writers ?? [],
        feeds: written?.feeds ?? new Map(),
      })
    }
    return topics
  }
}

const driverKeys: Readonly<Record<string, readonly string[]>> = {
  embedded: ["dir"],
  kafka: ["brokers", "client-id", "sasl", "ssl", "replication"],
  postgres: ["url"],
  folder: ["dir", "sweep-after"],
  s3: ["endpoint", "region", "bucket", "access-key", "secret-key", "path-style", "sweep-after"],
}

const kindName = (plugin: AnyPlugin): string => (plugin.kind === "stateful" ? "transform" : plugin.kind)

/** The topics that a `from:` or `to:` names, whatever its form. */
function topicsIn(value: unknown): string[] {
  if (typeof value === "string") return [value]
  if (Array.isArray(value)) return value.flatMap(topicsIn)
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(topicsIn) : []
}
