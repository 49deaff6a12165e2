import type { CompiledStage } from "./model.ts"

/** Names of the secrets that open the vaults of steps. */
export const vaultSecrets = (stages: readonly CompiledStage[]): readonly string[] => [
  ...new Set(
    stages.flatMap(({ steps }) =>
      steps.flatMap(({ options }) => {
        const { vault } = (options ?? {}) as { readonly vault?: unknown }
        return typeof vault === "string" ? [vault] : []
      }),
    ),
  ),
]
