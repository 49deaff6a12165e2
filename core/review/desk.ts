import type { ReviewLine, ReviewRow, ReviewTables } from "../ports/reviews.ts"
import { firstBroken, nextLine } from "../vault/audit.ts"
import type { Act } from "../vault/custodian.ts"
import { chainOf } from "./reviews.ts"
import type { LineDetail, ReviewDecision } from "./reviews.ts"

/** What came of deciding: written down; the same was decided before; another decision stands; or there is nothing to decide on. */
export type Decided =
  | { readonly kind: "decided" | "same"; readonly row: ReviewRow }
  | { readonly kind: "stands"; readonly row: ReviewRow }
  | { readonly kind: "unknown" }

/** Who decided what on a review, when and why. */
export interface DecisionMade extends ReviewDecision {
  readonly at: string
  readonly actor: string
  readonly why: string
}

/** Where people decide on what a stage holds. */
export class ReviewDesk {
  readonly #tables: ReviewTables
  readonly #pipeline: string

  constructor(tables: ReviewTables, pipeline: string) {
    this.#tables = tables
    this.#pipeline = pipeline
  }

  /** Everything that is or was held, the oldest first. */
  list = (): Promise<readonly ReviewRow[]> => this.#tables.list(this.#pipeline)

  find = (id: string): Promise<ReviewRow | undefined> => this.#tables.find(this.#pipeline, id)

  /** Decides once: the first decision stands.
   * @param key the project key of the stage */
  async decide(id: string, { verdict, boxes }: ReviewDecision, act: Act, key: Uint8Array): Promise<Decided> {
    const row = await this.find(id)
    if (row === undefined) return { kind: "unknown" }
    const chain = chainOf(key, this.#pipeline, row.stage)
    const detail = JSON.stringify({ review: id, boxes, why: act.reason } satisfies LineDetail)
    const was = await this.#tables.decide(this.#pipeline, id, verdict, (last) => {
      const said = { at: new Date(act.now).toISOString(), actor: act.actor, action: verdict, detail }
      return { ...nextLine(chain.key, chain.name, last, said), review: id }
    })
    if (was === undefined) return { kind: "unknown" }
    const now = { ...was, state: verdict }
    if (was.state === "pending") return { kind: "decided", row: now }
    const before = (await this.decisions(row.stage)).get(id)
    const same = was.state === verdict && JSON.stringify(before?.boxes) === JSON.stringify(boxes)
    return { kind: same ? "same" : "stands", row: was }
  }

  /** The decisions of a stage by review. */
  async decisions(stage: string): Promise<ReadonlyMap<string, DecisionMade>> {
    return new Map((await this.#tables.lines(this.#pipeline, stage)).map((line) => [line.review, madeOf(line)]))
  }

  /** The first line of a stage's decisions that is not what was written, or is missing; undefined when all are whole. */
  async firstBroken(stage: string, key: Uint8Array): Promise<number | undefined> {
    const chain = chainOf(key, this.#pipeline, stage)
    return firstBroken(chain.key, chain.name, await this.#tables.lines(this.#pipeline, stage))
  }
}

function madeOf({ at, actor, action, detail }: ReviewLine): DecisionMade {
  const { boxes, why } = JSON.parse(detail) as LineDetail
  return { verdict: action as ReviewDecision["verdict"], boxes, at, actor, why }
}
