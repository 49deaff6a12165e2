import { optionsJsonSchema } from "../core/pipeline/options.ts"
import type { PluginSet } from "../core/pipeline/plugins.ts"
import type { AnyPlugin, Port } from "../core/plugin.ts"
import { zones } from "../core/record.ts"
import * as recordTypes from "../core/records/index.ts"
import { canaryKinds } from "../core/canary/canary.ts"
import { defaultSelfCheck } from "../core/pipeline/watching.ts"

const text = (description: string) => ({ type: "string", description })
const texts = (description: string) => ({
  description,
  anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
})
const object = (properties: object, required: readonly string[] = []) => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
})
const named = (description: string, item: object) => ({ type: "object", description, additionalProperties: item })

const either = (description: string, drivers: readonly object[]) => ({ description, oneOf: drivers })
const driver = (name: string, settings: object, required: readonly string[] = []) =>
  object({ driver: { const: name }, ...settings }, ["driver", ...required])
const dir = text("folder, taken from the pipeline file's folder")
const flag = (description: string) => ({ type: "boolean", description })

const log = either("the topics", [
  driver("embedded", { dir }),
  driver(
    "kafka",
    {
      brokers: { type: "array", items: { type: "string" }, description: "host:port of brokers" },
      "client-id": text("name of this client"),
      sasl: { type: "object", description: "mechanism, username, password" },
      ssl: flag("speak TLS"),
      replication: { type: "integer", minimum: 1, description: "copies of each partition of new topics" },
    },
    ["brokers"],
  ),
])
const store = either("the state", [
  driver("embedded", { dir }),
  driver("postgres", { url: text("postgres://user:password@host/database") }, ["url"]),
])
const sweepAfter = text("how long an object stays after its last reference: 7d unless said otherwise, or forever")
const objects = either("the objects, a bucket or folder for each zone: <bucket>-phi, -limited, -clean", [
  driver("folder", { dir, "sweep-after": sweepAfter }),
  driver(
    "s3",
    {
      bucket: text("begin of the buckets' names"),
      endpoint: text("URL, unless it is AWS"),
      region: text("default us-east-1"),
      "access-key": text("default: as the SDK finds it"),
      "secret-key": text("default: as the SDK finds it"),
      "path-style": flag("the bucket stands in the path; true with an endpoint"),
      "sweep-after": sweepAfter,
    },
    ["bucket"],
  ),
])

const secret = {
  oneOf: [
    object({ file: text("file that holds it") }, ["file"]),
    object({ env: text("environment variable") }, ["env"]),
  ],
}

const namespace = object(
  {
    namespace: text("name of the namespace"),
    "dicom-issuer": texts('Issuer of Patient ID (0010,0021); "" for instances that state none'),
    "fhir-system": texts("Identifier.system"),
    "hl7v2-authority": texts('assigning authority of PID-3 (HL7 v2); "" for identifiers that state none'),
  },
  ["namespace"],
)

const listen = object(
  {
    port: { type: "integer", minimum: 0, maximum: 65_535, description: "TCP port" },
    host: text("127.0.0.1 unless said otherwise; any other than this machine's own needs token or tls with client-ca"),
    token: text("name of the secret that callers show as a bearer token"),
    tls: {
      description: "PEM files",
      ...object({ cert: text("certificate"), key: text("its key"), "client-ca": text("CA of callers' certificates") }, [
        "cert",
        "key",
      ]),
    },
  },
  ["port"],
)

const encrypt = {
  description: "what lies in phi is sealed, under keys that erasing its person destroys",
  ...object(
    {
      vault: text("name of the secret that opens the vault of a step"),
      what: {
        description: "objects, and values of records; both unless said otherwise",
        anyOf: [{ enum: ["objects"] }, { type: "array", items: { enum: ["objects", "values"] } }],
      },
    },
    ["vault"],
  ),
}

const canaries = {
  description: "patients that there are not: one of them below phi stops the pipeline",
  ...object(
    {
      file: text("what weir canary new wrote"),
      except: {
        type: "array",
        items: { enum: canaryKinds },
        description: "kinds of identifiers that the profile keeps",
      },
    },
    ["file"],
  ),
}

const selfCheck = {
  description: "when hits of the self-check in a stage are an alarm",
  ...object({
    hits: { type: "integer", minimum: 1, description: `so many: default ${defaultSelfCheck.hits}` },
    within: text("within so long: default 1h"),
    "on-repeat": { enum: ["alarm", "stop"], description: "stop: the alarm stops the pipeline; default alarm" },
  }),
}

const typeNames = Object.values(recordTypes)
  .filter((value) => typeof value === "object" && "id" in value)
  .map(({ name }) => name)

const topic = object({
  zone: { enum: zones, description: "phi unless said otherwise; it never changes" },
  schema: { enum: typeNames, description: "record type; its writer's unless said otherwise" },
  partitions: { type: "integer", minimum: 1, description: "default 4; it never changes" },
  retention: text("how long after appending: 90d, or forever"),
  compact: flag("keep only the newest record of each row"),
})

/** Options that belong to the plugin that `use` names. */
const uses = (plugins: readonly AnyPlugin[]) => ({
  properties: { use: { enum: plugins.map(({ name }) => name), description: "name of the plugin" } },
  allOf: plugins.map((plugin) => ({
    if: { properties: { use: { const: plugin.name } }, required: ["use"] },
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
    then: { properties: { with: optionsJsonSchema(plugin), use: { description: plugin.summary } } },
  })),
})

const step = (plugins: readonly AnyPlugin[], properties: object, required: readonly string[]) => {
  const { properties: use, allOf } = uses(plugins)
  return {
    type: "object",
    properties: {
      ...use,
      with: { type: "object", description: "options of the plugin; its page has them" },
      ...properties,
    },
    required: ["use", ...required],
    additionalProperties: false,
    allOf,
  }
}

/** A topic, or topics by port. */
function ports(description: string, plugins: readonly AnyPlugin[], side: "inputs" | "outputs", item: object) {
  const names = plugins.flatMap((plugin) =>
    Object.keys(((plugin as unknown as Record<string, unknown>)[side] ?? {}) as Record<string, Port<unknown>>),
  )
  const byPort = { type: "object", properties: Object.fromEntries([...new Set(names)].map((name) => [name, item])) }
  return { description, anyOf: [item, byPort] }
}

const start = { enum: ["earliest", "latest"], description: "where what has no position begins; default earliest" }

/** JSON Schema (draft 2020-12) of pipeline files, with the options of each plugin by its `use`. It cannot say what spans several
 * places, such as zones and cycles: `weir check` does. */
export function pipelineSchema(plugins: PluginSet): object {
  const of = (...kinds: AnyPlugin["kind"][]) => [...plugins.values()].filter(({ kind }) => kinds.includes(kind))
  const [sources, transforms, sinks] = [of("source"), of("transform", "stateful"), of("sink")]
  const from = ports("topics that it reads", transforms, "inputs", texts("topic or topics"))
  const to = (from: readonly AnyPlugin[]) => ports("topics that it writes", from, "outputs", text("topic"))
  const stage = object(
    {
      from,
      through: { type: "array", minItems: 1, items: step(transforms, {}, []), description: "transforms, in order" },
      to: to(transforms),
      start,
    },
    ["from", "through", "to"],
  )
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Weir pipeline",
    ...object({
      name: text("name of the pipeline; the file's unless said otherwise"),
      plugins: texts("packages whose default export is a list of plugins, or relative paths of such modules"),
      trust: texts("privacy transforms of packages that may take records down the zones"),
      log,
      store,
      objects,
      encrypt,
      secrets: named("keys and passwords by name", secret),
      identity: { type: "array", items: namespace, description: "namespaces of identifiers, highest rank first" },
      topics: named("topics that are not just phi with their writer's record type", topic),
      sources: named("what reads the outside world", step(sources, { to: to(sources) }, ["to"])),
      stages: named("topics, through transforms, to topics", stage),
      listen: { ...listen, description: "the HTTP listener: health, readiness, metrics, status" },
      canaries,
      "self-check": selfCheck,
      sinks: named(
        "what writes to the outside world",
        step(sinks, { from: texts("topics that it reads"), start }, ["from"]),
      ),
    }),
  }
}
