import type { Body } from "../../ports/objects.ts"

/** Bytes of a part; a body that fits is put whole. */
export const PART = 8 << 20

/** A body, as far as it was looked at: all of it, or its beginning and all the pieces from the beginning on. */
export type Opened =
  { readonly whole: Uint8Array } | { readonly pieces: AsyncGenerator<Uint8Array>; readonly size: () => number }

/** The failure of a body itself, which is not the store's. */
export class BodyFailure extends Error {
  override readonly name = "BodyFailure"
  constructor(cause: unknown) {
    super("the body failed", { cause })
  }
}

/** Reads a body until it is known to be larger than a part. */
export async function openBody(body: Body): Promise<Opened> {
  if (body instanceof Uint8Array) return body.length <= PART ? { whole: body } : counted(cut(body))
  const iterator = body[Symbol.asyncIterator]()
  const first: Uint8Array[] = []
  for (let size = 0; size <= PART;) {
    const next = await step(iterator)
    if (next.done === true) return { whole: first.length === 1 ? first[0]! : Buffer.concat(first) }
    // The giver may use its buffer again, and what is kept here outlives the step.
    first.push(Buffer.from(next.value))
    size += next.value.length
  }
  return counted(chain(first, iterator))
}

async function step(iterator: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  try {
    return await iterator.next()
  } catch (error) {
    throw new BodyFailure(error)
  }
}

async function* cut(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += PART) yield bytes.subarray(from, from + PART)
}

async function* chain(first: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let ended = false
  try {
    yield* first
    for (;;) {
      const next = await step(rest)
      if (next.done === true) break
      yield next.value
    }
    ended = true
  } finally {
    if (!ended) await rest.return?.()
  }
}

function counted(pieces: AsyncGenerator<Uint8Array>): Opened {
  let size = 0
  const count = async function* () {
    for await (const piece of pieces) {
      size += piece.length
      yield piece
    }
  }
  return { pieces: count(), size: () => size }
}
