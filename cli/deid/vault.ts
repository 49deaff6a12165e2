import { fatal } from "../../core/index.ts"
import type { Vault } from "../../core/index.ts"
import type { Store } from "../../core/ports/store.ts"
import { openVault } from "../../core/vault/vault.ts"
import type { VaultKeys } from "../../core/vault/vault.ts"

/** Where the vault of a project out of stream is: the folder of an embedded Store, and the file of the key that opens it. */
export interface VaultGiven {
  /** Of its own, apart from input and output; made when it is not there. */
  readonly folder: string
  /** 32 bytes or more. */
  readonly keyFile: string
}

/** Opens the embedded Store of a folder. */
export type OpenStore = (folder: string) => Promise<Store>

/** Opens the vault for one act. Throws fatal `vault-unsupported`, and what opening a vault throws. */
export async function withVault(
  folder: string,
  keys: VaultKeys,
  kind: Vault["codes"],
  openStore: OpenStore | undefined,
  act: (vault: Vault) => Promise<void>,
): Promise<void> {
  if (openStore === undefined) throw fatal("vault-unsupported", "there is no Store to keep a vault in")
  const store = await openStore(folder)
  try {
    if (store.vault === undefined) throw fatal("vault-unsupported", "this Store keeps no vault")
    await act(await openVault(store.vault, keys, kind))
  } finally {
    await store.close()
  }
}
