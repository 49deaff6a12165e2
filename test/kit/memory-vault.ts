import type { CodeRequest, Vault } from "../../core/index.ts"

/** A vault in memory, for tests of transforms: the first code of an original stands. */
export class MemoryVault implements Vault {
  readonly codes: Vault["codes"]
  readonly known = new Map<string, string>()
  /** How often it was asked for codes of things. */
  asked = 0

  constructor(codes: Vault["codes"]) {
    this.codes = codes
  }

  async persons(owners: readonly CodeRequest["owner"][]): Promise<readonly string[]> {
    return owners.map(({ key, code }) => this.#standing(JSON.stringify(["person", key]), code))
  }

  async settle(requests: readonly CodeRequest[]): Promise<readonly string[]> {
    this.asked++
    return requests.map(({ owner, kind, namespace, value, code }) =>
      kind === "member"
        ? this.#standing(JSON.stringify([kind, namespace, value, owner.key]), "")
        : this.#standing(JSON.stringify([kind, namespace, value]), code),
    )
  }

  #standing(name: string, code: string): string {
    const known = this.known.get(name)
    if (known !== undefined) return known
    this.known.set(name, code)
    return code
  }
}
