import { ageOf } from "./calendar.ts"
import { cities, pools, states, streetKinds, streets } from "./names.ts"
import type { Random } from "./random.ts"

/** A made-up patient. */
export interface Person {
  /** `P0001`: only the ground truth says it. */
  readonly name: string
  readonly random: Random
  readonly patientId: string
  readonly mrn: string
  /** Identifiers that no pipeline declares. */
  readonly insurance: string
  readonly oldId: string
  readonly ssn: string
  readonly charset: string
  readonly family: string
  readonly given: string
  readonly mother: string
  readonly sex: "F" | "M"
  /** YYYY-MM-DD. */
  readonly birthDate: string
  /** Years at the start of 2024. */
  readonly age: number
  readonly street: string
  readonly city: string
  readonly state: string
  readonly postalCode: string
  readonly phone: string
  readonly email: string
  readonly usCore: boolean
}

/** All patients are adults: dates of 2024 shifted back by ten years at most never equal a birth date. */
const birthYear = (random: Random, old: boolean): number => (old ? random.int(1929, 1932) : random.int(1937, 2003))
const two = (value: number): string => String(value).padStart(2, "0")

/** The patient of a number; equal for equal seeds.
 * @param old born before 1933, so over 90 in 2024 */
export function makePerson(seed: Random, index: number, old: boolean): Person {
  const random = seed.at("person", index)
  const pool = pools[index % pools.length]!
  const sex = random.pick(["F", "M"] as const)
  const birthDate = `${birthYear(random, old)}-${two(random.int(1, 12))}-${two(random.int(1, 28))}`
  const number = String(index + 1).padStart(4, "0")
  const family = random.pick(pool.family)
  return {
    name: `P${number}`,
    random,
    patientId: random.uuid("Patient"),
    // The number of the patient keeps the identifiers of a folder distinct.
    mrn: `${random.digits(4)}${number}`,
    insurance: `INS-${random.digits(5)}${number}`,
    oldId: `OLD${random.digits(4)}${number}`,
    ssn: `${random.int(900, 999)}-${random.int(70, 88)}-${number}`,
    charset: pool.charset,
    family,
    given: random.pick(sex === "F" ? pool.female : pool.male),
    mother: random.pick(pool.family),
    sex,
    birthDate,
    age: ageOf(birthDate),
    street: `${random.int(1000, 9899)} ${random.pick(streets)} ${random.pick(streetKinds)}`,
    city: random.pick(cities),
    state: random.pick(states),
    postalCode: `1${random.digits(4)}-${random.digits(4)}`,
    phone: `+1-${random.int(201, 989)}-555-01${random.digits(2)}`,
    email: `resident.${number}.${random.digits(5)}@mail.example`,
    usCore: index % 2 === 0,
  }
}

/** How the name is written in DICOM (PS3.5 6.2.1). */
export const dicomName = ({ family, given, random }: Person): string =>
  `${family}^${given}${random.at("middle").int(0, 1) === 0 ? "" : "^Q"}`
