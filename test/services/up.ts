import { readState } from "./cache.ts"
import { up } from "./start.ts"

const begun = await up()
const { addresses } = readState()
console.log(begun.length === 0 ? "all services were up" : `started ${begun.join(", ")}`)
console.log(`export WEIR_TEST_KAFKA=${addresses.kafka}`)
console.log(`export WEIR_TEST_POSTGRES=${addresses.postgres}`)
console.log(`export WEIR_TEST_S3=${addresses.s3?.endpoint}`)
console.log(`export WEIR_TEST_S3_KEY=${addresses.s3?.key} WEIR_TEST_S3_SECRET=${addresses.s3?.secret}`)
process.exit(0)
