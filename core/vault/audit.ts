import { createHmac } from "node:crypto"
import type { VaultLine } from "../ports/vault.ts"

const nothingBefore = new Uint8Array(32)

type Said = Omit<VaultLine, "hash">

/** HMAC-SHA256 of a line and the hash before it: who may write the table but has no key of the vault cannot make one. */
function hashOf(auditKey: Uint8Array, project: string, before: Uint8Array, line: Said): Uint8Array {
  const { number, at, actor, action, detail } = line
  const said = JSON.stringify([project, number, at, actor, action, detail])
  return createHmac("sha256", auditKey).update(before).update(said).digest()
}

/** The line that follows another in the chain of a project. */
export function nextLine(
  auditKey: Uint8Array,
  project: string,
  last: VaultLine | undefined,
  said: Omit<Said, "number">,
): VaultLine {
  const line = { number: (last?.number ?? 0) + 1, ...said }
  return { ...line, hash: hashOf(auditKey, project, last?.hash ?? nothingBefore, line) }
}

/** Whether a line is what was written after the one with that hash. */
export const isLineOf = (
  auditKey: Uint8Array,
  project: string,
  before: Uint8Array | undefined,
  line: VaultLine,
): boolean => Buffer.compare(hashOf(auditKey, project, before ?? nothingBefore, line), line.hash) === 0

/** A place of the chain that can be noted down elsewhere: `NUMBER:HASH`. The lines up to it can then not be taken away unseen. */
export const placeOf = (line: VaultLine | undefined): string =>
  line === undefined ? "0:" : `${line.number}:${Buffer.from(line.hash).toString("hex")}`

/** The first line that is not what was written, or is missing: its number; undefined when the chain is whole.
 * @param noted a place of the chain that was noted down before */
export function firstBroken(
  auditKey: Uint8Array,
  project: string,
  lines: readonly VaultLine[],
  noted?: string,
): number | undefined {
  let before: Uint8Array = nothingBefore
  for (const [at, line] of lines.entries()) {
    const expected = hashOf(auditKey, project, before, line)
    if (line.number !== at + 1 || Buffer.compare(expected, line.hash) !== 0) return at + 1
    before = line.hash
  }
  if (noted === undefined) return undefined
  const number = Number.parseInt(noted, 10)
  return placeOf(lines[number - 1]) === noted ? undefined : Number.isSafeInteger(number) ? number : lines.length + 1
}
