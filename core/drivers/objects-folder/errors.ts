import { badRecord, classify, retryable, systemic, type WeirError } from "../../errors.ts"

/** The `errno` name of a file system's error. */
export const errnoOf = (thrown: unknown): string | undefined => {
  const { code } = (thrown ?? {}) as { code?: unknown }
  return typeof code === "string" ? code : undefined
}

/** No object has the key: a bad-record error, code `object-missing`. */
export const missing = (): WeirError => badRecord("object-missing", "the object is not in the store")

/** What a file system's error means: `disk-full`, `access-refused` (systemic), `object-key`, `object-missing` (bad record),
 * `unreachable` (retryable); others are classified as everywhere. */
export function fileError(thrown: unknown): WeirError {
  const errno = errnoOf(thrown)
  switch (errno) {
    case "ENOENT":
      return missing()
    case "ENOTDIR":
    case "EISDIR":
    case "ENAMETOOLONG":
      return badRecord("object-key", `the key collides with the folder of another (${errno})`, { cause: thrown })
    case "EACCES":
    case "EPERM":
      return systemic("access-refused", `the folder of the objects refused access (${errno})`, { cause: thrown })
    case "EIO":
    case "ESTALE":
    case "ETIMEDOUT":
    case "EMFILE":
    case "ENFILE":
      return retryable("unreachable", `the folder of the objects did not answer (${errno})`, { cause: thrown })
    default:
      return classify(thrown)
  }
}
