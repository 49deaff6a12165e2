import { Findings, clockFinding } from "../../ports/finding.ts"
import type { Finding } from "../../ports/finding.ts"
import { faultOf } from "./errors.ts"
import { newClient } from "./client.ts"
import type { S3ObjectsOptions } from "./index.ts"
import { loadPackages } from "./packages.ts"

/** Looks whether a bucket is there, and how far the store's clock is from this machine's; makes nothing. */
export async function checkS3(about: string, options: S3ObjectsOptions): Promise<readonly Finding[]> {
  const found = new Findings(about)
  const packages = await loadPackages()
  const client = newClient(packages, options)
  let date: string | undefined
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const { headers } = result.response as { readonly headers?: Readonly<Record<string, string>> }
      date = headers?.["date"]
      return result
    },
    { step: "deserialize", name: "weirDate", priority: "low" },
  )
  const before = Date.now()
  try {
    await client.send(new packages.s3.HeadBucketCommand({ Bucket: options.bucket }))
    // An HTTP date has whole seconds (RFC 9110, 5.6.7).
    if (date !== undefined) clockFinding(found, Date.parse(date), before, Date.now(), 1000)
  } catch (error) {
    const { status, name } = faultOf(error)
    if (status === 404)
      found.warning(`bucket ${options.bucket} is not there`, "it is made now, with the store's defaults")
    else if (status === 403)
      found.failed(`bucket ${options.bucket} refuses (${name})`, "check access-key, secret-key and the bucket's policy")
    else if (name === "RequestTimeTooSkewed") found.failed("the clocks differ too much", "synchronise both by NTP")
  } finally {
    client.destroy()
  }
  return found.all
}
