/** A project's row. */
export interface VaultProject {
  /** keyed: pseudonyms are functions of the project key, and the vault maps them back. random: the vault alone knows them. */
  readonly codes: "keyed" | "random"
  /** The data key, sealed under the envelope key. */
  readonly wrapped: Uint8Array
}

/** A person of a project. */
export interface VaultPerson {
  /** Keyed hash of the person key. */
  readonly person: Uint8Array
  /** The pseudonym. */
  readonly code: string
  /** The person's own key, sealed under the data key. */
  readonly wrapped: Uint8Array
  /** The person key, sealed under the person's own key. */
  readonly sealed: Uint8Array
}

/** An original that has a code. */
export interface VaultEntry {
  /** Keyed hash of the original. */
  readonly lookup: Uint8Array
  /** Whose it is; the row goes with the person's. */
  readonly person: Uint8Array
  readonly code: string
  /** The original, sealed under the person's own key. */
  readonly sealed: Uint8Array
}

/** A line of a project's audit. */
export interface VaultLine {
  /** From 1, without gaps. */
  readonly number: number
  /** When, ISO 8601, UTC. */
  readonly at: string
  /** Who: user of the machine and of the database. */
  readonly actor: string
  /** reveal, rotate, erase. */
  readonly action: string
  /** JSON; never an original. */
  readonly detail: string
  /** Of this line and the one before it. */
  readonly hash: Uint8Array
}

/** What an audited act changes, in the transaction that writes the line. */
export interface VaultChange {
  /** Puts another wrapped data key in the place of the one that is named. */
  readonly rewrap?: { readonly from: Uint8Array; readonly to: Uint8Array }
  /** Removes persons with all their entries. */
  readonly erase?: readonly Uint8Array[]
}

/** The vault's tables on the Store: rows of bytes that only who has the keys can read (core/vault). Of several writers of one row
 * the first stands, and all are told what stands. Errors are the Store's. */
export interface VaultTables {
  /** The project's row, made from `fresh` if there is none. */
  open(project: string, fresh: VaultProject): Promise<VaultProject>
  /** The project's row; undefined when there is none. */
  project(project: string): Promise<VaultProject | undefined>
  /** The rows that stand for these persons, in their order; those that are new are made. */
  persons(project: string, rows: readonly VaultPerson[]): Promise<readonly VaultPerson[]>
  /** The rows of persons by their hashes, in their order; undefined where there is none. */
  known(project: string, persons: readonly Uint8Array[]): Promise<readonly (VaultPerson | undefined)[]>
  /** The codes that stand for these lookups, in their order. */
  codes(project: string, lookups: readonly Uint8Array[]): Promise<readonly (string | undefined)[]>
  /** The codes that stand for these entries, in their order; those that are new are made. Rejects with retryable `vault-person`
   * when a person is gone. */
  entries(project: string, rows: readonly VaultEntry[]): Promise<readonly string[]>
  /** The person whose pseudonym it is, and every entry with this code together with its person. */
  find(
    project: string,
    code: string,
  ): Promise<{
    readonly person: VaultPerson | undefined
    readonly entries: readonly { readonly entry: VaultEntry; readonly person: VaultPerson }[]
  }>
  /** All lines, in order. */
  lines(project: string): Promise<readonly VaultLine[]>
  /** Appends the line that `next` makes of the last one, and changes what it says, all or nothing; one at a time in a project.
   * Rejects with fatal `vault-changed` when the wrapped key is no longer the one that is named.
   * @returns the persons that were removed */
  act(
    project: string,
    next: (last: VaultLine | undefined, databaseUser: string) => VaultLine,
    change?: VaultChange,
  ): Promise<number>
}
