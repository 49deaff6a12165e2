import { randomBytes } from "node:crypto"
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Client } from "pg"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { noOrigin, topicCodec, topicSchema } from "../../core/codec.ts"
import type { TopicCodec } from "../../core/codec.ts"
import { openEmbeddedLog } from "../../core/drivers/log-embedded/index.ts"
import { openFolderObjects } from "../../core/drivers/objects-folder/index.ts"
import { openEmbeddedStore } from "../../core/drivers/store-embedded/index.ts"
import type { Append, Fetched, Log, Message } from "../../core/ports/log.ts"
import type { Objects } from "../../core/ports/objects.ts"
import type { Store } from "../../core/ports/store.ts"
import type { Draft } from "../../core/record.ts"
import { fhirResource } from "../../core/index.ts"
import type { FhirResource, Rec } from "../../core/index.ts"
import { StepState } from "../../core/engine/step-state.ts"
import { openSealing } from "../../core/sealing/sealing.ts"
import type { Sealing } from "../../core/sealing/sealing.ts"
import { aboutAgain, personOwner } from "../../core/sealing/value-keys.ts"
import { Custodian } from "../../core/vault/custodian.ts"
import { ringKeys } from "../../core/vault/ring.ts"

const secrets = new Map([
  ["identity-key", randomBytes(32)],
  ["vault-key", randomBytes(32)],
])
const encrypt = { vault: "vault-key", what: ["objects", "values"] as const }
const keys = ringKeys(secrets.get("identity-key")!, secrets.get("vault-key")!)

let folder: string
let bare: Log
let store: Store
let bucket: Objects
let client: Client
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-sealed-log-"))
  bare = await openEmbeddedLog({ dir: join(folder, "log") })
  store = await openEmbeddedStore({ dir: join(folder, "store") })
  bucket = await openFolderObjects({ dir: join(folder, "objects") })
  client = new Client({ connectionString: store.url })
  await client.connect()
}, 60_000)
afterAll(async () => {
  await client?.end()
  await store?.close()
  await bare?.close()
  await rm(folder, { recursive: true, force: true })
})

/** What a process has that starts now, with nothing remembered. */
interface Process {
  readonly sealing: Sealing
  readonly log: Log
  readonly passed: (readonly [string, string, number])[]
  codec(topic: string, key?: string): TopicCodec
}
async function start(): Promise<Process> {
  const sealing = (await openSealing({ encrypt }, secrets, store))!
  const passed: [string, string, number][] = []
  const codec = (name: string, key = "patient-reference") =>
    topicCodec(
      name,
      "phi",
      fhirResource,
      1,
      new Map([[1, topicSchema(fhirResource)]]),
      sealing.objects(bucket, "phi"),
      sealing.values({ name, zone: "phi", key }),
    )
  return { sealing, passed, log: sealing.log(bare, (...told) => void passed.push(told)), codec }
}

const draftOf = (id: string, body: string | null, version = 1n): Draft<FhirResource> => ({
  key: `Patient/${id}`,
  id,
  op: body === null ? "retract" : "upsert",
  version,
  time: 1000,
  value:
    body === null
      ? null
      : {
          source: "ehr",
          file: "f",
          line: 1,
          versionId: null,
          lastUpdated: null,
          resourceType: "Patient",
          resourceId: id,
          body,
        },
})

let topics = 0
async function newTopic(): Promise<string> {
  const name = `t${topics++}`
  await bare.ensureTopics([{ name, partitions: 1 }])
  return name
}

async function write(log: Log, topic: string, messages: readonly Message[]): Promise<void> {
  const writer = await log.writer(`w-${topic}`)
  await writer.transact([{ topic, partition: 0, messages } satisfies Append])
  await writer.close()
}

async function messages(log: Log, topic: string): Promise<readonly Fetched[]> {
  const [bounds] = await log.bounds(topic)
  const reader = await log.reader(topic, 0, 0n)
  const found: Fetched[] = []
  for (let next = 0n; next < bounds!.end;) {
    const batch = await reader.read({ maxBytes: 1 << 20, maxMessages: 100, waitMs: 100 })
    found.push(...batch.messages)
    next = batch.next
  }
  await reader.close()
  return found
}

async function records({ log, codec }: Process, topic: string, key?: string): Promise<Rec<FhirResource>[]> {
  const found: Rec<FhirResource>[] = []
  for (const message of await messages(log, topic)) {
    const decoded = await codec(topic, key).decode(message, 0)
    if ("record" in decoded) found.push(decoded.record as Rec<FhirResource>)
  }
  return found
}
const bodies = async (process: Process, topic: string, key?: string) =>
  (await records(process, topic, key)).map(({ value }) => value?.body)

/** As a step of resolve-patient says whose records are. */
async function give(one: Process, owner: string, read: readonly Rec[]): Promise<void> {
  const state = new StepState({} as never, 0, new Map())
  state.ownRecords(owner, read)
  await store.recordKeys!.rewrap(await one.sealing.forRecordOwners(state.ownedRecords))
  await store.objectKeys!.rewrap(await one.sealing.forOwners(state.owned))
}
const erase = async (...owners: readonly string[]) =>
  (await Custodian.open(store.vault!, keys)).erase(owners, { actor: "someone", reason: "asked for", now: 0 })

async function filesWith(text: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const found: string[] = []
  for (const entry of entries)
    if (entry.isFile()) {
      const path = join(entry.parentPath, entry.name)
      if ((await readFile(path)).includes(text)) found.push(path.slice(folder.length))
    }
  return found
}

describe("values of phi in the Log", () => {
  it("are in no file, and come back as they were written, with key, headers and time", async () => {
    const topic = await newTopic()
    const one = await start()
    const secret = `Quirinsen-${randomBytes(8).toString("hex")}`
    const message = await one.codec(topic).encode({ ...draftOf("a", secret), headers: { h: "1" } }, noOrigin)
    await write(one.log, topic, [{ ...message, headers: { other: "2" } }])
    expect(await filesWith(secret)).toEqual([])
    for (const reader of [one, await start()]) {
      const [found] = await messages(reader.log, topic)
      expect(found).toMatchObject({ timestamp: 1000, headers: { other: "2" } })
      expect([Buffer.from(found!.key!), Buffer.from(found!.value!)]).toEqual([message.key, message.value])
      expect(await records(reader, topic)).toMatchObject([{ key: "Patient/a", value: { body: secret } }])
    }
    // A process that was not told of encryption cannot take it for something else.
    const [raw] = await messages(bare, topic)
    expect(() => one.codec(topic).decode(raw!, 0)).toThrow(expect.objectContaining({ code: "undecodable" }))
  })

  it("are passed over once their person is erased, and those of others are read", async () => {
    const topic = await newTopic()
    const one = await start()
    const all = ["a", "b", "c"].map((id) => one.codec(topic).encode(draftOf(id, `of ${id}`), noOrigin))
    await write(one.log, topic, await Promise.all(all))
    const [a, b] = await records(one, topic)
    await give(one, "member/mrn/1", [a!])
    await give(one, "member/mrn/2", [b!])
    expect(await bodies(await start(), topic)).toEqual(["of a", "of b", "of c"])
    await erase("member/mrn/1")
    const after = await start()
    expect(await bodies(after, topic)).toEqual(["of b", "of c"])
    const member = await after.log.join({ group: "p.stage", topics: [topic], partitions: 1, onAssigned: () => {} })
    const reader = await member.reader(topic, 0, 0n)
    const batch = await reader.read({ maxBytes: 1 << 20, maxMessages: 1, waitMs: 1000 })
    expect([batch.messages.length, batch.next > 0n]).toEqual([0, true])
    expect(after.passed).toEqual([["p.stage", topic, 1]])
    await reader.close()
    await member.leave()
  })

  it("of topics that are keyed by person go with the person, and what has no value stays", async () => {
    const topic = await newTopic()
    const one = await start()
    const codec = one.codec(topic, "person")
    const drafts = [draftOf("a", "of a"), draftOf("b", "of b"), draftOf("a", null, 2n)]
    await write(one.log, topic, await Promise.all(drafts.map((draft) => codec.encode(draft, noOrigin))))
    expect(await bodies(await start(), topic, "person")).toEqual(["of a", "of b", undefined])
    await erase(personOwner("Patient/a"))
    const after = await start()
    expect(await records(after, topic, "person")).toMatchObject([{ id: "b" }, { id: "a", op: "retract", version: 2n }])
  })

  it("stay readable when a record is written again, by others too", async () => {
    const topic = await newTopic()
    const [one, two] = [await start(), await start()]
    for (const each of [one, two, one])
      await write(each.log, topic, [await each.codec(topic).encode(draftOf("a", "same"), noOrigin)])
    for (const each of [one, two, await start()]) expect(await bodies(each, topic)).toEqual(["same", "same", "same"])
    await give(two, "member/mrn/5", await records(two, topic))
    await erase("member/mrn/5")
    expect(await bodies(await start(), topic)).toEqual([])
    const later = await start()
    await write(later.log, topic, [await later.codec(topic).encode(draftOf("a", "again"), noOrigin)])
    expect(await bodies(later, topic)).toEqual(["again"])
  })

  it("of a person who is erased and comes again are those of later only", async () => {
    const topic = await newTopic()
    const one = await start()
    await write(one.log, topic, [await one.codec(topic, "person").encode(draftOf("z", "before"), noOrigin)])
    await erase(personOwner("Patient/z"))
    const later = await start()
    await write(later.log, topic, [await later.codec(topic, "person").encode(draftOf("z", "after"), noOrigin)])
    expect(await bodies(later, topic, "person")).toEqual(["after"])
    expect(await bodies(await start(), topic, "person")).toEqual(["after"])
  })

  it("of versions of a row go with whom each is about", async () => {
    const topic = await newTopic()
    const one = await start()
    const versions = [1n, 2n].map((version) => one.codec(topic).encode(draftOf("a", `v${version}`, version), noOrigin))
    await write(one.log, topic, await Promise.all(versions))
    const [first, second] = await records(one, topic)
    await give(one, "member/mrn/wrong", [first!])
    await give(one, "member/mrn/right", [second!])
    await erase("member/mrn/wrong")
    expect(await bodies(await start(), topic)).toEqual(["v2"])
  })

  it("are refused beside another key, or when a bit of them was changed", async () => {
    for (const spoil of [
      (found: Fetched) => ({ key: Buffer.from("other"), value: found.value }),
      (found: Fetched) => ({ key: found.key, value: Buffer.from(found.value!).fill(1, 40, 41) }),
    ]) {
      const [topic, to] = [await newTopic(), await newTopic()]
      const one = await start()
      await write(one.log, topic, [await one.codec(topic).encode(draftOf("a", "of a"), noOrigin)])
      const [raw] = await messages(bare, topic)
      await write(bare, to, [{ ...raw!, ...spoil(raw!) }])
      await expect(messages(one.log, to)).rejects.toMatchObject({ meaning: "fatal", code: "vault-seal" })
    }
  })

  it("go with their person where they were copied to come again", async () => {
    const [topic, again] = [await newTopic(), await newTopic()]
    const one = await start()
    const secret = `Quirinsen-${randomBytes(8).toString("hex")}`
    await write(one.log, topic, [await one.codec(topic).encode(draftOf("a", secret), noOrigin)])
    const [found] = await messages(one.log, topic)
    await write(one.log, again, [{ ...found!, about: aboutAgain(found!.about!, topic) }])
    expect(await filesWith(secret)).toEqual([])
    expect(await bodies(await start(), again)).toEqual([secret])
    await give(one, "member/mrn/6", await records(one, topic))
    await erase("member/mrn/6")
    expect(await bodies(await start(), again)).toEqual([])
  })

  it.each([
    ["a record", "patient-reference"],
    ["a person", "person"],
  ])("that are too large for a message go with it when it is of %s", async (_, key) => {
    const topic = await newTopic()
    const one = await start()
    const body = randomBytes(400_000).toString("base64")
    await write(one.log, topic, [await one.codec(topic, key).encode(draftOf("l", body), noOrigin)])
    const [large] = await records(one, topic, key)
    expect(large?.value?.body).toBe(body)
    const kept: string[] = []
    for await (const object of bucket.list("values/")) kept.push(object.key)
    const last = kept.at(-1)!
    const owner = key === "person" ? personOwner("Patient/l") : "member/mrn/7"
    if (key !== "person") await give(one, owner, [large!])
    expect((await (await start()).sealing.objects(bucket, "phi").bytes(last)).length).toBeGreaterThan(500_000)
    await erase(owner)
    const after = await start()
    expect(await bodies(after, topic, key)).toEqual([])
    await expect(after.sealing.objects(bucket, "phi").bytes(last)).rejects.toMatchObject({ code: "object-erased" })
    await bucket.delete(kept)
  })

  it("end with the retention of their topic, and come again under a new key, whoever remembers the old one", async () => {
    const topic = await newTopic()
    const [one, two] = [await start(), await start()]
    const encoded = await one.codec(topic).encode(draftOf("a", "first"), noOrigin)
    await write(one.log, topic, [encoded])
    expect(await bodies(two, topic)).toEqual(["first"])
    expect(await store.recordKeys!.sweep(topic, 60_000)).toBe(0)
    await client.query("UPDATE weir.record_keys SET made = made - interval '2 minutes' WHERE topic = $1", [topic])
    expect(await store.recordKeys!.sweep("another", 60_000)).toBe(0)
    expect(await store.recordKeys!.sweep(topic, 60_000)).toBe(1)
    expect(await bodies(await start(), topic)).toEqual([])
    const three = await start()
    const next = await newTopic()
    // The same record, whose key is another now.
    await write(three.log, next, [{ ...(await three.codec(topic).encode(draftOf("a", "second"), noOrigin)) }])
    expect(await bodies(two, next)).toEqual(["second"])
  })
})
