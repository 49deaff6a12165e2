import { hash } from "node:crypto"

/** The newest offset of each message key, 24 bytes a key whatever its length: keys are known by 128 bits of their SHA-256. */
export class KeyOffsets {
  #digests = new Uint32Array(4 * 1024)
  #offsets = new Float64Array(1024).fill(-1)
  #count = 0

  get size(): number {
    return this.#count
  }

  get(key: Uint8Array): number | undefined {
    const offset = this.#offsets[this.#slot(digestOf(key))]!
    return offset < 0 ? undefined : offset
  }

  set(key: Uint8Array, offset: number): void {
    if (this.#count * 2 >= this.#offsets.length) this.#grow()
    this.#put(digestOf(key), offset)
  }

  #put(digest: Uint32Array, offset: number): void {
    const slot = this.#slot(digest)
    if (this.#offsets[slot]! < 0) this.#count++
    this.#digests.set(digest, slot * 4)
    this.#offsets[slot] = offset
  }

  #slot(digest: Uint32Array): number {
    const mask = this.#offsets.length - 1
    for (let slot = digest[0]! & mask; ; slot = (slot + 1) & mask)
      if (this.#offsets[slot]! < 0 || this.#isAt(slot, digest)) return slot
  }

  #isAt(slot: number, digest: Uint32Array): boolean {
    const at = slot * 4
    const kept = this.#digests
    return (
      kept[at] === digest[0] && kept[at + 1] === digest[1] && kept[at + 2] === digest[2] && kept[at + 3] === digest[3]
    )
  }

  #grow(): void {
    const [digests, offsets] = [this.#digests, this.#offsets]
    this.#digests = new Uint32Array(digests.length * 2)
    this.#offsets = new Float64Array(offsets.length * 2).fill(-1)
    this.#count = 0
    for (let slot = 0; slot < offsets.length; slot++)
      if (offsets[slot]! >= 0) this.#put(digests.subarray(slot * 4, slot * 4 + 4), offsets[slot]!)
  }
}

function digestOf(key: Uint8Array): Uint32Array {
  const bytes = hash("sha256", key, "buffer")
  return new Uint32Array([bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8), bytes.readUInt32LE(12)])
}
