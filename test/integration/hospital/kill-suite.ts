import { mkdtemp, realpath, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { temporaryPostgres } from "../../oracle/index.ts"
import { seeded } from "../../oracle/random-history.ts"
import { expectEqual, expectInChunks, expectInsertedOnce, resultsOf, size } from "./compare.ts"
import type { Results } from "./compare.ts"
import { RunFolder, makeHospital, topics } from "./folder.ts"
import type { End, Wave } from "./folder.ts"
import { committed, disturbed, undisturbed } from "./kills.ts"
import type { Course, Kill, Moment } from "./kills.ts"
import { Outcome } from "./outcome.ts"

/** What is in the synthetic hospital: two waves, of which the second merges patients and takes results back. */
const patients = 4

/** Kills within one history, and in its first wave; the others are in the second. */
const perHistory = 10
const inFirst = 6

interface Plan {
  readonly history: number
  readonly moments: readonly (readonly Moment[])[]
}

/** Kill moments of all histories from the seed: most of them spread over what an undisturbed run commits, the first of each history
 * while the very first process starts, the last while a later one does. */
function plan(kills: number, seed: number): readonly Plan[] {
  const pick = seeded(seed)
  const part = () => pick(1_000_000) / 1_000_000
  const histories = Math.ceil(kills / perHistory)
  return Array.from({ length: histories }, (_, history) => {
    const count = Math.min(perHistory, kills - history * perHistory)
    const first = Math.min(inFirst, Math.ceil(count * 0.6))
    const spread = (many: number): Moment[] =>
      Array.from({ length: many }, () => 0.9 * part())
        .toSorted((a, b) => a - b)
        .map((at) => ({ at: "progress", part: at, thenMs: pick(60) }))
    const starting: Moment = { at: "start", part: part() }
    return {
      history,
      moments: [
        [...(count > 2 ? [starting] : []), ...spread(first - (count > 2 ? 1 : 0))],
        [
          ...spread(count - first - (count > 5 ? 1 : 0)),
          ...(count > 5 ? [{ at: "start", part: part() } as const] : []),
        ],
      ],
    }
  })
}

/** Runs the demo's pipeline on the embedded ports in histories of processes that are killed -9, and holds what each history ends
 * with against a run that nobody disturbed. Of all kills four in five must fall between the first and the last commit. */
export function killSuite({ kills, seed }: { readonly kills: number; readonly seed: number }): void {
  describe(`kill -9 at ${kills} moments, seed ${seed}`, () => {
    const histories = plan(kills, seed)
    let folder: string
    let waves: readonly Wave[]
    let server: Awaited<ReturnType<typeof temporaryPostgres>>
    let expected: Results
    const courses: Course[] = []
    const fallen: (Kill & { readonly between: boolean })[] = []

    /** The Store is its own server, which a kill leaves behind, or a database of one that is always there. */
    async function runFolder(name: string, own: boolean): Promise<RunFolder> {
      if (own) return RunFolder.make(join(folder, name), join(folder, "hospital"), { insertOnly: topics })
      await server.client.query(`CREATE DATABASE ${name}`)
      const { user, password, host, port } = server.client
      const store = { driver: "postgres", url: `postgres://${user}:${String(password)}@${host}:${port}/${name}` }
      return RunFolder.make(join(folder, name), join(folder, "hospital"), { insertOnly: topics, store })
    }

    beforeAll(async () => {
      folder = await realpath(await mkdtemp(join(tmpdir(), "weir-kill-")))
      waves = await makeHospital(join(folder, "hospital"), patients, `kill-${seed}`)
      server = await temporaryPostgres()
      const run = await runFolder("undisturbed", true)
      let last: End | undefined
      for (const wave of waves) {
        await run.deliver(wave)
        const { course, end } = await undisturbed(run, wave)
        courses.push(course)
        last = end
      }
      const outcome = await Outcome.of(run.pipeline)
      expected = await resultsOf(outcome, last!)
      await expectInsertedOnce(outcome)
      console.info(`undisturbed: ${size(expected)}; ${JSON.stringify(courses)}`)
    }, 900_000)

    afterAll(async () => {
      await server?.close()
      // What a failed history left running.
      for (const { history } of histories)
        if (folder !== undefined && history % 2 === 0)
          await Outcome.of(join(folder, `history_${history}`, "pipeline.yaml"))
            .then((outcome) => outcome.database(async () => {}))
            .catch(() => {})
      await rm(folder, { recursive: true, force: true })
    })

    it.each(histories)(
      "history $history ends as an undisturbed run does",
      async ({ history, moments }) => {
        const run = await runFolder(`history_${history}`, history % 2 === 0)
        const log = join(run.path, "data", "log")
        const own: Kill[] = []
        let last: End | undefined
        for (const [at, wave] of waves.entries()) {
          await run.deliver(wave)
          const { kills: fell, end } = await disturbed(run, wave, courses[at]!, moments[at]!, topics)
          own.push(...fell)
          last = end
        }
        const all = await committed(log, topics)
        for (const kill of own) fallen.push({ ...kill, between: kill.committed > 0n && kill.committed < all })
        const outcome = await Outcome.of(run.pipeline)
        expectEqual(await resultsOf(outcome, last!), expected)
        await expectInsertedOnce(outcome)
        await expectInChunks(outcome, ["curated.studies", "curated.labels"])
      },
      1_800_000,
    )

    it("fell between the first and the last commit, most of them", () => {
      const between = fallen.filter((kill) => kill.between).length
      console.info(`${fallen.length} kills, ${between} between the first and the last commit`)
      expect(fallen.length).toBeGreaterThanOrEqual(Math.floor(kills * 0.94))
      // Of a few kills the two that fall while a process starts are many.
      expect(between).toBeGreaterThanOrEqual(kills < 20 ? kills / 2 : Math.floor(kills * 0.8))
    })
  })
}
