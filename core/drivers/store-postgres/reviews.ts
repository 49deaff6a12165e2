import type {
  LinkedLine,
  ReviewCount,
  ReviewFacts,
  ReviewLine,
  ReviewRow,
  ReviewState,
  ReviewTables,
} from "../../ports/reviews.ts"
import type { Session, Sessions, Statement } from "./sessions.ts"
import { textArray } from "./text.ts"

const hold: Statement = {
  name: "reviews.hold",
  text: `INSERT INTO weir.reviews AS r (pipeline, id, stage, person, subject, reason, state, input, held, facts)
    VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8, $9)
    ON CONFLICT (pipeline, id) DO UPDATE SET input = excluded.input, facts = excluded.facts, state = 'pending',
      person = excluded.person, held = CASE r.state WHEN 'pending' THEN r.held ELSE excluded.held END
    WHERE r.state IN ('pending', 'passed', 'gone')`,
}
const end: Statement = {
  name: "reviews.end",
  text: `UPDATE weir.reviews r SET state = $4 FROM unnest($3::text[]) AS q(subject)
    WHERE r.pipeline = $1::text AND r.stage = $2::text AND r.subject = q.subject AND r.state = 'pending'`,
}
const decided: Statement = {
  name: "reviews.decided",
  text: `SELECT r.reason, l.number, l.at, l.actor, l.action, l.detail, l.hash, l.review, b.hash FROM weir.reviews r
    JOIN weir.review_lines l ON l.pipeline = r.pipeline AND l.review = r.id
    LEFT JOIN weir.review_lines b ON b.pipeline = l.pipeline AND b.stage = l.stage AND b.number = l.number - 1
    WHERE r.pipeline = $1::text AND r.stage = $2::text AND r.subject = $3::text
      AND r.state IN ('accepted', 'redacted', 'rejected') ORDER BY l.number`,
}
const columns = "id, stage, person, subject, reason, state, input, held, facts"
const list: Statement = {
  name: "reviews.list",
  text: `SELECT ${columns} FROM weir.reviews WHERE pipeline = $1::text ORDER BY held, id`,
}
const find: Statement = {
  name: "reviews.find",
  text: `SELECT ${columns} FROM weir.reviews WHERE pipeline = $1::text AND id = $2::text`,
}
const lock: Statement = { name: "reviews.lock", text: `${find.text} FOR UPDATE` }
const lockLines: Statement = {
  name: "reviews.lines.lock",
  text: "LOCK TABLE weir.review_lines IN SHARE ROW EXCLUSIVE MODE",
}
const lineColumns = "number, at, actor, action, detail, hash, review"
const lines: Statement = {
  name: "reviews.lines",
  text: `SELECT ${lineColumns} FROM weir.review_lines WHERE pipeline = $1::text AND stage = $2::text ORDER BY number`,
}
const lastLine: Statement = {
  name: "reviews.last",
  text: `SELECT ${lineColumns} FROM weir.review_lines WHERE pipeline = $1::text AND stage = $2::text
    ORDER BY number DESC LIMIT 1`,
}
const append: Statement = {
  name: "reviews.append",
  text: `INSERT INTO weir.review_lines (pipeline, stage, number, review, at, actor, action, detail, hash)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, decode($9, 'hex'))`,
}
const setState: Statement = {
  name: "reviews.state",
  text: "UPDATE weir.reviews SET state = $3 WHERE pipeline = $1::text AND id = $2::text",
}
const counts: Statement = {
  name: "reviews.counts",
  text: `SELECT stage, state, count(*), min(held) FROM weir.reviews WHERE pipeline = $1::text
    GROUP BY stage, state ORDER BY stage, state`,
}
const erase: Statement = {
  name: "reviews.erase",
  text: `DELETE FROM weir.reviews r USING unnest($2::text[]) AS q(person)
    WHERE r.pipeline = $1::text AND r.person = q.person RETURNING 1`,
}

type Columns = [
  id: string,
  stage: string,
  person: string,
  subject: string,
  reason: string,
  state: ReviewState,
  input: string,
  held: bigint,
  facts: string,
]
type LineColumns = [
  number: bigint,
  at: string,
  actor: string,
  action: string,
  detail: string,
  hash: Buffer,
  review: string,
]

const rowFrom = ([id, stage, person, subject, reason, state, input, held, facts]: Columns): ReviewRow => ({
  id,
  stage,
  person,
  subject,
  reason,
  state,
  input,
  held: Number(held),
  facts: JSON.parse(facts) as ReviewFacts,
})
const lineFrom = ([number, at, actor, action, detail, hash, review]: LineColumns): ReviewLine => ({
  number: Number(number),
  at,
  actor,
  action,
  detail,
  hash,
  review,
})
// The server keeps no U+0000, and half characters not at all.
const kept = (text: string): string => text.toWellFormed().replaceAll("\0", "\uFFFD")

/** The review queue's tables. A decision locks its row and the table of lines, so that there is one chain a stage. */
export function reviewTables(sessions: Sessions): ReviewTables {
  const use = <T>(work: (session: Session) => Promise<T>) => sessions.use("reviews", work)
  return {
    async hold(pipeline, { id, stage, person, subject, reason, input, held, facts }) {
      const row = [id, stage, kept(person), subject, reason, input, String(held), kept(JSON.stringify(facts))]
      await use((session) => session.run(hold, pipeline, ...row))
    },
    async end(pipeline, stage, subjects, state) {
      await use((session) => session.run(end, pipeline, stage, textArray(subjects), state))
    },
    async decided(pipeline, stage, subject) {
      const rows = await use((session) =>
        session.run<[string, ...LineColumns, Buffer | null]>(decided, pipeline, stage, subject),
      )
      return new Map(
        rows.map(([reason, ...rest]): [string, LinkedLine] => {
          const before = rest[7]
          return [reason, { line: lineFrom(rest.slice(0, 7) as LineColumns), before: before ?? undefined }]
        }),
      )
    },
    list: async (pipeline) => (await use((session) => session.run<Columns>(list, pipeline))).map(rowFrom),
    async find(pipeline, id) {
      const [row] = await use((session) => session.run<Columns>(find, pipeline, id))
      return row === undefined ? undefined : rowFrom(row)
    },
    lines: async (pipeline, stage) =>
      (await use((session) => session.run<LineColumns>(lines, pipeline, stage))).map(lineFrom),
    decide: (pipeline, id, { from, to }, next) =>
      sessions.transaction("reviews", async (session) => {
        const [found] = await session.run<Columns>(lock, pipeline, id)
        if (found === undefined) return undefined
        const row = rowFrom(found)
        if (!from.includes(row.state)) return row
        await session.run(lockLines)
        const [last] = await session.run<LineColumns>(lastLine, pipeline, row.stage)
        const line = next(last === undefined ? undefined : lineFrom(last))
        const { number, review, at, actor, action, detail, hash } = line
        const hex = Buffer.from(hash).toString("hex")
        await session.run(append, pipeline, row.stage, number, review, at, actor, action, detail, hex)
        await session.run(setState, pipeline, id, to)
        return row
      }),
    async counts(pipeline) {
      const rows = await use((session) => session.run<[string, ReviewState, bigint, bigint]>(counts, pipeline))
      return rows.map(([stage, state, count, oldest]): ReviewCount => ({
        stage,
        state,
        count: Number(count),
        oldest: Number(oldest),
      }))
    },
    erase: async (pipeline, persons) =>
      (await use((session) => session.run(erase, pipeline, textArray(persons.map(kept))))).length,
  }
}
