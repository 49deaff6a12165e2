/** Numbers in [0, below), the same for the same seed (xorshift, G. Marsaglia 2003). */
function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

/** Ways to cut a list: whole, one by one, in halves, and a few at random (the same ones each time). */
export function cutsOf<T>(items: readonly T[]): readonly (readonly (readonly T[])[])[] {
  const at = (sizes: (left: number) => number): (readonly T[])[] => {
    const pieces: (readonly T[])[] = []
    for (let from = 0, size = 0; from < items.length; from += size) {
      size = sizes(items.length - from)
      pieces.push(items.slice(from, from + size))
    }
    return pieces
  }
  const random = [1, 2, 3, 4].map((seed) => {
    const next = numbers(seed * 7919)
    return at((left) => 1 + next(Math.min(left, 5)))
  })
  return [at((left) => left), at(() => 1), at((left) => Math.max(1, left >> 1)), ...random]
}

/** Orders of a list: backwards, and a few at random (the same ones each time). */
export function ordersOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  const random = Array.from({ length: 8 }, (_, at) => {
    const next = numbers((at + 1) * 104_729)
    const order = [...items]
    for (let i = order.length - 1; i > 0; i--) {
      const j = next(i + 1)
      ;[order[i], order[j]] = [order[j]!, order[i]!]
    }
    return order
  })
  return [items.toReversed(), ...random]
}
