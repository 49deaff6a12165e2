/** The partition of a key: murmur2 of its UTF-8 bytes, positive, modulo the count; what Apache Kafka's Java client does with
 * the bytes of a message key. Every driver uses it; the message key itself is longer (key and id). */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions
}

/** 32-bit MurmurHash2 with Kafka's seed (org.apache.kafka.common.utils.Utils.murmur2), as a signed integer. */
export function murmur2(data: Uint8Array): number {
  const m = 0x5bd1e995
  const length = data.length
  let h = 0x9747b28c ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    let k = data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    h = Math.imul(h, m) ^ Math.imul(k, m)
  }
  const left = length - at
  if (left === 3) h ^= data[at + 2]! << 16
  if (left >= 2) h ^= data[at + 1]! << 8
  if (left >= 1) h = Math.imul(h ^ data[at]!, m)
  h ^= h >>> 13
  h = Math.imul(h, m)
  return h ^ (h >>> 15)
}
