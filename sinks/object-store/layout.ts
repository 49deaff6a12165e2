/** Offsets as they stand in keys: 20 digits hold an int64, so keys sort as offsets do. */
export const digits = (offset: bigint): string => offset.toString().padStart(20, "0")

/** A topic and partition. */
export interface Place {
  readonly topic: string
  readonly partition: number
}

const folder = ({ topic, partition }: Place): string => `${topic}/${partition}`

/** Key of a file of lines: offsets [from, next) of a partition, under the hash of its bytes. */
export const dataKey = (place: Place, from: bigint, next: bigint, sha256: string): string =>
  `data/${folder(place)}/${digits(from)}-${digits(next)}-${sha256}.jsonl.gz`

/** Prefix of the keys of all files that begin in [from, to), and of few others. */
export function dataPrefix(place: Place, from: bigint, to: bigint): string {
  const [first, last] = [digits(from), digits(to - 1n)]
  let common = 0
  while (common < first.length && first[common] === last[common]) common++
  return `data/${folder(place)}/${first.slice(0, common)}`
}

/** The first offset of a data file, from its key. */
export const dataFrom = (key: string): bigint => BigInt(key.slice(key.lastIndexOf("/") + 1).slice(0, 20))

/** Prefix of the keys of a chunk's manifest records. */
export const manifestPrefix = (place: Place, from: bigint): string => `manifests/${folder(place)}/${digits(from)}-`

/** Prefix of the keys of all manifest records of a partition; the last one is of its last chunk. */
export const manifestsPrefix = (place: Place): string => `manifests/${folder(place)}/`

/** The first offset of the chunk that a manifest record is of, from its key. */
export const manifestFrom = (key: string): bigint => dataFrom(key)

/** Key of the manifest record of a chunk that begins at `from`, written up to `next`. */
export const manifestKey = (place: Place, from: bigint, next: bigint): string =>
  `${manifestPrefix(place, from)}${digits(next)}.json`

/** Key of what holds for a whole topic: the size of its chunks and its record type. */
export const layoutKey = (topic: string): string => `manifests/${topic}/layout.json`
