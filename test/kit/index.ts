/** What plugin authors test with: `weir/testing`. */
export * from "./harness.ts"
export * from "./memory-state.ts"
