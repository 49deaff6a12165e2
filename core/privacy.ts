import { createHmac, hkdfSync } from "node:crypto"

const dayMs = 86_400_000
const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

/** The functions that take identity out, all keyed by one project key; the same for every format, so that a person is one
 * pseudonym and one shift everywhere in a project. Sub-keys are HKDF-SHA256 (RFC 5869) of the project key, one a purpose. */
export interface Pseudonymizer {
  /** 26 characters of [a-z2-7] (130 bits) for a person key. */
  person(personKey: string): string
  /** `2.25.` and a 122-bit integer (PS3.5 B.2 form of a version-4 UUID) for a UID. */
  uid(uid: string): string
  /** 26 characters of [a-z2-7] for a resource id or any other identifier in a namespace. */
  identifier(namespace: string, value: string): string
  /** 16 characters of [A-Z2-7] (fits DICOM SH) for an accession number with its issuer. */
  accession(issuer: string, value: string): string
  /** Whole days to move a person's dates backwards, in [minDays, maxDays]. */
  shiftDays(personKey: string): number
  /** The same in milliseconds, to be subtracted. */
  shiftMs(personKey: string): number
}

/** Bounds of the date shift in whole days, backwards, both included. */
export interface ShiftRange {
  readonly minDays: number
  readonly maxDays: number
}

/** 365 to 3,650 days backwards. */
export const defaultShift: ShiftRange = { minDays: 365, maxDays: 3650 }

const digest = (key: Uint8Array, ...parts: string[]): Buffer => {
  const mac = createHmac("sha256", key)
  for (const part of parts) mac.update(`${Buffer.byteLength(part)}:`).update(part)
  return mac.digest()
}

function base32(bytes: Uint8Array, characters: number): string {
  let out = ""
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = ((value & 0x1f) << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      out += alphabet[(value >>> bits) & 31]
      if (out.length === characters) return out
    }
  }
  return out
}

/** @param projectKey 32 bytes or more, fixed for the project's life. */
export function pseudonymizer(projectKey: Uint8Array, shift: ShiftRange = defaultShift): Pseudonymizer {
  const subKey = (purpose: string) => new Uint8Array(hkdfSync("sha256", projectKey, "weir", purpose, 32))
  const [pseudonymKey, uidKey, identifierKey, shiftKey] = ["pseudonym", "uid", "identifier", "shift"].map(subKey) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  const shiftDays = (personKey: string) =>
    shift.minDays + Number(digest(shiftKey, personKey).readBigUInt64BE(0) % BigInt(shift.maxDays - shift.minDays + 1))
  return {
    person: (personKey) => base32(digest(pseudonymKey, personKey), 26),
    uid(uid) {
      const bytes = digest(uidKey, uid).subarray(0, 16)
      bytes[6] = (bytes[6]! & 0x0f) | 0x40
      bytes[8] = (bytes[8]! & 0x3f) | 0x80
      return `2.25.${BigInt(`0x${bytes.toString("hex")}`)}`
    },
    identifier: (namespace, value) => base32(digest(identifierKey, namespace, value), 26),
    accession: (issuer, value) => base32(digest(identifierKey, "accession", issuer, value), 16).toUpperCase(),
    shiftDays,
    shiftMs: (personKey) => shiftDays(personKey) * dayMs,
  }
}

/** The person key of a set of identifiers: HMAC-SHA256 under the deployment's identity key of the set's key member. */
export function personKey(identityKey: Uint8Array, namespace: string, value: string): string {
  return base32(digest(new Uint8Array(hkdfSync("sha256", identityKey, "weir", "person", 32)), namespace, value), 32)
}

/** The identity key of a deployment that has only a project key (`weir deid` without --identity-key-file). */
export const identityKeyFrom = (projectKey: Uint8Array): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", projectKey, "weir", "identity", 32))
