import { randomBytes } from "node:crypto"
import { codeShapes } from "../../core/index.ts"
import type { CodeRequest, Pseudonymizer, Vault } from "../../core/index.ts"

/** The codes of one person's things. */
export interface PersonCodes extends Pick<Pseudonymizer, "identifier" | "uid" | "accession"> {
  readonly person: string
}

/** Codes as one pass may ask for them. */
export interface Asking {
  of(person: string): PersonCodes
  /** Notes identifiers of a person in the vault, to be found by the person's pseudonym. */
  note(person: string, identifiers: readonly { readonly namespace: string; readonly value: string }[]): void
}

/** The codes of a project: keyed functions, or what its vault says. */
export class Codes {
  readonly #pseudonyms: Pseudonymizer
  readonly #vault: Vault | undefined
  readonly #known = new Recent()

  constructor(pseudonyms: Pseudonymizer, vault?: Vault) {
    this.#pseudonyms = pseudonyms
    this.#vault = vault
  }

  /** Does `pass`, again and again, until the vault knew every code that it asked for, and gives what it gave then. Formats ask in the
   * middle of their work and the vault answers later, so a pass that was told stand-ins is thrown away; it must change nothing. */
  async settle<T>(pass: (codes: Asking) => T | Promise<T>): Promise<T> {
    if (this.#vault === undefined) return pass(keyed(this.#pseudonyms))
    for (;;) {
      const asked = new Asked(this.#pseudonyms, this.#vault, this.#known)
      const result = await pass(asked)
      if (!(await asked.fill())) return result
    }
  }
}

const keyed = (pseudonyms: Pseudonymizer): Asking => ({
  of(person) {
    const { identifier, uid, accession } = pseudonyms
    return { person: pseudonyms.person(person), identifier, uid, accession }
  },
  note() {},
})

const mostRecent = 100_000

/** Codes that the vault is known to hold; those that were used lately are kept. */
class Recent {
  #young = new Map<string, string>()
  #old = new Map<string, string>()

  get(name: string): string | undefined {
    const young = this.#young.get(name)
    if (young !== undefined) return young
    const old = this.#old.get(name)
    if (old !== undefined) this.set(name, old)
    return old
  }

  set(name: string, code: string): void {
    if (this.#young.size >= mostRecent) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(name, code)
  }
}

/** What one pass asked for and the vault was not known to hold. */
class Asked implements Asking {
  readonly #pseudonyms: Pseudonymizer
  readonly #vault: Vault
  readonly #known: Recent
  readonly #persons = new Map<string, CodeRequest["owner"]>()
  readonly #wanted = new Map<string, CodeRequest>()

  constructor(pseudonyms: Pseudonymizer, vault: Vault, known: Recent) {
    this.#pseudonyms = pseudonyms
    this.#vault = vault
    this.#known = known
  }

  of(person: string): PersonCodes {
    const { identifier, uid, accession } = this.#pseudonyms
    return {
      person: this.#person(person),
      identifier: (space, value) =>
        this.#ask({ kind: "identifier", namespace: space, value }, person, () => identifier(space, value)),
      uid: (value) => this.#ask({ kind: "uid", namespace: "", value }, person, () => uid(value)),
      accession: (issuer, value) =>
        this.#ask({ kind: "accession", namespace: issuer, value }, person, () => accession(issuer, value)),
    }
  }

  note(person: string, identifiers: readonly { readonly namespace: string; readonly value: string }[]): void {
    for (const { namespace, value } of identifiers) this.#ask({ kind: "member", namespace, value }, person, () => "")
  }

  /** Has the vault hold what was asked for; false when nothing was. */
  async fill(): Promise<boolean> {
    if (this.#persons.size + this.#wanted.size === 0) return false
    const pseudonyms = await this.#vault.persons([...this.#persons.values()])
    for (const [at, name] of [...this.#persons.keys()].entries()) this.#known.set(name, pseudonyms[at]!)
    const codes = await this.#vault.settle([...this.#wanted.values()])
    for (const [at, name] of [...this.#wanted.keys()].entries()) this.#known.set(name, codes[at]!)
    return true
  }

  #person(key: string): string {
    const name = `person ${key}`
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const asked = this.#persons.get(name)
    if (asked !== undefined) return asked.code
    const code = this.#propose("identifier", () => this.#pseudonyms.person(key))
    this.#persons.set(name, { key, code })
    return code
  }

  #ask(what: Pick<CodeRequest, "kind" | "namespace" | "value">, person: string, keyed: () => string): string {
    const { kind, namespace, value } = what
    const name = JSON.stringify(kind === "member" ? [kind, namespace, value, person] : [kind, namespace, value])
    const known = this.#known.get(name) ?? this.#wanted.get(name)?.code
    if (known !== undefined) return known
    const code = this.#propose(kind === "uid" || kind === "accession" ? kind : "identifier", keyed)
    this.#wanted.set(name, { ...what, owner: { key: person, code: this.#person(person) }, code })
    return code
  }

  #propose(shape: keyof typeof codeShapes, keyed: () => string): string {
    return this.#vault.codes === "random" ? codeShapes[shape](randomBytes(32)) : keyed()
  }
}
