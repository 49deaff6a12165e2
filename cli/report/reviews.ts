import type { CompiledPipeline } from "../../core/pipeline/model.ts"
import type { ReviewRow } from "../../core/ports/reviews.ts"
import type { Store } from "../../core/ports/store.ts"
import type { DecisionMade } from "../../core/review/desk.ts"
import { ReviewDesk } from "../../core/review/desk.ts"
import { sorted } from "./images.ts"
import type { ReviewReport } from "./model.ts"

/** What the review queue of a stage holds, and what was decided there; undefined where there was never anything.
 * @param study of this study alone, by its original UID */
export async function reviewsOf(
  store: Store,
  { name }: Pick<CompiledPipeline, "name">,
  stage: string,
  study?: string,
): Promise<ReviewReport | undefined> {
  if (store.reviews === undefined) return undefined
  const desk = new ReviewDesk(store.reviews, name)
  const isMeant = ({ stage: of, facts }: ReviewRow) =>
    of === stage && (study === undefined || facts.studyInstanceUid === study)
  const rows = (await desk.list()).filter(isMeant)
  const decisions = await desk.decisions(stage)
  const told = study === undefined ? decisions : decisionsOn(rows, decisions)
  return rows.length + told.size === 0 ? undefined : reviewReport(rows, told)
}

const decisionsOn = (rows: readonly ReviewRow[], decisions: ReadonlyMap<string, DecisionMade>) =>
  new Map([...decisions].filter(([id]) => rows.some((row) => row.id === id)))

/** Sums reviews and the newest decision on each. */
export function reviewReport(rows: readonly ReviewRow[], decisions: ReadonlyMap<string, DecisionMade>): ReviewReport {
  const states = new Map<string, number>()
  for (const { state } of rows) states.set(state, (states.get(state) ?? 0) + 1)
  const waiting = rows.filter(({ state }) => state === "pending").map(({ held }) => held)
  const reasonOf = new Map(rows.map(({ id, reason }) => [id, reason]))
  return {
    states: sorted(states),
    ...(waiting.length === 0 ? {} : { oldest: new Date(Math.min(...waiting)).toISOString() }),
    decisions: [...decisions]
      .map(([review, { verdict, actor, at }]) => {
        return { review, reason: reasonOf.get(review) ?? "", decision: verdict, by: actor, at }
      })
      .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)),
  }
}
