/** What plugin authors test with: `weir/testing`. */
export * from "./harness.ts"
export * from "./memory-state.ts"
export * from "./memory-reviews.ts"
export * from "./memory-vault.ts"
export * from "./source-run.ts"
export * from "./plugin-contract.ts"
export type * from "./contract/cases.ts"
