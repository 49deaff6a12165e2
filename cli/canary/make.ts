import type { Canary } from "../../core/canary/canary.ts"
import { Random } from "../../synth/random.ts"

const [heads, middles, tails] = [
  ["Quaz", "Zwix", "Xylp", "Vrok", "Wyzq", "Jhuv", "Kzin", "Yqab"],
  ["orv", "ulph", "imzo", "ebrix", "yndok", "awzil"],
  ["ünquil", "öxwick", "äzvorne", "ézhaim", "ørquist"],
]

/** The canary of a seed and a number: names that nobody has, with a letter outside of ASCII in the family name; identifiers of random
 * letters and digits; born in 1901 to 1904, a time that no shifted date of a patient reaches and no clock or dummy has. */
export function makeCanary(seed: string, number: number): Canary {
  const random = new Random("canary", seed, number)
  const day = new Date(Date.UTC(1901, 0, 2) + random.int(0, 1450) * 86_400_000)
  const letters = (count: number) =>
    Array.from({ length: count }, () => "ABCDEFGHJKLMNPQRSTUVWXYZ"[random.int(0, 23)]!).join("")
  return {
    name: `canary-${number}`,
    identifiers: {
      "family-name": random.pick(heads) + random.pick(middles) + random.pick(tails),
      "given-name": `${random.pick(heads)}${random.pick(middles)}${letters(3).toLowerCase()}`,
      mrn: `${letters(4)}${random.digits(8)}`,
      "patient-id": `${letters(4).toLowerCase()}-${random.digits(9)}`,
      "birth-date": day.toISOString().slice(0, 10),
      phone: `+1 ${random.digits(3)}-555-${random.digits(6)}`,
      street: `${random.digits(3)} ${random.pick(heads)}${random.pick(middles)}weg`,
      accession: `${letters(3)}${random.digits(6)}`,
      uid: `2.25.${random.digits(24)}`,
    },
  }
}
