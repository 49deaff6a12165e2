import { badRecord } from "../errors.ts"

const KEY = /^[A-Za-z0-9._=-]+(?:\/[A-Za-z0-9._=-]+)*$/
const DOTS = /(?:^|\/)\.{1,2}(?:\/|$)/
const MOST = 900
const MOST_SEGMENT = 255

/** Checks a key of the Objects port (see Objects); anything else rejects as a bad record, code `object-key`. S3 allows 1,024
 * bytes of key and file systems 255 a segment, so both limits hold everywhere. */
export function checkObjectKey(key: string): string {
  const long = key.length > MOST || key.split("/").some((segment) => segment.length > MOST_SEGMENT)
  if (long || !KEY.test(key) || DOTS.test(key))
    throw badRecord("object-key", `an object key of ${key.length} characters is not made of plain segments`, {
      hint: "segments of [A-Za-z0-9._=-] joined by '/', none '.' or '..', at most 900 characters",
    })
  return key
}
