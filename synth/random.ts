import { createHash } from "node:crypto"

const hashOf = (parts: readonly (string | number)[]): Buffer =>
  createHash("sha256").update(JSON.stringify(parts)).digest()

/** Random numbers and identifiers that a seed and a path determine: the same on every machine, in any order of use of other
 * paths. The generator is sfc32 (Chris Doty-Humphrey, PractRand), seeded by SHA-256. */
export class Random {
  readonly #path: readonly (string | number)[]
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(...path: readonly (string | number)[]) {
    this.#path = path
    const digest = hashOf(path)
    this.#a = digest.readInt32LE(0)
    this.#b = digest.readInt32LE(4)
    this.#c = digest.readInt32LE(8)
    for (let i = 0; i < 12; i++) this.#next()
  }

  /** Another generator, which does not depend on how far this one went. */
  at(...path: readonly (string | number)[]): Random {
    return new Random(...this.#path, ...path)
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    this.#c |= 0
    return sum >>> 0
  }

  /** A whole number in [low, high]. */
  int(low: number, high: number): number {
    return low + Math.floor((this.#next() / 4_294_967_296) * (high - low + 1))
  }

  pick<T>(values: readonly T[]): T {
    return values[this.int(0, values.length - 1)]!
  }

  /** Decimal digits, the first of them not zero. */
  digits(count: number): string {
    return Array.from({ length: count }, (_, at) => this.int(at === 0 ? 1 : 0, 9)).join("")
  }

  /** `2.25.` and a 122-bit integer (PS3.5 B.2), by the path alone. */
  uid(...path: readonly (string | number)[]): string {
    return `2.25.${BigInt(`0x${uuidHex([...this.#path, "uid", ...path])}`)}`
  }

  /** A version-4 UUID in form, by the path alone. */
  uuid(...path: readonly (string | number)[]): string {
    const hex = uuidHex([...this.#path, "uuid", ...path])
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-")
  }
}

function uuidHex(path: readonly (string | number)[]): string {
  const bytes = hashOf(path).subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString("hex")
}
