import { type Addresses, readState } from "./cache.ts"

const NAMES = { kafka: "WEIR_TEST_KAFKA", postgres: "WEIR_TEST_POSTGRES", s3: "WEIR_TEST_S3" } as const

/** Where the environment says that services are. */
export function addressesOfEnvironment(): Partial<Addresses> {
  const { WEIR_TEST_KAFKA: kafka, WEIR_TEST_POSTGRES: postgres, WEIR_TEST_S3: endpoint } = process.env
  const { WEIR_TEST_S3_KEY: key = "test", WEIR_TEST_S3_SECRET: secret = "testsecret" } = process.env
  return {
    ...(kafka ? { kafka } : {}),
    ...(postgres ? { postgres } : {}),
    ...(endpoint ? { s3: { endpoint, key, secret } } : {}),
  }
}

/** Where the services for tests are: from the environment, else as `npm run services:up` left them. Throws when one is in
 * neither place, for a suite of real services is never skipped. */
export function services(): Addresses {
  const known = { ...readState().addresses, ...addressesOfEnvironment() }
  const missing = (Object.keys(NAMES) as (keyof Addresses)[]).filter((name) => known[name] === undefined)
  if (missing.length > 0)
    throw new Error(
      `no address of ${missing.join(", ")}: run "npm run services:up", or set ${missing.map((name) => NAMES[name]).join(", ")}`,
    )
  return known as Addresses
}
