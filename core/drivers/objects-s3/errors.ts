import { badRecord, fatal, retryable, systemic, WeirError } from "../../errors.ts"

interface S3Fault {
  readonly name: string
  readonly code: string | undefined
  readonly status: number | undefined
  readonly attempts: number
}

const REFUSED = new Set([
  "AccessDenied",
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
  "ExpiredToken",
  "TokenRefreshRequired",
  "CredentialsProviderError",
  "Forbidden",
])
const FULL = new Set(["QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "StorageFull"])
const KEYS = new Set(["KeyTooLongError", "ObjectParentIsFile", "ExistingObjectIsDirectory", "InvalidObjectName"])
const UNREACHABLE = new Set([
  "TimeoutError",
  "RequestTimeout",
  "SlowDown",
  "Throttling",
  "ThrottlingException",
  "TooManyRequestsException",
  "ServiceUnavailable",
  "InternalError",
  "IncompleteBody",
])

/** What is known of a thing that the S3 client threw. */
export function faultOf(thrown: unknown): S3Fault {
  const error = (thrown ?? {}) as {
    name?: string
    code?: string
    Code?: string
    $metadata?: { httpStatusCode?: number; attempts?: number }
  }
  return {
    name: error.Code ?? error.name ?? typeof thrown,
    code: typeof error.code === "string" ? error.code : undefined,
    status: error.$metadata?.httpStatusCode,
    attempts: error.$metadata?.attempts ?? 1,
  }
}

/** No object has the key: a bad-record error, code `object-missing`. */
export const missing = (cause?: unknown): WeirError =>
  badRecord("object-missing", "the object is not in the store", { cause })

/** Whether an answer says that there is no such object. */
export const isMissing = (thrown: unknown): boolean => {
  const { name, status } = faultOf(thrown)
  return name === "NoSuchKey" || (status === 404 && name !== "NoSuchBucket" && name !== "NoSuchUpload")
}

/** Turns what the S3 client threw into an error with a meaning: `object-missing`, `object-key` (bad record), `login-refused`,
 * `disk-full`, `bucket-missing` (systemic), `unreachable`, `object-checksum` (retryable), else `s3` (fatal). */
export function s3Error(thrown: unknown, what: string): WeirError {
  if (thrown instanceof WeirError) return thrown
  const { name, code, status = 0 } = faultOf(thrown)
  const told = `${what}: the object store answered ${status > 0 ? `${status} ` : ""}${name}`
  const detail = { cause: thrown }
  if (isMissing(thrown)) return missing(thrown)
  if (KEYS.has(name)) return badRecord("object-key", told, detail)
  if (name === "EntityTooLarge") return badRecord("object-too-large", told, detail)
  if (FULL.has(name) || status === 507) return systemic("disk-full", told, detail)
  if (REFUSED.has(name) || status === 401 || status === 403) return systemic("login-refused", told, detail)
  if (name === "NoSuchBucket") return systemic("bucket-missing", told, detail)
  // The SDK compares what came with the store's checksum, and says so in words alone.
  if (thrown instanceof Error && thrown.message.startsWith("Checksum mismatch"))
    return retryable("object-checksum", `${what}: the bytes that came are not the ones that the store has`, {
      hint: "read it again; if it stays so, the object is damaged in the store",
    })
  const passing = UNREACHABLE.has(name) || status >= 500 || status === 429 || status === 408 || status === 409
  // Whatever never got an answer is a matter of the network: E… of the system, or a stream that ended early.
  if (passing || (status === 0 && code?.startsWith("E") === true)) return retryable("unreachable", told, detail)
  return fatal("s3", told, detail)
}
