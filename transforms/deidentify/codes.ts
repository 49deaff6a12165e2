import { randomBytes } from "node:crypto"
import { codeShapes } from "../../core/index.ts"
import type { CodeRequest, Pseudonymizer, Vault } from "../../core/index.ts"

/** The codes of one person's things. */
export interface PersonCodes extends Pick<Pseudonymizer, "identifier" | "uid" | "accession"> {
  readonly person: string
}

/** Codes that are kept in memory. */
const mostKnown = 200_000

/** The codes of a project: keyed functions, or what its vault says. The vault answers later and formats ask at once, so what a batch
 * asks for is found by a first pass, whose result is thrown away ({@link settle}); in the second every code is known and durable. */
export class Codes {
  readonly #pseudonyms: Pseudonymizer
  readonly #vault: Vault | undefined
  readonly #known = new Map<string, string>()
  readonly #wanted = new Map<string, CodeRequest>()
  readonly #persons = new Map<string, CodeRequest["owner"]>()
  #dry = false

  constructor(pseudonyms: Pseudonymizer, vault?: Vault) {
    this.#pseudonyms = pseudonyms
    this.#vault = vault
  }

  /** Within a pass whose result is thrown away, so that nothing is to be counted. */
  get dry(): boolean {
    return this.#dry
  }

  of(person: string): PersonCodes {
    const { identifier, uid, accession } = this.#pseudonyms
    if (this.#vault === undefined) return { person: this.#pseudonyms.person(person), identifier, uid, accession }
    const ask = (kind: CodeRequest["kind"], namespace: string, value: string, keyed: () => string) =>
      this.#ask(person, kind, namespace, value, keyed)
    return {
      person: this.#person(person),
      identifier: (namespace, value) => ask("identifier", namespace, value, () => identifier(namespace, value)),
      uid: (value) => ask("uid", "", value, () => uid(value)),
      accession: (issuer, value) => ask("accession", issuer, value, () => accession(issuer, value)),
    }
  }

  /** Notes identifiers of a person in the vault, to be found by the person's pseudonym. */
  note(person: string, identifiers: readonly { readonly namespace: string; readonly value: string }[]): void {
    if (this.#vault === undefined) return
    this.#person(person)
    for (const { namespace, value } of identifiers) this.#ask(person, "member", namespace, value, () => "")
  }

  /** Does `pass` until the vault knows every code that it asks for; without a vault nothing is done. */
  async settle(pass: () => void | Promise<void>): Promise<void> {
    const vault = this.#vault
    if (vault === undefined) return
    if (this.#known.size > mostKnown) this.#known.clear()
    do {
      this.#dry = true
      try {
        await pass()
      } finally {
        this.#dry = false
      }
    } while (await this.#fill(vault))
  }

  async #fill(vault: Vault): Promise<boolean> {
    const persons = [...this.#persons]
    const wanted = [...this.#wanted]
    this.#persons.clear()
    this.#wanted.clear()
    if (persons.length + wanted.length === 0) return false
    const pseudonyms = await vault.persons(persons.map(([, owner]) => owner))
    for (const [at, [name]] of persons.entries()) this.#known.set(name, pseudonyms[at]!)
    const codes = await vault.settle(wanted.map(([, request]) => request))
    for (const [at, [name]] of wanted.entries()) this.#known.set(name, codes[at]!)
    return true
  }

  #person(key: string): string {
    const name = `person ${key}`
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const code = this.#propose(codeShapes.identifier, () => this.#pseudonyms.person(key))
    if (!this.#persons.has(name)) this.#persons.set(name, { key, code })
    return code
  }

  #ask(person: string, kind: CodeRequest["kind"], namespace: string, value: string, keyed: () => string): string {
    const name = JSON.stringify(kind === "member" ? [kind, namespace, value, person] : [kind, namespace, value])
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const shape = kind === "uid" ? codeShapes.uid : kind === "accession" ? codeShapes.accession : codeShapes.identifier
    const code = this.#propose(shape, keyed)
    if (!this.#wanted.has(name))
      this.#wanted.set(name, { owner: { key: person, code: this.#person(person) }, kind, namespace, value, code })
    return code
  }

  #propose(shape: (bytes: Uint8Array) => string, keyed: () => string): string {
    return this.#vault!.codes === "random" ? shape(randomBytes(32)) : keyed()
  }
}
