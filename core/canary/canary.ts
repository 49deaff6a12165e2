import { readFile } from "node:fs/promises"
import { fatal } from "../errors.ts"

/** What a canary's identifiers are of; errors, counters and `except:` name them. */
export const canaryKinds = [
  "family-name",
  "given-name",
  "mrn",
  "patient-id",
  "birth-date",
  "phone",
  "street",
  "accession",
  "uid",
] as const
/** A kind of identifier. */
export type CanaryKind = (typeof canaryKinds)[number]

/** A patient that there is not, whose every identifier is found nowhere but in what was made of it. */
export interface Canary {
  /** Tells it from others, in logs and counters; says nothing of its identifiers. */
  readonly name: string
  /** One value a kind. `birth-date` as yyyy-mm-dd; `accession` and `uid` are what those of its studies begin with. */
  readonly identifiers: Readonly<Record<CanaryKind, string>>
}

/** Shorter spellings are met by chance. Bytes. */
export const shortestSpelling = 6

/** Reads a file that `weir canary new` wrote.
 * @throws fatal `canaries-unreadable`: without them nothing would be watched */
export async function readCanaries(path: string): Promise<readonly Canary[]> {
  const hint = "make one with: weir canary new --out FILE"
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw fatal("canaries-unreadable", "the file of the canaries cannot be read", {
      path: "canaries.file",
      hint,
      cause,
    })
  })
  let list: unknown
  try {
    list = (JSON.parse(bytes.toString()) as { canaries?: unknown }).canaries
  } catch {
    list = undefined
  }
  if (!Array.isArray(list) || list.length === 0 || !list.every(isCanary))
    throw fatal("canaries-unreadable", "the file of the canaries is not one, or names none", {
      path: "canaries.file",
      hint,
    })
  return list
}

function isCanary(value: unknown): value is Canary {
  const { name, identifiers } = (value ?? {}) as { name?: unknown; identifiers?: Record<string, unknown> }
  if (typeof name !== "string" || !/^[a-z0-9-]{1,40}$/.test(name) || typeof identifiers !== "object") return false
  return canaryKinds.every((kind) => {
    const text = identifiers[kind]
    return typeof text === "string" && Buffer.byteLength(text) >= shortestSpelling
  })
}
