import { fatal } from "../errors.ts"
import type { VaultChange, VaultLine, VaultProject, VaultTables } from "../ports/vault.ts"
import { firstBroken, nextLine, placeOf } from "./audit.ts"
import { VaultCipher, projectOf, unwrapped, wrapped } from "./vault.ts"
import type { CodeKind, VaultKeys } from "./vault.ts"

/** Who does what, and why. */
export interface Act {
  /** Who, on this machine. */
  readonly actor: string
  readonly reason: string
  /** ms since 1970, UTC. */
  readonly now: number
}

/** What stands behind a code. */
export interface Revealed {
  readonly kind: CodeKind | "person"
  /** Namespace, issuer or resource type; "" for UIDs and person keys. */
  readonly namespace: string
  readonly value: string
  /** Pseudonym of the person whose it is. */
  readonly person: string
}

/** The audit of a vault as it was found. */
export interface AuditFound {
  readonly lines: readonly VaultLine[]
  /** Number of the first line that is not what was written, or is missing. */
  readonly broken: number | undefined
  /** Where the chain ends, to be noted down: `NUMBER:HASH`. */
  readonly place: string
}

/** What people may do with a project's vault. Each act is written down before it takes effect. */
export class Custodian {
  readonly #tables: VaultTables
  readonly #project: string
  readonly #row: VaultProject
  readonly #dataKey: Uint8Array
  readonly #cipher: VaultCipher

  private constructor(tables: VaultTables, project: string, row: VaultProject, dataKey: Uint8Array) {
    this.#tables = tables
    this.#project = project
    this.#row = row
    this.#dataKey = dataKey
    this.#cipher = new VaultCipher(project, dataKey)
  }

  /** Throws fatal `vault-missing`, `vault-key`. */
  static async open(tables: VaultTables, keys: VaultKeys): Promise<Custodian> {
    const project = projectOf(keys.projectKey)
    const row = await tables.project(project)
    if (row === undefined)
      throw fatal("vault-missing", "this project has no vault in this Store", {
        hint: "a vault is made by the first run of a pipeline whose steps name one",
      })
    return new Custodian(tables, project, row, unwrapped(project, row, keys.envelopeKey))
  }

  /** What a code stands for; empty when the vault does not know it. That it was asked is written down first. */
  async reveal(code: string, act: Act): Promise<readonly Revealed[]> {
    await this.#act("reveal", act, { code })
    const { person, entries } = await this.#tables.find(this.#project, code)
    const own: Revealed[] =
      person === undefined
        ? []
        : [{ kind: "person", namespace: "", value: this.#cipher.personKey(person), person: person.code }]
    return [
      ...own,
      ...entries.map(({ entry, person: owner }) => {
        const [kind, namespace, value] = this.#cipher.original(entry, owner)
        return { kind, namespace, value, person: owner.code }
      }),
    ]
  }

  /** Wraps the data key under another envelope key. What is sealed stays as it is.
   * @throws fatal `vault-changed` when somebody else did meanwhile */
  async rotate(envelopeKey: Uint8Array, act: Act): Promise<void> {
    const to = wrapped(this.#project, this.#dataKey, envelopeKey)
    await this.#act("rotate", act, {}, { rewrap: { from: this.#row.wrapped, to } })
  }

  /** Removes persons, by their person keys: their own keys, and every original of theirs. Tells how many there were. */
  async erase(personKeys: readonly string[], act: Act): Promise<number> {
    const persons = personKeys.map((key) => this.#cipher.lookup("person", key))
    return this.#act("erase", act, { persons: persons.length }, { erase: persons })
  }

  /** The audit, verified.
   * @param noted where it ended when somebody looked before */
  async audit(noted?: string): Promise<AuditFound> {
    const lines = await this.#tables.lines(this.#project)
    return { lines, broken: firstBroken(this.#cipher.audit, this.#project, lines, noted), place: placeOf(lines.at(-1)) }
  }

  #act(action: string, act: Act, said: object, change?: VaultChange): Promise<number> {
    const at = new Date(act.now).toISOString()
    const detail = JSON.stringify({ ...said, reason: act.reason })
    return this.#tables.act(
      this.#project,
      (last, databaseUser) =>
        nextLine(this.#cipher.audit, this.#project, last, {
          at,
          actor: `${act.actor} as ${databaseUser}`,
          action,
          detail,
        }),
      change,
    )
  }
}
