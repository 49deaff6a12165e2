import { createHash } from "node:crypto"
import { defaultShift, fatal, pseudonymizer } from "../../core/index.ts"
import type { Pseudonymizer, ShiftRange } from "../../core/index.ts"
import { deidentifier, isRegisteredUid, optionsFault, profileEdition } from "../../formats/dicom/index.ts"
import type { Deidentify, ProfileOption, Pseudonyms } from "../../formats/dicom/index.ts"
import type { LocalTime } from "../../formats/fhir/deidentify/index.ts"
import type { Asking, Codes } from "./codes.ts"
import { PixelCleaner } from "./pixels/clean-pixels.ts"
import { OcrEngine } from "./pixels/ocr-engine.ts"
import type { ReadText } from "./pixels/read-text.ts"
import { checkKey, checkShift, issuersOf, keyIdOf } from "./profile.ts"
import type { Profile } from "./profile.ts"
import { shiftTime } from "./record-dates.ts"

/** What is the same for all images of a project. */
export interface PolicyGiven {
  /** 32 bytes or more. */
  readonly projectKey: Uint8Array
  readonly options: readonly ProfileOption[]
  readonly faces: "refuse" | "allow"
  /** The profile that was named; none: what the options say of dates, and keyed codes. */
  readonly profile?: Profile
  /** The codes of the project's vault; `safe-harbor` takes all of its codes from there. */
  readonly codes?: Codes
  readonly shift?: ShiftRange
  /** Lists of issuers of accession numbers that mean the same one; the first gives the pseudonym. */
  readonly accessionIssuers?: readonly (readonly string[])[]
  /** The zone whose time of day records tell; UTC unless given. */
  readonly clock?: { readonly name: string; readonly local: LocalTime }
  /** With `clean-pixel-data`: who reads text in pictures; the OCR engine of optional packages unless given. */
  readonly readText?: ReadText
  /** The share of original slices that is read, 0 to 1; {@link defaultShare} unless given. */
  readonly pixelShare?: number
}

/** What the profile of an instance says that a person let pass. */
export const reviewedWord = "reviewed"

/** One slice in twenty, besides the first, the middle and the last of a series where its files are at hand. */
export const defaultShare = 0.05

/** A person below the border. */
export interface Person {
  readonly pseudonym: string
  readonly shiftDays: number
  /** What formats/dicom writes into objects. */
  readonly dicom: Pseudonyms
}

/** Persons, and UIDs, that are kept in memory: the instances of a study share most of theirs, and an HMAC is slow. */
const mostKept = 10_000

/** What records tell of an instance or study of a person. */
export interface Told {
  readonly key: string
  readonly uids: readonly string[]
  readonly accession?: readonly [value: string, issuer: string]
}

/** The de-identification of a project's images: one policy, for the stream and for `weir deid` alike.
 * Under `safe-harbor` codes are what the vault says: those of records have to be asked for before ({@link prepare}), those of objects
 * are asked for while they are made ({@link withPerson}).
 * Throws fatal `key-too-short`, `shift-range`, `options-conflict`, `profile-refused` (safe-harbor without a vault). */
export class DicomPolicy {
  readonly deidentify: Deidentify
  readonly faces: "refuse" | "allow"
  /** See {@link keyIdOf}. */
  readonly keyId: string
  /** With `clean-pixel-data`. */
  readonly pixels: PixelCleaner | undefined
  readonly #share: number
  readonly #pseudonyms: Pseudonymizer
  readonly #options: readonly ProfileOption[]
  readonly #issuer: (issuer: string) => string
  readonly #issuers: string
  readonly #profile: Profile | undefined
  /** Undefined where codes are keyed. */
  readonly #codes: Codes | undefined
  readonly #accessions = new Map<string, string>()
  readonly #shift: ShiftRange
  readonly #clock: PolicyGiven["clock"]
  readonly #persons = new Map<string, Person>()
  readonly #uids = new Map<string, string>()

  constructor(given: PolicyGiven) {
    this.#shift = given.shift ?? defaultShift
    check(given.projectKey, this.#shift, given.options, given.faces)
    this.#profile = given.profile
    if (given.profile === "safe-harbor" && given.codes === undefined)
      throw fatal(
        "profile-refused",
        "profile safe-harbor needs a vault: its codes must not be derived from the individual",
      )
    this.#codes = given.profile === "safe-harbor" ? given.codes : undefined
    this.#options = [...new Set(given.options)].sort()
    this.faces = given.faces
    this.keyId = keyIdOf(given.projectKey)
    this.#clock = given.clock
    this.#pseudonyms = pseudonymizer(given.projectKey, this.#shift)
    const issuers = (given.accessionIssuers ?? []).flatMap((same) => same.map((one) => [one, same[0]!] as const))
    this.#issuers = JSON.stringify([...new Map(issuers)].sort())
    this.#issuer = issuersOf(given.accessionIssuers)
    this.deidentify = deidentifier({
      options: this.#options,
      faces: this.faces,
      ...(given.profile === undefined || given.profile === "shifted" ? {} : { legal: given.profile }),
      ...(given.clock === undefined ? {} : { local: given.clock.local }),
    })
    this.#share = given.pixelShare ?? defaultShare
    const reads = this.#options.includes("clean-pixel-data")
    this.pixels = reads ? new PixelCleaner(given.readText ?? new OcrEngine()) : undefined
  }

  /** Whether an original slice is in the share that is read: by a keyed hash of its UID, so that nobody can choose. */
  inShare(sopInstanceUid: string): boolean {
    const digest = createHash("sha256").update(this.#pseudonyms.identifier("pixel-share", sopInstanceUid)).digest()
    return digest.readUInt32BE(0) < this.#share * 2 ** 32
  }

  /** Has the codes of records at hand until the next time; where codes are keyed there is nothing to do. */
  async prepare(told: readonly Told[]): Promise<void> {
    if (this.#codes === undefined || told.length === 0) return
    for (const known of [this.#persons, this.#uids, this.#accessions]) if (known.size >= mostKept) known.clear()
    const found = await this.#codes.settle((asking) =>
      told.map(({ key, uids, accession }) => {
        const codes = asking.of(key)
        return {
          pseudonym: codes.person,
          uids: uids.filter(isOwn).map((uid) => [uid, codes.uid(uid)] as const),
          accession: isNumber(accession) ? codes.accession(this.#issuer(accession[1]), accession[0]) : undefined,
        }
      }),
    )
    for (const [at, { key, accession: of }] of told.entries()) {
      const { pseudonym, uids, accession } = found[at]!
      this.#persons.set(key, { pseudonym, shiftDays: this.#pseudonyms.shiftDays(key), dicom: notAsked })
      for (const [uid, code] of uids) this.#uids.set(uid, code)
      if (accession !== undefined) this.#accessions.set(slotOf(this.#issuer(of![1]), of![0]), accession)
    }
  }

  /** Does `pass` with a person whose codes stand, where they are of a vault again and again until it told all of them: it must change
   * nothing, and nothing of a person may be used after it. */
  async withPerson<T>(key: string, pass: (person: Person) => Promise<T>): Promise<T> {
    if (this.#codes === undefined) return pass(this.person(key))
    return this.#codes.settle((asking) => pass(this.#asked(key, asking)))
  }

  /** Whether {@link withPerson} may do its pass more than once. */
  get asksAgain(): boolean {
    return this.#codes !== undefined
  }

  #asked(key: string, asking: Asking): Person {
    const { person, uid, accession, identifier } = asking.of(key)
    const shiftDays = this.#pseudonyms.shiftDays(key)
    return {
      pseudonym: person,
      shiftDays,
      dicom: {
        patientId: () => person,
        patientName: () => person,
        uid,
        accession: (value, issuer) => (value === "" ? "" : accession(this.#issuer(issuer), value)),
        identifier,
        shiftDays,
      },
    }
  }

  person(key: string): Person {
    const known = this.#persons.get(key)
    if (known !== undefined) return known
    if (this.#codes !== undefined) throw notPrepared()
    if (this.#persons.size >= mostKept) this.#persons.clear()
    const pseudonym = this.#pseudonyms.person(key)
    const shiftDays = this.#pseudonyms.shiftDays(key)
    const person: Person = {
      pseudonym,
      shiftDays,
      dicom: {
        patientId: () => pseudonym,
        patientName: () => pseudonym,
        uid: (uid) => this.nameUid(uid),
        accession: (value, issuer) => this.accession(value, issuer),
        identifier: this.#pseudonyms.identifier,
        shiftDays,
      },
    }
    this.#persons.set(key, person)
    return person
  }

  /** A UID of a record as objects have it. */
  uid(uid: string): string {
    // What is no UID is not kept as one, as in objects.
    const retained = this.#options.includes("retain-uids") && /^[\d.]*$/.test(uid)
    const stays = uid === "" || retained || isRegisteredUid(uid)
    return stays ? uid : this.nameUid(uid)
  }

  /** A UID for names of objects and folders, which never have one of the original, whatever is retained. */
  nameUid(uid: string): string {
    const known = this.#uids.get(uid)
    if (known !== undefined) return known
    if (this.#codes !== undefined) throw notPrepared()
    if (this.#uids.size >= mostKept) this.#uids.clear()
    const made = this.#pseudonyms.uid(uid)
    this.#uids.set(uid, made)
    return made
  }

  /** Whether faces are taken out of series that allow it. */
  get cleansFaces(): boolean {
    return this.#options.includes("clean-recognizable-visual-features")
  }

  /** What the filling of a series' cut is made of: nobody can make it without the key. */
  faceSecret(series: string): string {
    return this.#pseudonyms.identifier("weir-deface", series)
  }

  accession(value: string, issuer: string): string {
    if (value === "") return ""
    const name = this.#issuer(issuer)
    if (this.#codes === undefined) return this.#pseudonyms.accession(name, value)
    const known = this.#accessions.get(slotOf(name, value))
    if (known === undefined) throw notPrepared()
    return known
  }

  /** A time (ms since 1970, UTC) as it may be told below; undefined where dates are removed, or it cannot be told. */
  time(ms: number, { shiftDays }: Person): number | undefined {
    if (this.#options.includes("retain-longitudinal-full-dates")) return ms
    return this.#options.includes("retain-longitudinal-modified-dates") && this.#profile !== "safe-harbor"
      ? shiftTime(ms, shiftDays, this.#clock?.local)
      : undefined
  }

  /** The profile and options that ran, for records.
   * @param facesAllowed whether a series that may show a face was let through
   * @param reviewed whether a person let it through */
  profile(facesAllowed: boolean, reviewed = false): string {
    const named = this.#profile === undefined ? [] : [this.#profile]
    const parts = [`weir-ps3.15-${profileEdition}-basic`, ...named, ...this.#options]
    return [...parts, ...(facesAllowed ? ["faces-allowed"] : []), ...(reviewed ? [reviewedWord] : [])].join(" ")
  }

  /** Changes when anything does that verdicts depend on; holds nothing of the key but a pseudonym under it. */
  get fingerprint(): string {
    const { minDays, maxDays } = this.#shift
    const share = this.pixels === undefined ? "" : ` ${this.#share}`
    const clock = this.#clock?.name ?? "Z"
    const said = `${this.profile(this.faces === "allow")} ${minDays}-${maxDays} ${this.#issuers} ${clock}${share}`
    return this.#pseudonyms.identifier("weir-policy", said)
  }
}

const isOwn = (uid: string): boolean => uid !== "" && !isRegisteredUid(uid)
const isNumber = (given: Told["accession"]): given is readonly [string, string] =>
  given !== undefined && given[0] !== ""
const slotOf = (issuer: string, value: string): string => JSON.stringify([issuer, value])

/** A mistake of ours, and no code goes out that the vault does not hold. */
const notPrepared = () => fatal("code-not-asked", "a code of the vault is used that was not asked for")

const never = (): never => {
  throw notPrepared()
}
/** Objects are made of what a pass asked for, never of what records have at hand. */
const notAsked: Pseudonyms = {
  patientId: never,
  patientName: never,
  uid: never,
  accession: never,
  identifier: never,
  shiftDays: 0,
}

/** What is wrong with options and what they say of faces; undefined when nothing is. */
export const facesFault = (options: readonly ProfileOption[], faces: unknown): string | undefined =>
  faces === "allow" && options.includes("clean-recognizable-visual-features")
    ? "faces: allow and clean-recognizable-visual-features exclude each other"
    : undefined

function check(key: Uint8Array, shift: ShiftRange, asked: readonly ProfileOption[], faces: PolicyGiven["faces"]): void {
  const fault = optionsFault(asked) ?? facesFault(asked, faces)
  if (fault !== undefined) throw fatal("options-conflict", fault, { hint: "name one of them" })
  checkKey(key)
  checkShift(shift)
}
