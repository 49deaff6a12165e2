import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto"
import { fatal } from "../errors.ts"

const format = 1
const [nonceBytes, tagBytes] = [12, 16]

/** A 32-byte key for one purpose (HKDF-SHA256, RFC 5869). */
export const subKey = (key: Uint8Array, purpose: string): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", key, "weir-vault", purpose, 32))

/** Seals bytes with AES-256-GCM (NIST SP 800-38D) under a random nonce.
 * @param context what the bytes are, bound to them: they open nowhere else
 * @returns a format byte, the nonce, the tag, the ciphertext */
export function seal(key: Uint8Array, plain: Uint8Array, context: string): Uint8Array {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context))
  const text = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([Buffer.of(format), nonce, cipher.getAuthTag(), text])
}

/** Opens what `seal` made.
 * @throws fatal `vault-seal` for another key, another context, and bytes that were changed */
export function unseal(key: Uint8Array, sealed: Uint8Array, context: string): Uint8Array {
  const text = 1 + nonceBytes + tagBytes
  if (sealed[0] !== format || sealed.length < text) throw broken()
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(1, 1 + nonceBytes), { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(1 + nonceBytes, text))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(text)), decipher.final()])
  } catch {
    throw broken()
  }
}

const broken = () => fatal("vault-seal", "a sealed value does not open: it is under another key, or it was changed")
