import { createHmac, randomBytes } from "node:crypto"
import { fatal } from "../errors.ts"
import type { VaultEntry, VaultPerson, VaultProject, VaultTables } from "../ports/vault.ts"
import { codeShapes } from "../privacy.ts"
import { seal, subKey, unseal } from "./seal.ts"

/** What a code stands for. member: an identifier of a person, whose code is the person's pseudonym. */
export type CodeKind = "identifier" | "uid" | "accession" | "member"

/** An original and the code that it gets if it has none. */
export interface CodeRequest {
  /** Whose it is: the person key, and the pseudonym if the person has none. */
  readonly owner: { readonly key: string; readonly code: string }
  readonly kind: CodeKind
  /** Namespace, issuer or resource type; "" for UIDs. */
  readonly namespace: string
  readonly value: string
  /** Of a member it is not looked at. */
  readonly code: string
}

/** The vault of a project: which code stands for which original. */
export interface Vault {
  readonly codes: VaultProject["codes"]
  /** The pseudonyms that stand for persons, in their order; those without one get the code that is proposed. */
  persons(owners: readonly CodeRequest["owner"][]): Promise<readonly string[]>
  /** The codes that stand, in the order of the requests, once they are durable. Of several writers the first wins. */
  settle(requests: readonly CodeRequest[]): Promise<readonly string[]>
}

/** The two keys of a project's vault. */
export interface VaultKeys {
  /** Names the project, and nothing is sealed with it. */
  readonly projectKey: Uint8Array
  /** Opens the vault; 32 bytes or more. */
  readonly envelopeKey: Uint8Array
}

/** The name of a project in the vault; a function of its key that tells nothing of it. */
export const projectOf = (projectKey: Uint8Array): string =>
  codeShapes.identifier(createHmac("sha256", subKey(projectKey, "project")).update("vault").digest())

const wrapContext = (project: string) => `data-key ${project}`

/** The data key under an envelope key. Throws fatal `key-too-short`. */
export function wrapped(project: string, dataKey: Uint8Array, envelopeKey: Uint8Array): Uint8Array {
  if (envelopeKey.length < 32)
    throw fatal("key-too-short", "the envelope key of the vault has less than 32 bytes", {
      hint: "make one of 32 random bytes",
    })
  return seal(subKey(envelopeKey, "envelope"), dataKey, wrapContext(project))
}

/** The data key of a project's row. Throws fatal `vault-key`. */
export function unwrapped(project: string, row: VaultProject, envelopeKey: Uint8Array): Uint8Array {
  try {
    return unseal(subKey(envelopeKey, "envelope"), row.wrapped, wrapContext(project))
  } catch {
    throw fatal("vault-key", "the vault of this project does not open with this envelope key", {
      hint: "name the secret that it was made with, or the one that it was rotated to",
    })
  }
}

/** Opens the vault of a project, and makes it if there is none.
 * @throws fatal `vault-key`, `key-too-short`, `vault-codes` when its codes are of the other kind */
export async function openVault(tables: VaultTables, keys: VaultKeys, codes: VaultProject["codes"]): Promise<Vault> {
  const project = projectOf(keys.projectKey)
  const fresh = { codes, wrapped: wrapped(project, randomBytes(32), keys.envelopeKey) }
  const row = await tables.open(project, fresh)
  const dataKey = unwrapped(project, row, keys.envelopeKey)
  if (row.codes !== codes)
    throw fatal(
      "vault-codes",
      `the vault of this project holds ${row.codes} codes, and this profile needs ${codes} ones`,
      {
        hint: "a project keeps the kind of its codes for life: make a new project, with a key of its own",
      },
    )
  return new OpenVault(tables, project, dataKey, codes)
}

/** Keys and hashes of one vault. */
export class VaultCipher {
  readonly #project: string
  readonly #wrap: Uint8Array
  readonly #lookup: Uint8Array
  readonly audit: Uint8Array

  constructor(project: string, dataKey: Uint8Array) {
    this.#project = project
    this.#wrap = subKey(dataKey, "persons")
    this.#lookup = subKey(dataKey, "lookup")
    this.audit = subKey(dataKey, "audit")
  }

  lookup(...parts: readonly string[]): Uint8Array {
    return createHmac("sha256", this.#lookup).update(JSON.stringify(parts)).digest()
  }

  newPerson({ key, code }: CodeRequest["owner"]): VaultPerson {
    const person = this.lookup("person", key)
    const own = randomBytes(32)
    const context = this.#context("person", person)
    return { person, code, wrapped: seal(this.#wrap, own, context), sealed: seal(own, Buffer.from(key), context) }
  }

  /** The person's own key. */
  ownKey({ person, wrapped }: VaultPerson): Uint8Array {
    return unseal(this.#wrap, wrapped, this.#context("person", person))
  }

  /** The person key. */
  personKey(row: VaultPerson): string {
    return Buffer.from(unseal(this.ownKey(row), row.sealed, this.#context("person", row.person))).toString()
  }

  lookupOf({ owner, kind, namespace, value }: CodeRequest): Uint8Array {
    return kind === "member" ? this.lookup(kind, owner.key, namespace, value) : this.lookup(kind, namespace, value)
  }

  newEntry(request: CodeRequest, lookup: Uint8Array, row: VaultPerson): VaultEntry {
    const { kind, namespace, value } = request
    const original = Buffer.from(JSON.stringify([kind, namespace, value]))
    return {
      lookup,
      person: row.person,
      code: kind === "member" ? row.code : request.code,
      sealed: seal(this.ownKey(row), original, this.#context("entry", lookup)),
    }
  }

  original(
    { lookup, sealed }: VaultEntry,
    row: VaultPerson,
  ): readonly [kind: CodeKind, namespace: string, value: string] {
    const text = Buffer.from(unseal(this.ownKey(row), sealed, this.#context("entry", lookup))).toString()
    return JSON.parse(text) as [CodeKind, string, string]
  }

  #context(what: string, row: Uint8Array): string {
    return `${what} ${this.#project} ${Buffer.from(row).toString("hex")}`
  }
}

class OpenVault implements Vault {
  readonly codes: VaultProject["codes"]
  readonly #tables: VaultTables
  readonly #project: string
  readonly #cipher: VaultCipher

  constructor(tables: VaultTables, project: string, dataKey: Uint8Array, codes: VaultProject["codes"]) {
    this.codes = codes
    this.#tables = tables
    this.#project = project
    this.#cipher = new VaultCipher(project, dataKey)
  }

  async persons(owners: readonly CodeRequest["owner"][]): Promise<readonly string[]> {
    const rows = await this.#rows(owners)
    return owners.map(({ key }) => rows.get(key)!.code)
  }

  async settle(requests: readonly CodeRequest[]): Promise<readonly string[]> {
    const lookups = requests.map((request) => this.#cipher.lookupOf(request))
    const standing = await this.#tables.codes(this.#project, lookups)
    const missing = requests.flatMap((request, at) => (standing[at] === undefined ? [[request, at] as const] : []))
    if (missing.length === 0) return standing as string[]
    const rows = await this.#rows(missing.map(([{ owner }]) => owner))
    const made = await this.#tables.entries(
      this.#project,
      missing.map(([request, at]) => this.#cipher.newEntry(request, lookups[at]!, rows.get(request.owner.key)!)),
    )
    const codes = [...standing]
    for (const [index, [, at]] of missing.entries()) codes[at] = made[index]
    return codes as string[]
  }

  async #rows(owners: readonly CodeRequest["owner"][]): Promise<ReadonlyMap<string, VaultPerson>> {
    const distinct = [...new Map(owners.map((owner) => [owner.key, owner])).values()]
    const rows = await this.#tables.persons(
      this.#project,
      distinct.map((owner) => this.#cipher.newPerson(owner)),
    )
    return new Map(distinct.map(({ key }, at) => [key, rows[at]!]))
  }
}
