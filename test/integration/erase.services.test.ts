import { randomBytes } from "node:crypto"
import { services } from "../services/addresses.ts"
import { erasingSuite } from "./erase-suite.ts"

const buckets = () => {
  const { endpoint, key, secret } = services().s3
  const bucket = `weir-e${randomBytes(4).toString("hex")}`
  return { driver: "s3", endpoint, bucket, "access-key": key, "secret-key": secret }
}
erasingSuite("S3", buckets)
erasingSuite("S3", buckets, true)
