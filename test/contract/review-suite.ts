import { randomBytes } from "node:crypto"
import { Client } from "pg"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { reviewsOf } from "../../cli/report/reviews.ts"
import { openPostgresStore } from "../../core/drivers/store-postgres/index.ts"
import type { Store } from "../../core/ports/store.ts"
import { ReviewDesk } from "../../core/review/desk.ts"
import { openReviews, reviewId, reviewSubject } from "../../core/review/reviews.ts"

const act = { actor: "someone", reason: "looked at it", now: Date.UTC(2026, 0, 2) }
const facts = {
  sopInstanceUid: "1.2.3",
  object: { key: "instances/aa", size: 4, sha256: "aa" },
  redactable: true,
  detail: "text-or-tissue",
  boxes: [{ frame: 2, x: 1, y: 2, width: 30, height: 9, score: 0.6, judgement: "unsure" as const }],
}
const reason = "burned-in-text-unsure"

/** What the review queue promises on a Store. */
export function reviewSuite(name: string, url: () => string): void {
  describe(`the review queue on ${name}`, () => {
    let store: Store
    let other: Store
    let client: Client
    beforeAll(async () => {
      store = await openPostgresStore({ url: url() })
      other = await openPostgresStore({ url: url() })
      client = new Client({ connectionString: url() })
      await client.connect()
    })
    afterAll(async () => {
      await client?.end()
      await store?.close()
      await other?.close()
    })

    /** A stage of a pipeline of its own, and the desk that decides on what it holds. */
    function stage(pipeline = randomBytes(6).toString("hex")) {
      const projectKey = randomBytes(32)
      let time = 1000
      const at = { pipeline, stage: "border", projectKey, now: () => time++ }
      const subject = reviewSubject("1.2.3", "aa", "policy")
      const hold = { subject, person: "p1", reason, input: "t[0]@7", facts }
      return {
        pipeline,
        projectKey,
        subject,
        hold,
        id: reviewId("border", subject, reason),
        queue: openReviews(store.reviews!, at),
        after: openReviews(other.reviews!, at),
        desk: new ReviewDesk(other.reviews!, pipeline),
      }
    }
    const accept = { verdict: "accepted", boxes: [] } as const
    const states = async (desk: ReviewDesk) => (await desk.list()).map(({ state }) => state)

    it("shows what a stage holds, once, however often the stage says so", async () => {
      const { queue, hold, desk, id } = stage()
      await queue.hold(hold)
      await queue.hold({ ...hold, input: "t[0]@9" })
      expect(await desk.list()).toEqual([
        {
          id,
          stage: "border",
          person: "p1",
          subject: hold.subject,
          reason,
          state: "pending",
          input: "t[0]@9",
          held: 1000,
          facts,
        },
      ])
    })

    it("tells another process what a person decided, for this verdict on these bytes under this policy alone", async () => {
      const { queue, after, hold, desk, id, projectKey, subject } = stage()
      await queue.hold(hold)
      expect(await after.decisions(subject)).toEqual(new Map())
      const boxes = [{ frame: 2, x: 1, y: 2, width: 30, height: 9 }]
      expect(await desk.decide(id, { verdict: "redacted", boxes }, act, projectKey)).toMatchObject({ kind: "decided" })
      expect(await after.decisions(subject)).toEqual(new Map([[reason, { verdict: "redacted", boxes }]]))
      const others: readonly (readonly [sop: string, sha256: string, policy: string])[] = [
        ["1.2.4", "aa", "policy"],
        ["1.2.3", "ab", "policy"],
        ["1.2.3", "aa", "other"],
      ]
      for (const [sop, sha256, policy] of others)
        expect(await after.decisions(reviewSubject(sop, sha256, policy))).toEqual(new Map())
    })

    it("lets the first decision stand, and says who made it, when and why", async () => {
      const { queue, hold, desk, id, projectKey } = stage()
      await queue.hold(hold)
      const both = await Promise.all([accept, accept].map((each) => desk.decide(id, each, act, projectKey)))
      expect(both.map(({ kind }) => kind).sort()).toEqual(["decided", "same"])
      expect(await desk.decide(id, { verdict: "rejected", boxes: [] }, act, projectKey)).toMatchObject({
        kind: "stands",
      })
      await queue.hold(hold)
      expect(await states(desk)).toEqual(["accepted"])
      expect(await desk.decisions("border")).toEqual(
        new Map([[id, { ...accept, at: "2026-01-02T00:00:00.000Z", actor: "someone", why: "looked at it" }]]),
      )
      expect(await desk.decide("0".repeat(16), accept, act, projectKey)).toEqual({ kind: "unknown" })
    })

    it("takes a decision back, so that no stage follows it any more, whatever state its row is given; and tells who did", async () => {
      const { queue, after, hold, desk, id, projectKey, subject, pipeline } = stage()
      await queue.hold(hold)
      expect(await desk.undo(id, act, projectKey)).toMatchObject({ kind: "undecided", row: { state: "pending" } })
      expect(await desk.undo("0".repeat(16), act, projectKey)).toEqual({ kind: "unknown" })
      await desk.decide(id, accept, act, projectKey)
      expect(await desk.undo(id, { ...act, reason: "wrong one" }, projectKey)).toMatchObject({
        kind: "undone",
        row: { state: "pending" },
      })
      expect(await desk.undo(id, act, projectKey)).toMatchObject({ kind: "same" })
      expect(await after.decisions(subject)).toEqual(new Map())
      expect((await desk.decisions("border")).get(id)).toMatchObject({ verdict: "undone", why: "wrong one" })
      await client.query("UPDATE weir.reviews SET state = 'accepted' WHERE pipeline = $1", [pipeline])
      expect(await after.decisions(subject)).toEqual(new Map())
      await client.query("UPDATE weir.reviews SET state = 'pending' WHERE pipeline = $1", [pipeline])
      await desk.decide(id, { verdict: "rejected", boxes: [] }, act, projectKey)
      expect(await after.decisions(subject)).toEqual(new Map([[reason, { verdict: "rejected", boxes: [] }]]))
      expect(await desk.firstBroken("border", projectKey)).toBeUndefined()
    })

    it("counts by state, with the time of the oldest", async () => {
      const { queue, hold, desk, id, pipeline, projectKey } = stage()
      await queue.hold(hold)
      await queue.hold({ ...hold, subject: reviewSubject("1.2.9", "bb", "policy") })
      await queue.hold({ ...hold, subject: reviewSubject("1.2.10", "cc", "policy") })
      await desk.decide(id, accept, act, projectKey)
      await queue.end([reviewSubject("1.2.10", "cc", "policy"), hold.subject], "passed")
      expect(await store.reviews!.counts(pipeline)).toEqual([
        { stage: "border", state: "accepted", count: 1, oldest: 1000 },
        { stage: "border", state: "passed", count: 1, oldest: 1002 },
        { stage: "border", state: "pending", count: 1, oldest: 1001 },
      ])
      expect(await store.reviews!.counts("another")).toEqual([])
    })

    it("takes no decision on what waits no longer, and holds anew what comes again", async () => {
      const { queue, hold, desk, id, projectKey, subject } = stage()
      await queue.hold(hold)
      await queue.end([subject], "gone")
      expect(await desk.decide(id, accept, act, projectKey)).toMatchObject({ kind: "stands", row: { state: "gone" } })
      await queue.hold(hold)
      expect(await states(desk)).toEqual(["pending"])
      expect(await queue.decisions(subject)).toEqual(new Map())
    })

    it("believes no decision that was written or changed by who has the database alone", async () => {
      const { queue, hold, desk, id, projectKey, subject, pipeline } = stage()
      await queue.hold(hold)
      await client.query(
        `INSERT INTO weir.review_lines VALUES ($1, 'border', 1, $2, 'now', 'root', 'accepted', $3, '\\x00')`,
        [pipeline, id, JSON.stringify({ review: id, boxes: [], why: "" })],
      )
      await client.query("UPDATE weir.reviews SET state = 'accepted' WHERE pipeline = $1", [pipeline])
      await expect(queue.decisions(subject)).rejects.toMatchObject({ meaning: "fatal", code: "review-forged" })
      expect(await desk.firstBroken("border", projectKey)).toBe(1)
      for (const sql of ["UPDATE weir.review_lines SET actor = 'x'", "DELETE FROM weir.review_lines"])
        await expect(client.query(sql)).rejects.toMatchObject({ code: "42501" })
    })

    it("believes no decision that was given to another review", async () => {
      const { queue, hold, desk, id, projectKey, pipeline } = stage()
      const target = reviewSubject("1.2.9", "bb", "policy")
      await queue.hold(hold)
      await queue.hold({ ...hold, subject: target })
      await desk.decide(id, accept, act, projectKey)
      await client.query("ALTER TABLE weir.review_lines DISABLE TRIGGER append_only")
      await client.query("UPDATE weir.review_lines SET review = $2 WHERE pipeline = $1", [
        pipeline,
        reviewId("border", target, reason),
      ])
      await client.query("ALTER TABLE weir.review_lines ENABLE TRIGGER append_only")
      await client.query("UPDATE weir.reviews SET state = 'accepted' WHERE pipeline = $1", [pipeline])
      await expect(queue.decisions(target)).rejects.toMatchObject({ code: "review-forged" })
    })

    it("is summed in reports by stage and by study, with the newest decision on each", async () => {
      const { queue, hold, desk, pipeline, projectKey } = stage()
      const other = openReviews(store.reviews!, { pipeline, stage: "other", projectKey, now: () => 5 })
      const held = (sop: string, studyInstanceUid: string) => ({
        ...hold,
        subject: reviewSubject(sop, "aa", "policy"),
        facts: { ...facts, sopInstanceUid: sop, studyInstanceUid },
      })
      const all = [held("1.1", "1"), held("1.2", "1"), held("1.3", "1"), held("2.1", "2")]
      for (const each of all) await queue.hold(each)
      await other.hold(held("3.1", "1"))
      const [first, second, , last] = all.map(({ subject }) => reviewId("border", subject, reason))
      const at = (minute: number) => ({ ...act, now: act.now + minute * 60_000 })
      await desk.decide(last!, accept, at(3), projectKey)
      await desk.decide(first!, accept, at(1), projectKey)
      await desk.decide(second!, accept, at(2), projectKey)
      await desk.undo(first!, at(4), projectKey)
      const report = (study?: string) => reviewsOf(store, { name: pipeline }, "border", study)
      const made = (review: string | undefined, decision: string, minute: number) => ({
        review,
        reason,
        decision,
        by: "someone",
        at: new Date(at(minute).now).toISOString(),
      })
      expect(await report()).toEqual({
        states: { accepted: 2, pending: 2 },
        oldest: new Date(1000).toISOString(),
        decisions: [made(second, "accepted", 2), made(last, "accepted", 3), made(first, "undone", 4)],
      })
      expect(await report("2")).toEqual({ states: { accepted: 1 }, decisions: [made(last, "accepted", 3)] })
      expect(await reviewsOf(store, { name: pipeline }, "nowhere")).toBeUndefined()
    })

    it("forgets what was held of an erased person", async () => {
      const { queue, hold, desk, pipeline } = stage()
      await queue.hold(hold)
      await queue.hold({ ...hold, person: "p2", subject: reviewSubject("1.2.9", "bb", "policy") })
      expect(await store.reviews!.erase(pipeline, ["p1"])).toBe(1)
      expect((await desk.list()).map(({ person }) => person)).toEqual(["p2"])
    })
  })
}
