import { createHash } from "node:crypto"
import { makeCanary } from "../../cli/canary/make.ts"
import { canaryKinds } from "../../core/canary/canary.ts"
import { ByteSearch } from "../../core/canary/search.ts"
import { spellingsOf } from "../../core/canary/spellings.ts"
import type { Figure } from "./figure.ts"

const MB = 1e6
const canaries = 10
const rounds = 15

const resource = { resourceType: "Observation", status: "final", note: "no acute finding in the chest", value: 12.5 }
const texts = Buffer.from(JSON.stringify(resource).repeat(200_000))

/** Samples as CT has them, 16 bits each. */
function samples(): Buffer {
  const bytes = Buffer.alloc(texts.length & ~1)
  let noise = 1
  for (let at = 0; at < bytes.length; at += 2) {
    noise = (Math.imul(noise, 1_664_525) + 1_013_904_223) >>> 0
    bytes.writeUInt16LE(900 + (noise >>> 23), at)
  }
  return bytes
}

/** The best of some rounds, MB/s; both in turn, so that what else the machine does falls on both. */
function rates(bytes: Uint8Array, search: (bytes: Uint8Array) => void): Pick<Figure, "measured" | "floor"> {
  const best = { measured: 0, floor: 0 }
  const rate = (run: () => void) => {
    const began = performance.now()
    run()
    return bytes.length / MB / ((performance.now() - began) / 1000)
  }
  for (let round = 0; round < rounds; round++) {
    best.measured = Math.max(
      best.measured,
      rate(() => search(bytes)),
    )
    best.floor = Math.max(
      best.floor,
      rate(() => createHash("sha256").update(bytes).digest()),
    )
  }
  return best
}

/** The search of what is written below `phi` for ten canaries, against the sha256 of the same bytes. */
export async function benchCanary(): Promise<Figure[]> {
  const needles = Array.from({ length: canaries }, (_, at) => makeCanary("bench", at + 1)).flatMap(({ identifiers }) =>
    canaryKinds.map((kind) => [kind, spellingsOf(kind, identifiers[kind])] as const),
  )
  const search = new ByteSearch(needles)
  const look = (bytes: Uint8Array) => {
    if (search.in(bytes) !== undefined) throw new Error("found where nothing is")
  }
  return [
    { name: `${canaries} canaries, search of FHIR JSON`, ...rates(texts, look), unit: "MB/s", target: 0.15 },
    { name: `${canaries} canaries, search of CT samples`, ...rates(samples(), look), unit: "MB/s", target: 0.15 },
  ]
}
