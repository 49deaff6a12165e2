import { lstat, readdir } from "node:fs/promises"
import { join } from "node:path"
import { topicCodec } from "../../core/codec.ts"
import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import { registered } from "../../core/registry.ts"
import { withLog, withBucket, withStore } from "../../cli/ports.ts"
import { readMessages } from "../../cli/topics/read.ts"
import { Values, parseWhole, tagText } from "../../formats/dicom/index.ts"
import type { DataSet } from "../../formats/dicom/index.ts"
import { app, unpacked } from "./weir.ts"

/** One value below `phi`. Fields of the same kind have the same path: indexes and names that vary are left out. */
export interface Leaf {
  readonly path: string
  /** What it is in: a record, a row, an object. */
  readonly holder: string
  readonly value: string | number | bigint
}

/** Everything that somebody holds who may read what is below `phi`. */
export interface Loot {
  readonly leaves: readonly Leaf[]
  /** Messages and objects as they are, without pixel data. */
  readonly bytes: readonly { readonly place: string; readonly bytes: Uint8Array }[]
  readonly controls: readonly Readonly<Record<string, unknown>>[]
  /** Times that the file system tells of object files and folders, ms. */
  readonly changed: readonly { readonly path: string; readonly mtime: number }[]
  readonly counts: { messages: number; rows: number; objects: number; images: number }
}

const below = ["limited", "clean"] as const

class Gatherer {
  readonly leaves: Leaf[] = []
  readonly bytes: { place: string; bytes: Uint8Array }[] = []
  readonly controls: Record<string, unknown>[] = []
  readonly changed: { path: string; mtime: number }[] = []
  readonly counts = { messages: 0, rows: 0, objects: 0, images: 0 }

  walk(path: string, holder: string, value: unknown): void {
    if (typeof value === "string") {
      if (/^\s*[[{]/.test(value)) this.#json(path, holder, value)
      else this.leaves.push({ path, holder, value })
    } else if (typeof value === "number" || typeof value === "bigint") this.leaves.push({ path, holder, value })
    else if (value instanceof Date) this.leaves.push({ path, holder, value: value.getTime() })
    else if (Array.isArray(value)) for (const item of value) this.walk(path, holder, item)
    else if (typeof value === "object" && value !== null)
      for (const [name, inner] of Object.entries(value)) this.walk(`${path}.${name}`, holder, inner)
  }

  #json(path: string, holder: string, text: string): void {
    try {
      this.walk(path, holder, JSON.parse(text))
    } catch {
      this.leaves.push({ path, holder, value: text })
    }
  }

  dicom(holder: string, bytes: Uint8Array): void {
    this.counts.images++
    const parsed = parseWhole(bytes)
    const elements = (values: Values, dataSet: DataSet, prefix: string): void => {
      for (const element of dataSet.elements) {
        const path = `${prefix}${tagText(element.tag)}`
        for (const item of element.items ?? [])
          elements(new Values(values.source, item, values.charset), item, `${path}/`)
        if (element.items !== undefined || element.fragments !== undefined || element.tag === 0x7fe00010) continue
        for (const value of new Set([values.text(element), ...values.texts(element)]))
          this.leaves.push({ path, holder, value })
        const raw = values.source.bytes(element.valueStart, element.valueEnd)
        this.leaves.push({ path: `${path} raw`, holder, value: Buffer.from(raw).toString("latin1") })
      }
    }
    elements(new Values(parsed.source, parsed.dataSet), parsed.dataSet, "dicom ")
    this.leaves.push({ path: "dicom head", holder, value: Buffer.from(bytes.subarray(0, 600)).toString("latin1") })
  }
}

/** Gathers it. */
export async function gatherLoot(pipeline: CompiledPipeline): Promise<Loot> {
  const all = new Gatherer()
  await messages(pipeline, all)
  await rows(pipeline, all)
  for (const zone of below) await objects(pipeline, zone, all)
  return all
}

async function messages(pipeline: CompiledPipeline, all: Gatherer): Promise<void> {
  await withLog(pipeline, app, async (log) => {
    const { topics, schemas } = await registered(log)
    for (const topic of [...pipeline.topics.values()].filter(({ zone }) => zone !== "phi"))
      await withBucket(pipeline, topic.zone, app, async (bucket) => {
        const codec = topicCodec(topic.name, topic.zone, topic.type, topics.get(topic.name)!.schema, schemas, bucket)
        for await (const { partition, message } of readMessages(log, topic.name, 0n)) {
          all.counts.messages++
          const holder = `${topic.name}[${partition}]@${message.offset}`
          for (const part of [message.key, message.value])
            if (part !== null) all.bytes.push({ place: holder, bytes: part })
          all.walk(`${topic.name} timestamp`, holder, message.timestamp)
          all.walk(`${topic.name} headers`, holder, message.headers)
          const decoded = await codec.decode(message, partition)
          if ("control" in decoded) {
            const { at: _, ...control } = decoded.control
            all.controls.push(control)
            all.walk(`${topic.name} control`, holder, control)
          } else {
            const { key, id, op, version, time, origin, headers, value } = decoded.record
            all.walk(topic.name, holder, { key, id, op, version, time, origin, headers, value })
          }
        }
      })
  })
}

async function rows(pipeline: CompiledPipeline, all: Gatherer): Promise<void> {
  await withStore(pipeline, app, async (store) => {
    const ask = (query: string) => store.query(query, "limited")
    const { rows: tables } = await ask(
      `SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables
       WHERE table_schema IN ('limited', 'clean') ORDER BY 1`,
    )
    const { rows: commits } = await ask("SHOW track_commit_timestamp")
    if (commits[0]?.[0] !== "off") throw new Error("the server keeps the time of each commit")
    for (const [table] of tables) {
      const { columns, rows: found } = await ask(`SELECT * FROM ${String(table)}`)
      for (const [at, row] of found.entries()) {
        all.counts.rows++
        for (const [column, name] of columns.entries())
          all.walk(`${String(table)}.${name}`, `${String(table)} row ${at}`, row[column])
      }
    }
  })
}

async function objects(pipeline: CompiledPipeline, zone: (typeof below)[number], all: Gatherer): Promise<void> {
  await withBucket(pipeline, zone, app, async (bucket) => {
    for await (const { key, ...info } of bucket.list("")) {
      all.counts.objects++
      const [kind] = key.split("/")
      const bytes = Buffer.from(await bucket.bytes(key))
      all.walk(`${kind} object name`, key, key)
      all.walk(`${kind} object info`, key, info)
      if (key.endsWith(".gz")) all.walk(`${kind} gzip time (s)`, key, bytes.readUInt32LE(4))
      const content = unpacked(key, bytes)
      if (key.endsWith(".dcm")) all.dicom(key, content)
      else {
        all.bytes.push({ place: key, bytes: content })
        for (const line of Buffer.from(content).toString().split("\n")) if (line !== "") all.walk(kind!, key, line)
      }
    }
  })
  const root = join(pipeline.folder, `${String(pipeline.objects["dir"])}-${zone}`)
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    all.changed.push({ path: path.slice(root.length + 1), mtime: (await lstat(path)).mtimeMs })
  }
}
