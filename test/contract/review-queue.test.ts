import { afterAll } from "vitest"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { reviewSuite } from "./review-suite.ts"

const server = await temporaryPostgres()
afterAll(() => server.close())

reviewSuite("an embedded server", () => server.url)
