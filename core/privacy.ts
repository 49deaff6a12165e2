import crypto from "node:crypto"

const dayMs = 86_400_000
const alphabet = Buffer.from("abcdefghijklmnopqrstuvwxyz234567", "latin1")

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

type Mac = (...parts: readonly string[]) => Buffer

const blockBytes = 64

const digestBytes = 32
/** Longest text that is hashed in one call, UTF-16 units; each is three bytes at most. */
const mostAtOnce = 1000

/** HMAC-SHA256 (RFC 2104) under one key of at most a block, of parts with their lengths. A record asks for dozens of MACs, and one
 * call with everything in one buffer takes less than half the time of two kept states. */
function macOf(key: Uint8Array): Mac {
  const padded = (pad: number, size: number) => {
    const block = Buffer.alloc(blockBytes + size, pad)
    for (const [at, byte] of key.entries()) block[at]! ^= byte
    return block
  }
  const inner = padded(0x36, 3 * mostAtOnce)
  const outer = padded(0x5c, digestBytes)
  return (...parts) => {
    let text = ""
    for (const part of parts) text += `${Buffer.byteLength(part)}:${part}`
    // Node has the one call from 20.12 on.
    if (text.length > mostAtOnce || typeof crypto.hash !== "function") {
      const states = [inner, outer].map((block) => crypto.createHash("sha256").update(block.subarray(0, blockBytes)))
      return states[1]!.update(states[0]!.update(text).digest()).digest()
    }
    const end = blockBytes + inner.write(text, blockBytes)
    outer.write(crypto.hash("sha256", inner.subarray(0, end), "binary"), blockBytes, "latin1")
    return crypto.hash("sha256", outer, "buffer")
  }
}

const mostRemembered = 20_000

/** Remembers what a function gave for a text: references to one patient or encounter come by the thousand. */
function remembered<A>(make: (text: string) => A): (text: string) => A {
  const known = new Map<string, A>()
  return (text) => {
    const found = known.get(text)
    if (found !== undefined) return found
    const made = make(text)
    if (known.size >= mostRemembered) known.clear()
    known.set(text, made)
    return made
  }
}

/** The same for a pair of texts, as one text; two pairs never give the same. */
function rememberedPairs(make: (one: string, other: string) => string): (one: string, other: string) => string {
  const known = remembered((pair: string) => {
    const from = pair.indexOf(":") + 1
    const to = from + Number.parseInt(pair, 10)
    return make(pair.slice(from, to), pair.slice(to))
  })
  return (one, other) => known(`${one.length}:${one}${other}`)
}

function base32(bytes: Uint8Array, characters: number): string {
  const out = Buffer.allocUnsafe(characters)
  let at = 0
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = ((value & 0x1f) << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      out[at++] = alphabet[(value >>> bits) & 31]!
      if (at === characters) return out.toString("latin1")
    }
  }
  return out.toString("latin1", 0, at)
}

/** What codes look like, made of 17 bytes or more. */
export const codeShapes = {
  /** 26 characters of [a-z2-7] (130 bits). */
  identifier: (bytes: Uint8Array): string => base32(bytes, 26),
  /** `2.25.` and a 122-bit integer (PS3.5 B.2 form of a version-4 UUID). */
  uid(bytes: Uint8Array): string {
    const uuid = Buffer.from(bytes.subarray(0, 16))
    uuid[6] = (uuid[6]! & 0x0f) | 0x40
    uuid[8] = (uuid[8]! & 0x3f) | 0x80
    return `2.25.${BigInt(`0x${uuid.toString("hex")}`)}`
  },
  /** 16 characters of [A-Z2-7]. */
  accession: (bytes: Uint8Array): string => base32(bytes, 16).toUpperCase(),
}

/** @param projectKey 32 bytes or more, fixed for the project's life. */
export function pseudonymizer(projectKey: Uint8Array, shift: ShiftRange = defaultShift): Pseudonymizer {
  const mac = (purpose: string) => macOf(new Uint8Array(crypto.hkdfSync("sha256", projectKey, "weir", purpose, 32)))
  const [ofPerson, ofUid, ofIdentifier, ofShift] = [mac("pseudonym"), mac("uid"), mac("identifier"), mac("shift")]
  const shiftDays = remembered(
    (person: string) =>
      shift.minDays + Number(ofShift(person).readBigUInt64BE(0) % BigInt(shift.maxDays - shift.minDays + 1)),
  )
  const identifier = rememberedPairs((namespace, value) => codeShapes.identifier(ofIdentifier(namespace, value)))
  const accession = rememberedPairs((issuer, value) => codeShapes.accession(ofIdentifier("accession", issuer, value)))
  return {
    person: remembered((person: string) => codeShapes.identifier(ofPerson(person))),
    uid: remembered((uid: string) => codeShapes.uid(ofUid(uid))),
    identifier,
    accession,
    shiftDays,
    shiftMs: (personKey) => shiftDays(personKey) * dayMs,
  }
}

/** The person key of a set of identifiers: HMAC-SHA256 under the deployment's identity key of the set's key member.
 * @returns the function of the member's namespace and value */
export function personKeys(identityKey: Uint8Array): (namespace: string, value: string) => string {
  const mac = macOf(new Uint8Array(crypto.hkdfSync("sha256", identityKey, "weir", "person", 32)))
  return (namespace, value) => base32(mac(namespace, value), 32)
}

/** One person key; who makes many keeps what `personKeys` gives. */
export const personKey = (identityKey: Uint8Array, namespace: string, value: string): string =>
  personKeys(identityKey)(namespace, value)

/** The identity key of a deployment that has only a project key (`weir deid` without --identity-key-file). */
export const identityKeyFrom = (projectKey: Uint8Array): Uint8Array =>
  new Uint8Array(crypto.hkdfSync("sha256", projectKey, "weir", "identity", 32))
