/** Chunks of a stream, as many as one of its pieces made; the last chunk of all comes alone. */
export interface Cut {
  readonly chunks: readonly Uint8Array[]
  readonly last: boolean
}

/** Cuts a stream into chunks of `size` bytes; the last has 1 to `size`, or none when the stream is empty. Holds one chunk. */
export async function* cut(body: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Cut> {
  let held: Uint8Array[] = []
  let holding = 0
  for await (const piece of body) {
    const chunks: Uint8Array[] = []
    let at = 0
    // Something stays, which may be the last.
    while (holding + piece.length - at > size) {
      const part = piece.subarray(at, at + size - holding)
      chunks.push(held.length === 0 ? part : Buffer.concat([...held, part], size))
      at += part.length
      held = []
      holding = 0
    }
    if (at < piece.length) {
      // The giver may use its buffer again.
      held.push(Uint8Array.from(piece.subarray(at)))
      holding += piece.length - at
    }
    if (chunks.length > 0) yield { chunks, last: false }
  }
  yield { chunks: [held.length === 1 ? held[0]! : Buffer.concat(held, holding)], last: true }
}

/** The bytes [from, to) of a stream; ends it there. */
export async function* between(body: AsyncIterable<Uint8Array>, from: number, to: number): AsyncGenerator<Uint8Array> {
  let at = 0
  for await (const piece of body) {
    const part = piece.subarray(Math.max(0, from - at), Math.max(0, to - at))
    if (part.length > 0) yield part
    at += piece.length
    if (at >= to) return
  }
}

/** Reads the first `count` bytes of a stream, or all where it has fewer; gives them, and a stream of the rest. */
export async function beginning(
  body: AsyncIterable<Uint8Array>,
  count: number,
): Promise<readonly [begin: Uint8Array, rest: AsyncGenerator<Uint8Array>]> {
  const iterator = body[Symbol.asyncIterator]()
  let read: Uint8Array = new Uint8Array()
  while (read.length < count) {
    const next = await iterator.next()
    if (next.done === true) break
    read = read.length === 0 ? next.value : Buffer.concat([read, next.value])
  }
  return [read.subarray(0, count), chain(read.subarray(count), iterator)]
}

async function* chain(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let ended = false
  try {
    if (first.length > 0) yield first
    for (;;) {
      const next = await rest.next()
      if (next.done === true) break
      yield next.value
    }
    ended = true
  } finally {
    if (!ended) await rest.return?.()
  }
}
