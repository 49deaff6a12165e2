/** The version of a record whose source states one: lastUpdated in milliseconds x 2^20 + a numeric version id (fits an int64).
 * @param lastUpdated milliseconds since 1970, UTC
 * @param versionId below 2^20; larger or not numeric ones count as 0 */
export function statedVersion(lastUpdated: number, versionId: string | undefined): bigint {
  const id = versionId !== undefined && /^\d{1,7}$/.test(versionId) ? BigInt(versionId) : 0n
  return BigInt(Math.max(0, Math.trunc(lastUpdated))) * 1_048_576n + (id < 1_048_576n ? id : 0n)
}

/** The version of a record whose source states none: its arrival number, below 2^40.
 * @param file ordinal of the file, below 2^16
 * @param line ordinal of the record within it, below 2^24 */
export const arrivalVersion = (file: number, line: number): bigint =>
  (BigInt(file) % 65_536n) * 16_777_216n + (BigInt(line) % 16_777_216n)
