import { fatal } from "../errors.ts"
import type { CompiledPipeline } from "../pipeline/model.ts"
import type { ObjectKeyTables, KeyRewrap } from "../ports/object-keys.ts"
import type { Objects } from "../ports/objects.ts"
import type { Store } from "../ports/store.ts"
import type { Zone } from "../record.ts"
import { KeyRing, ringKeys } from "../vault/ring.ts"
import type { VaultKeys } from "../vault/vault.ts"
import { SealedObjects } from "./sealed-objects.ts"
import { StoreKeys } from "./store-keys.ts"
import type { OwnedObject } from "./store-keys.ts"

/** Name of the secret by which persons are told apart, and by which the key ring is found. */
export const identitySecret = "identity-key"

/** Seals what lies in `phi`: its objects. */
export class Sealing {
  readonly #keys: StoreKeys

  constructor(tables: ObjectKeyTables, ring: KeyRing) {
    this.#keys = new StoreKeys(tables, ring, "phi")
  }

  seals(zone: Zone): boolean {
    return zone === "phi"
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
  store: Pick<Store, "vault" | "objectKeys">,
): Promise<Sealing | undefined> {
  const keys = ringKeysOf(pipeline, secrets)
  const identityKey = secrets.get(identitySecret)
  if (keys !== undefined) {
    if (store.vault === undefined || store.objectKeys === undefined)
      throw fatal("vault-unsupported", "this Store keeps no keys of sealed objects")
    return new Sealing(store.objectKeys, await KeyRing.open(store.vault, keys))
  }
  if (identityKey !== undefined && store.vault !== undefined && (await KeyRing.isThere(store.vault, identityKey)))
    throw fatal("encrypt-missing", "objects in phi of this Store are sealed, and the pipeline does not say encrypt", {
      hint: "add encrypt: { vault: SECRET } as it was; what is sealed stays so",
    })
  return undefined
}
