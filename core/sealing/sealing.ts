import type { ValueSealing } from "../codec.ts"
import { fatal } from "../errors.ts"
import type { CompiledPipeline, CompiledTopic, EncryptSettings } from "../pipeline/model.ts"
import type { Log } from "../ports/log.ts"
import type { RecordKeyRewrap, RecordKeyTables } from "../ports/record-keys.ts"
import type { ObjectKeyTables, KeyRewrap } from "../ports/object-keys.ts"
import type { Objects } from "../ports/objects.ts"
import type { Store } from "../ports/store.ts"
import type { Zone } from "../record.ts"
import { KeyRing, ringKeys } from "../vault/ring.ts"
import type { VaultKeys } from "../vault/vault.ts"
import { RecordKeys } from "./record-keys.ts"
import { sealedLog } from "./sealed-log.ts"
import { SealedObjects } from "./sealed-objects.ts"
import { StoreKeys } from "./store-keys.ts"
import type { OwnedObject } from "./store-keys.ts"
import { StoredValueKeys, aboutPerson, aboutRecord, personOwner } from "./value-keys.ts"

/** Name of the secret by which persons are told apart, and by which the key ring is found. */
export const identitySecret = "identity-key"

/** Names a record by its row and version in a topic. */
export interface RecordName {
  readonly topic: string
  readonly key: string
  readonly id: string
  readonly version: bigint
}

interface Tables {
  readonly objects: ObjectKeyTables
  readonly records: RecordKeyTables
}

/** Seals what lies in `phi`: its objects, and the values of records. */
export class Sealing {
  readonly #keys: StoreKeys
  readonly #records: RecordKeys
  readonly #ring: KeyRing
  readonly #values: StoredValueKeys
  readonly #what: EncryptSettings["what"]

  constructor(tables: Tables, ring: KeyRing, what: EncryptSettings["what"]) {
    this.#keys = new StoreKeys(tables.objects, ring, "phi")
    this.#records = new RecordKeys(tables.records, ring)
    this.#ring = ring
    this.#values = new StoredValueKeys(this.#records, ring)
    this.#what = what
  }

  /** Whether objects in a zone may be sealed. */
  seals(zone: Zone): boolean {
    return zone === "phi"
  }

  /** A Log that is read as if nothing in it were sealed. */
  log(log: Log, passed?: Parameters<typeof sealedLog>[2]): Log {
    return sealedLog(log, this.#values, passed)
  }

  /** What seals the values of a topic's records: for the person where the topic is keyed by persons, else for the record. undefined: they
   * are not sealed. */
  values({ name, zone, key }: Pick<CompiledTopic, "name" | "zone" | "key">): ValueSealing | undefined {
    if (zone !== "phi" || !this.#what.includes("values")) return undefined
    if (key !== "person")
      return { about: (draft) => aboutRecord(this.#idOf({ topic: name, ...draft }), name), claimed: async () => {} }
    return {
      about: (draft) => aboutPerson(draft.key),
      claimed: (person, object) => this.#keys.give([{ zone, key: object, owner: personOwner(person) }]),
    }
  }

  /** What a step commits of the keys of records whose owner it knows. */
  async forRecordOwners(
    records: readonly (RecordName & { readonly owner: string })[],
  ): Promise<readonly RecordKeyRewrap[]> {
    if (records.length === 0 || !this.#what.includes("values")) return []
    return this.#records.forOwners(records.map((record) => ({ id: this.#idOf(record), owner: record.owner })))
  }

  #idOf({ topic, key, id, version }: RecordName): string {
    return Buffer.from(this.#ring.hashOf("record", topic, key, id, String(version)).subarray(0, 16)).toString("hex")
  }

  objects(objects: Objects, zone: Zone): Objects {
    return new SealedObjects(objects, this.#keys, zone)
  }

  /** What a step commits of the keys of objects whose owner it knows. */
  async forOwners(objects: readonly OwnedObject[]): Promise<readonly KeyRewrap[]> {
    const own = objects.filter(({ zone }) => zone === "phi")
    return own.length === 0 ? [] : this.#keys.forOwners(own)
  }
}

type Sealed = Pick<CompiledPipeline, "encrypt">
type Secrets = ReadonlyMap<string, Uint8Array>

/** The keys of the ring of a pipeline that seals; undefined: it does not. */
export function ringKeysOf({ encrypt }: Sealed, secrets: Secrets): VaultKeys | undefined {
  if (encrypt === undefined) return undefined
  return ringKeys(secrets.get(identitySecret)!, secrets.get(encrypt.vault)!)
}

/** Opens the keys of a pipeline that seals. Throws fatal `encrypt-missing` when it does not say so and its Store has sealed before:
 * nobody would notice that what comes now is not, and what is there could not be read. */
export async function openSealing(
  pipeline: Sealed,
  secrets: Secrets,
  store: Pick<Store, "vault" | "objectKeys" | "recordKeys">,
): Promise<Sealing | undefined> {
  const keys = ringKeysOf(pipeline, secrets)
  const identityKey = secrets.get(identitySecret)
  if (keys !== undefined) {
    const { vault, objectKeys: objects, recordKeys: records } = store
    if (vault === undefined || objects === undefined || records === undefined)
      throw fatal("vault-unsupported", "this Store keeps no keys of sealed objects")
    return new Sealing({ objects, records }, await KeyRing.open(vault, keys), pipeline.encrypt!.what)
  }
  if (identityKey !== undefined && store.vault !== undefined && (await KeyRing.isThere(store.vault, identityKey)))
    throw fatal(
      "encrypt-missing",
      "what is in phi is sealed by this Store's keys, and the pipeline does not say encrypt",
      {
        hint: "add encrypt: { vault: SECRET } as it was; what is sealed stays so",
      },
    )
  return undefined
}
