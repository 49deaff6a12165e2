import { killSuite } from "./hospital/kill-suite.ts"

/** The embedded ports need no service; it is here because it takes minutes. */
killSuite({ kills: Number(process.env["WEIR_TEST_KILLS"] ?? 50), seed: Number(process.env["WEIR_TEST_SEED"] ?? 1) })
