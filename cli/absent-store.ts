import { classify } from "../core/errors.ts"
import type { Store } from "../core/ports/store.ts"

/** In the place of a Store that cannot be opened now, for who looks at the Log all the same: each call rejects with the error that
 * opening it gave. An error that no time heals is thrown. */
export function absentStore(thrown: unknown): Store {
  const error = classify(thrown)
  if (error.meaning !== "retryable" && error.meaning !== "systemic") throw error
  const refuse = () => Promise.reject(error)
  return {
    driver: "absent",
    url: "",
    claim: refuse,
    positions: refuse,
    tasks: refuse,
    query: refuse,
    audit: refuse,
    objects: { refresh: refuse, count: refuse, sweep: refuse },
    close: () => Promise.resolve(),
  }
}
