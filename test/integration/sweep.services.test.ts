import { S3Client, CreateBucketCommand } from "@aws-sdk/client-s3"
import { services } from "../services/addresses.ts"
import { sweepSuite } from "./sweep-suite.ts"
