/** Files that are at hand at the same time. */
const width = 4

/** Results in the order of the items, a few begun at the same time. */
export async function* inOrder<T, R>(items: readonly T[], work: (item: T) => Promise<R>): AsyncGenerator<R> {
  const begun: Promise<R>[] = []
  let next = 0
  while (next < items.length || begun.length > 0) {
    while (next < items.length && begun.length < width) {
      const one = work(items[next++]!)
      // Whoever awaits it in its turn sees the failure; until then it must not count as unhandled.
      one.catch(() => {})
      begun.push(one)
    }
    yield await begun.shift()!
  }
}
