export { packageFolder, weirVersion as version } from "../core/package-version.ts"

/** How a user of this copy calls `weir`: from the repository, or as an installed package. */
export const invocation = (): string => (import.meta.filename.endsWith(".ts") ? "npm run -s weir --" : "npx weir")
