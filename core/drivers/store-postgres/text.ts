import { badRecord } from "../../errors.ts"

/** An index entry holds at most 2,704 bytes on a page of 8 KiB (PostgreSQL, access/nbtree.h). */
const longestKey = 2000

/** A key as PostgreSQL can keep it: its text has no U+0000, which becomes U+0001 U+0001, and U+0001 becomes U+0001 U+0002, so
 * that the order by bytes stays.
 * @throws bad-record `state-key` when it is too long for an index or not well-formed UTF-16 */
export function toStored(text: string): string {
  if ((text.length > longestKey / 3 && Buffer.byteLength(text) > longestKey) || !text.isWellFormed())
    throw badRecord("state-key", `a key of state is longer than ${longestKey} bytes or has half a character`)
  if (!text.includes("\0") && !text.includes("\u0001")) return text
  return text.replaceAll("\u0001", "\u0001\u0002").replaceAll("\0", "\u0001\u0001")
}

/** The inverse of `toStored`. */
export const fromStored = (text: string): string =>
  text.includes("\u0001") ? text.replaceAll("\u0001\u0001", "\0").replaceAll("\u0001\u0002", "\u0001") : text

const headerBytes = 20
const textOid = 25

/** Texts as a parameter of type text[], in the binary format of arrays (PostgreSQL, array_recv): nothing is quoted, and the bytes
 * are written once. */
export function textArray(texts: readonly (string | undefined)[]): Buffer {
  let size = headerBytes
  for (const text of texts) size += 4 + (text === undefined ? 0 : Buffer.byteLength(text))
  const bytes = Buffer.allocUnsafe(size)
  // Dimensions (an empty array has none), whether there are nulls, element type, length, lower bound.
  bytes.writeInt32BE(texts.length === 0 ? 0 : 1, 0)
  bytes.writeInt32BE(texts.includes(undefined) ? 1 : 0, 4)
  bytes.writeInt32BE(textOid, 8)
  bytes.writeInt32BE(texts.length, 12)
  bytes.writeInt32BE(1, 16)
  let at = headerBytes
  for (const text of texts) {
    const length = text === undefined ? -1 : bytes.write(text, at + 4)
    bytes.writeInt32BE(length, at)
    at += 4 + Math.max(0, length)
  }
  return texts.length === 0 ? bytes.subarray(0, 12) : bytes
}

/** Numbers as an array literal; undefined becomes null. */
export const numberArray = (numbers: readonly (number | bigint | undefined)[]): string =>
  `{${numbers.map((number) => number ?? "NULL").join(",")}}`
