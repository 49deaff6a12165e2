/** Items by what `of` tells of them, in their order (Object.groupBy, which Node 20 lacks). */
export function grouped<T>(items: Iterable<T>, of: (item: T) => string): Record<string, T[]> {
  const groups: Record<string, T[]> = {}
  for (const item of items) (groups[of(item)] ??= []).push(item)
  return groups
}
