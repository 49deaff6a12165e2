import { shift } from "./definition.ts"
import type { Definition, Leaf } from "./definition.ts"
import type { Pool } from "./pool.ts"
import { eventReads } from "./sorts.ts"
import type { Subject } from "./subject.ts"

/** Why no negative may be said yet. */
export interface Gate {
  readonly reason?: "study-time-unknown" | "encounter-unknown" | "window-open" | "feed-incomplete" | "not-observed"
  readonly wakeAt?: number
  readonly waitsForFeeds?: true
}

/** How far a feed is complete: the least that any source of the type declares; undefined when none does.
 * @param completeThrough by `<source>/<type>` or `<source>/*` */
export function completeThrough(type: string, declared: ReadonlyMap<string, number>): number | undefined {
  let least: number | undefined
  for (const [feed, through] of declared) {
    const named = feed.slice(feed.lastIndexOf("/") + 1)
    if (named === type || named === "*") least = Math.min(least ?? through, through)
  }
  return least
}

/** The last ms of a leaf's window: of its visits where it has no window of its own. */
function windowEnd(leaf: Leaf, subject: Subject, pool: Pool): number | Gate {
  if (leaf.sameEncounter && subject.encounters.size === 0) return { reason: "encounter-unknown" }
  if (leaf.window !== undefined)
    return subject.last === null ? { reason: "study-time-unknown" } : shift(subject.last, leaf.window.to)
  const ends = [...subject.encounters].map((encounter) => pool.visits.get(encounter)?.last ?? null)
  return ends.includes(null) ? { reason: "window-open" } : Math.max(...(ends as number[]))
}

/** What a negative needs (DESIGN.md, Time and truth): the window over by the calendar, the feeds complete past it, the person
 * observed to its end. A visit that has ended is a declared period. */
export function negativeGate(definition: Definition, leaf: Leaf, subject: Subject, pool: Pool): Gate {
  const end = windowEnd(leaf, subject, pool)
  if (typeof end !== "number") return end
  const over = Math.max(end, shift(subject.last ?? end, definition.horizon)) + 1
  const { reached, completeThrough: declared } = pool.known
  if (reached === undefined || reached < over) return { reason: "window-open", wakeAt: over }
  const complete = definition.feeds.every((type) => (completeThrough(type, declared) ?? -Infinity) > end)
  if (!complete) return { reason: "feed-incomplete", waitsForFeeds: true }
  const declaredPeriod = pool.periods.some(({ from, last }) => from <= end && end <= last)
  const observed = leaf.window === undefined || declaredPeriod || pool.event(eventReads(end))
  return observed ? {} : { reason: "not-observed" }
}
