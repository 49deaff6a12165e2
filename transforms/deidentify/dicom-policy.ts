import { createHash, createHmac } from "node:crypto"
import { defaultShift, fatal, pseudonymizer } from "../../core/index.ts"
import type { Pseudonymizer, ShiftRange } from "../../core/index.ts"
import { deidentifier, isRegisteredUid, optionsFault, profileEdition } from "../../formats/dicom/index.ts"
import type { Deidentify, ProfileOption, Pseudonyms } from "../../formats/dicom/index.ts"
import type { LocalTime } from "../../formats/fhir/deidentify/index.ts"
import { PixelCleaner } from "./pixels/clean-pixels.ts"
import { OcrEngine } from "./pixels/ocr-engine.ts"
import type { ReadText } from "./pixels/read-text.ts"
import { shiftTime } from "./record-dates.ts"

/** What is the same for all images of a project. */
export interface PolicyGiven {
  /** 32 bytes or more. */
  readonly projectKey: Uint8Array
  readonly options: readonly ProfileOption[]
  readonly faces: "refuse" | "allow"
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

/** Tells what is made under one project key from what is made under another; nothing of the key is in it. */
export const keyIdOf = (projectKey: Uint8Array): string =>
  createHmac("sha256", projectKey).update("weir key id").digest("hex").slice(0, 16)

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

/** The de-identification of a project's images: one policy, for the stream and for `weir deid` alike.
 * Throws fatal `key-too-short`, `shift-range`, `options-conflict`. */
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
  readonly #issuers: ReadonlyMap<string, string>
  readonly #shift: ShiftRange
  readonly #clock: PolicyGiven["clock"]
  readonly #persons = new Map<string, Person>()
  readonly #uids = new Map<string, string>()

  constructor(given: PolicyGiven) {
    this.#shift = given.shift ?? defaultShift
    check(given.projectKey, this.#shift, given.options, given.faces)
    this.#options = [...new Set(given.options)].sort()
    this.faces = given.faces
    this.keyId = keyIdOf(given.projectKey)
    this.#clock = given.clock
    this.#pseudonyms = pseudonymizer(given.projectKey, this.#shift)
    this.#issuers = new Map((given.accessionIssuers ?? []).flatMap((same) => same.map((one) => [one, same[0]!])))
    this.deidentify = deidentifier({
      options: this.#options,
      faces: this.faces,
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

  person(key: string): Person {
    const known = this.#persons.get(key)
    if (known !== undefined) return known
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
    return value === "" ? "" : this.#pseudonyms.accession(this.#issuers.get(issuer) ?? issuer, value)
  }

  /** A time (ms since 1970, UTC) as it may be told below; undefined where dates are removed, or it cannot be told. */
  time(ms: number, { shiftDays }: Person): number | undefined {
    if (this.#options.includes("retain-longitudinal-full-dates")) return ms
    return this.#options.includes("retain-longitudinal-modified-dates")
      ? shiftTime(ms, shiftDays, this.#clock?.local)
      : undefined
  }

  /** The profile and options that ran, for records.
   * @param facesAllowed whether a series that may show a face was let through */
  profile(facesAllowed: boolean): string {
    const parts = [`weir-ps3.15-${profileEdition}-basic`, ...this.#options]
    return [...parts, ...(facesAllowed ? ["faces-allowed"] : [])].join(" ")
  }

  /** Changes when anything does that verdicts depend on; holds nothing of the key but a pseudonym under it. */
  get fingerprint(): string {
    const { minDays, maxDays } = this.#shift
    const issuers = JSON.stringify([...this.#issuers].sort())
    const share = this.pixels === undefined ? "" : ` ${this.#share}`
    const clock = this.#clock?.name ?? "Z"
    const said = `${this.profile(this.faces === "allow")} ${minDays}-${maxDays} ${issuers} ${clock}${share}`
    return this.#pseudonyms.identifier("weir-policy", said)
  }
}

/** What is wrong with options and what they say of faces; undefined when nothing is. */
export const facesFault = (options: readonly ProfileOption[], faces: unknown): string | undefined =>
  faces === "allow" && options.includes("clean-recognizable-visual-features")
    ? "faces: allow and clean-recognizable-visual-features exclude each other"
    : undefined

function check(
  key: Uint8Array,
  { minDays, maxDays }: ShiftRange,
  asked: readonly ProfileOption[],
  faces: PolicyGiven["faces"],
): void {
  const fault = optionsFault(asked) ?? facesFault(asked, faces)
  if (fault !== undefined) throw fatal("options-conflict", fault, { hint: "name one of them" })
  if (key.length < 32)
    throw fatal("key-too-short", "the project key has less than 32 bytes", {
      path: "key",
      hint: "make one of 32 random bytes",
    })
  if (!Number.isInteger(minDays) || minDays < 1 || maxDays < minDays)
    throw fatal("shift-range", "the date shift needs 1 <= min-days <= max-days", { path: "shift" })
}
