import { createHash } from "node:crypto"
import { systemic } from "../errors.ts"
import type { Append, Batch, Fetched, Log, Message, Reader } from "../ports/log.ts"
import { seal, unseal } from "../vault/seal.ts"

/** The header of a message that says which key its value is sealed under: `r:` and the id of the record's own, or `o:` and the id of its
 * owner, and a tag that tells keys apart. */
export const keyHeader = "weir-key"

/** Keys of messages' values. Names are what `Message.about` holds: `r:ID TOPIC` a record with a key of its own, `p:PERSON`; and what
 * headers hold: `r:ID`, `o:OWNER`. */
export interface ValueKeys {
  /** For writing, by name: the header, and the key. One that is gone is missing. */
  forWriting(
    names: readonly string[],
  ): Promise<ReadonlyMap<string, { readonly header: string; readonly key: Uint8Array }>>
  /** For reading, by header. One that is gone is missing.
   * @param isAnew whether what is remembered is asked for again */
  forReading(headers: readonly string[], isAnew?: boolean): Promise<ReadonlyMap<string, Uint8Array>>
}

/** A Log whose messages are sealed when they are written, where they say what they are about, and opened when they are read. One whose
 * key is gone is passed over: offsets have gaps anyway.
 * @param passed told of what readers of a group pass over */
export function sealedLog(
  log: Log,
  keys: ValueKeys,
  passed: (group: string, topic: string, count: number) => void = () => {},
): Log {
  const opening = (reader: Reader, told: (count: number) => void): Reader => ({
    read: async (limit) => opened(await reader.read(limit), keys, told),
    close: () => reader.close(),
  })
  return {
    driver: log.driver,
    ensureTopics: (specs) => log.ensureTopics(specs),
    topics: () => log.topics(),
    bounds: (topic) => log.bounds(topic),
    committed: (group, topic) => log.committed(group, topic),
    members: (group) => log.members(group),
    reader: async (topic, partition, from) => opening(await log.reader(topic, partition, from), () => {}),
    close: () => log.close(),
    async join(spec) {
      const member = await log.join(spec)
      return {
        assigned: () => member.assigned(),
        owns: (partition) => member.owns(partition),
        confirm: (partition) => member.confirm(partition),
        reader: async (topic, partition, from) =>
          opening(await member.reader(topic, partition, from), (count) => passed(spec.group, topic, count)),
        leave: () => member.leave(),
      }
    },
    async writer(id) {
      const writer = await log.writer(id)
      return {
        transact: async (appends, offsets) => writer.transact(await sealed(appends, keys), offsets),
        close: () => writer.close(),
      }
    },
  }
}

async function sealed(appends: readonly Append[], keys: ValueKeys): Promise<readonly Append[]> {
  const names = appends.flatMap(({ messages }) => messages.flatMap(({ about }) => about ?? []))
  if (names.length === 0) return appends
  const found = await keys.forWriting([...new Set(names)])
  return appends.map((append) => ({
    ...append,
    messages: append.messages.map((message) => sealedMessage(message, found)),
  }))
}

function sealedMessage(
  { about, ...message }: Message,
  found: ReadonlyMap<string, { readonly header: string; readonly key: Uint8Array }>,
): Message {
  if (about === undefined || message.value === null) return message
  const one = found.get(about)
  // The person was erased while the message was on its way; nobody may read it, and nobody would.
  if (one === undefined) throw systemic("key-gone", "a record is to be written under a key that is gone")
  const tag = tagOf(one.header, one.key)
  const value = seal(one.key, message.value, contextOf(tag, message))
  return { ...message, value, headers: { ...message.headers, [keyHeader]: tag } }
}

async function opened(batch: Batch, keys: ValueKeys, told: (count: number) => void): Promise<Batch> {
  const sealedUnder = (message: Message) => message.headers?.[keyHeader]
  const tagged = [...new Set(batch.messages.flatMap((message) => sealedUnder(message) ?? []))]
  if (tagged.length === 0) return batch
  const found = await keysOf(tagged, keys)
  const messages: Fetched[] = []
  for (const message of batch.messages) {
    const tag = sealedUnder(message)
    if (tag === undefined || message.value === null) {
      messages.push(message)
      continue
    }
    const key = found.get(tag)
    if (key === undefined) continue
    const { [keyHeader]: _, ...headers } = message.headers!
    const value = unseal(key, message.value, contextOf(tag, message))
    messages.push({ ...message, value, headers, about: headerOf(tag) })
  }
  if (messages.length < batch.messages.length) told(batch.messages.length - messages.length)
  return { ...batch, messages }
}

/** The keys of what messages are sealed under. One that is remembered may be another by now, and one that stands may be another than
 * the message's: of somebody who was erased, and came again. */
async function keysOf(tagged: readonly string[], keys: ValueKeys): Promise<ReadonlyMap<string, Uint8Array>> {
  const right = new Map<string, Uint8Array>()
  let missing = tagged
  for (const isAnew of [false, true]) {
    const found = await keys.forReading([...new Set(missing.map(headerOf))], isAnew)
    for (const tag of missing) {
      const key = found.get(headerOf(tag))
      if (key !== undefined && tagOf(headerOf(tag), key) === tag) right.set(tag, key)
    }
    // What is gone was not remembered, and is not asked for twice.
    missing = missing.filter((tag) => !right.has(tag) && found.has(headerOf(tag)))
    if (missing.length === 0) break
  }
  return right
}

const tags = new WeakMap<Uint8Array, string>()

/** A header with a few bytes that tell keys apart, and nothing of them. */
function tagOf(header: string, key: Uint8Array): string {
  let tag = tags.get(key)
  if (tag === undefined)
    tags.set(key, (tag = createHash("sha256").update("weir-tag").update(key).digest("hex").slice(0, 16)))
  return `${header}.${tag}`
}

const headerOf = (tag: string): string => tag.slice(0, tag.lastIndexOf("."))

/** A value opens beside its own message key only. */
const contextOf = (tag: string, { key }: Pick<Message, "key">): string =>
  `value ${tag} ${Buffer.from(key ?? []).toString("base64")}`
