import type { ReviewChange, ReviewLine, ReviewRow, ReviewTables } from "../ports/reviews.ts"
import { firstBroken, nextLine } from "../vault/audit.ts"
import type { Act } from "../vault/custodian.ts"
import { chainOf, undone } from "./reviews.ts"
import type { LineDetail, ReviewDecision } from "./reviews.ts"

/** What came of deciding: written down; the same was decided before; another decision stands; or there is nothing to decide on. */
export type Decided =
  | { readonly kind: "decided" | "same"; readonly row: ReviewRow }
  | { readonly kind: "stands"; readonly row: ReviewRow }
  | { readonly kind: "unknown" }

/** What came of taking a decision back: written down; done before, and nothing decided since; or there is none. */
export type Undone =
  | { readonly kind: "undone" | "same"; readonly row: ReviewRow }
  | { readonly kind: "undecided"; readonly row: ReviewRow }
  | { readonly kind: "unknown" }

/** Who decided what on a review, or took it back, when and why. */
export interface DecisionMade {
  readonly verdict: ReviewDecision["verdict"] | typeof undone
  readonly boxes: ReviewDecision["boxes"]
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
    const was = await this.#change(id, { from: ["pending"], to: verdict }, { action: verdict, boxes }, act, key)
    if (was === undefined) return { kind: "unknown" }
    const now = { ...was, state: verdict }
    if (was.state === "pending") return { kind: "decided", row: now }
    const before = (await this.decisions(was.stage)).get(id)
    const same = was.state === verdict && JSON.stringify(before?.boxes) === JSON.stringify(boxes)
    return { kind: same ? "same" : "stands", row: was }
  }

  /** Takes a decision back: the review is pending again. What stands because of it is for the stage to take back.
   * @param key the project key of the stage */
  async undo(id: string, act: Act, key: Uint8Array): Promise<Undone> {
    const change = { from: ["accepted", "redacted", "rejected"], to: "pending" } as const
    const was = await this.#change(id, change, { action: undone, boxes: [] }, act, key)
    if (was === undefined) return { kind: "unknown" }
    if (change.from.some((state) => state === was.state)) return { kind: "undone", row: { ...was, state: "pending" } }
    const before = (await this.decisions(was.stage)).get(id)
    const same = was.state === "pending" && before?.verdict === undone
    return { kind: same ? "same" : "undecided", row: was }
  }

  /** @returns the review as it was */
  async #change(
    id: string,
    change: ReviewChange,
    { action, boxes }: { readonly action: string; readonly boxes: ReviewDecision["boxes"] },
    act: Act,
    key: Uint8Array,
  ): Promise<ReviewRow | undefined> {
    const row = await this.find(id)
    if (row === undefined) return undefined
    const chain = chainOf(key, this.#pipeline, row.stage)
    const detail = JSON.stringify({ review: id, boxes, why: act.reason } satisfies LineDetail)
    return this.#tables.decide(this.#pipeline, id, change, (last) => {
      const said = { at: new Date(act.now).toISOString(), actor: act.actor, action, detail }
      return { ...nextLine(chain.key, chain.name, last, said), review: id }
    })
  }

  /** The newest decision on each review of a stage. */
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
  return { verdict: action as DecisionMade["verdict"], boxes, at, actor, why }
}
