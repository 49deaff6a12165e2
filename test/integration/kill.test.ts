import { killSuite } from "./hospital/kill-suite.ts"

/** A few, so that every change meets them; all fifty are in kill.services.test.ts. WEIR_TEST_KILLS and WEIR_TEST_SEED ask for others. */
killSuite({ kills: Number(process.env["WEIR_TEST_KILLS"] ?? 6), seed: Number(process.env["WEIR_TEST_SEED"] ?? 1) })
