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

const quoted = (text: string): string =>
  `"${text.includes('"') || text.includes("\\") ? text.replace(/["\\]/g, "\\$&") : text}"`

/** Texts as an array literal (PostgreSQL 18, 8.15.2). */
export function textArray(texts: Iterable<string | undefined>): string {
  let literal = ""
  for (const text of texts) literal += `${literal === "" ? "{" : ","}${text === undefined ? "NULL" : quoted(text)}`
  return literal === "" ? "{}" : `${literal}}`
}

/** Numbers as an array literal. */
export const numberArray = (numbers: readonly (number | bigint)[]): string => `{${numbers.join(",")}}`
