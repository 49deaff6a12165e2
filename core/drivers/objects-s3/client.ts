import type { S3Client } from "@aws-sdk/client-s3"
import type { S3ObjectsOptions } from "./index.ts"
import type { Packages } from "./packages.ts"

/** A client of the SDK for a bucket's store. */
export function newClient({ s3 }: Packages, options: Omit<S3ObjectsOptions, "bucket">): S3Client {
  const { endpoint, region = "us-east-1", credentials, forcePathStyle = endpoint !== undefined } = options
  const { silenceMs = 20_000 } = options
  return new s3.S3Client({
    region,
    forcePathStyle,
    maxAttempts: 3,
    // The SDK's own limit of a request's time is written to the console, and ends nothing.
    requestHandler: { connectionTimeout: 5000, socketTimeout: silenceMs },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  })
}
