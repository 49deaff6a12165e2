import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { StatefulInstance } from "../../core/index.ts"
import { openEmbeddedStore } from "../../core/drivers/store-embedded/index.ts"
import { StepState } from "../../core/engine/step-state.ts"
import type { Store, TaskStore } from "../../core/ports/store.ts"
import type { State } from "../../core/index.ts"
import { phenotype } from "../../transforms/phenotype/index.ts"
import { runStateful, testContext } from "../kit/index.ts"
import type { MemoryState } from "../kit/index.ts"
import { personEventOf, studyRecordOf } from "../oracle/stream.ts"
import type { Bench } from "./figure.ts"
import { median, timed } from "./measure.ts"
import type { Taken } from "./measure.ts"

const facts = 100_000
const batchFacts = 10
const tenth = facts / 10
/** What lies between the tenths that are measured is folded in larger batches: the same rows, in less time. */
const largeBatch = 500

const year = 365 * 86_400_000
const begin = Date.parse("1990-01-01T00:00:00Z")
const codes = ["2160-0", "2339-0", "718-7", "6298-4", "2947-0"]

/** A person's studies, one every five years. */
const studiesOf = (person: string) =>
  Array.from({ length: 5 }, (_, at) => {
    const first = begin + 5 * at * year
    const none = { accession: "", issuer: "", bodyParts: [] }
    return studyRecordOf({ person, uid: `1.${at}`, version: 1n, modalities: ["CT"], first, last: first, ...none })
  })

/** Observations of a person in thirty years, in the order of their times, from a place on. */
const batchOf = (person: string, from: number, count: number) =>
  Array.from({ length: count }, (_, at) => {
    const place = from + at
    const body = {
      resourceType: "Observation",
      id: `o${place}`,
      status: "final",
      code: { coding: [{ system: "http://loinc.org", code: codes[(place * 7919) % codes.length] }] },
      effectiveDateTime: new Date(begin + (place / facts) * 30 * year).toISOString(),
      valueQuantity: { value: 1 + (place % 10) / 10, system: "http://unitsofmeasure.org", code: "mg/dL" },
    }
    return personEventOf({ person, type: "Observation", id: body.id, version: 1n, body: JSON.stringify(body) })
  })

type Records = ReturnType<typeof batchOf>

/** One claimed task of the engine's kind: the transform's state in a transaction of the Store for each batch. */
class Task {
  readonly #instance: StatefulInstance<never, never>
  readonly #claimed: TaskStore

  private constructor(instance: StatefulInstance<never, never>, claimed: TaskStore) {
    this.#instance = instance
    this.#claimed = claimed
  }

  static async open(store: Store): Promise<Task> {
    const instance = await phenotype.create({ definitions: "test/oracle/phenotypes" }, testContext())
    return new Task(instance as never, await store.claim("bench", "label", 0))
  }

  async step(records: Records): Promise<void> {
    const tx = await this.#claimed.begin()
    try {
      const state: State = new StepState(tx, begin, new Map())
      await runStateful(this.#instance, state as MemoryState, records)
      await tx.commit({ ...(state as StepState).change, positions: [] })
    } catch (error) {
      await tx.rollback()
      throw error
    }
  }

  close = () => this.#claimed.release()
}

const milliseconds = (taken: readonly Taken[]) => median(taken.map(({ seconds }) => seconds * 1000))
const cpu = (taken: readonly Taken[]) => taken.reduce((sum, one) => sum + one.cpu, 0)

/** One patient with 100,000 facts in batches of ten, on the embedded Store: what a batch costs when the patient has 90,000 to
 * 100,000 facts, against what it costs a patient with 0 to 10,000. The two alternate, so that what else the machine does falls
 * on both; the patient's own first tenth is told beside them. */
export const benchPhenotype: Bench = async (tell) => {
  const dir = await mkdtemp(join(tmpdir(), "weir-bench-phenotype-"))
  const store = await openEmbeddedStore({ dir: join(dir, "store") })
  try {
    const task = await Task.open(store)
    await task.step([...studiesOf("many"), ...studiesOf("few")])
    const timedStep = (person: string, from: number) => {
      const batch = batchOf(person, from, batchFacts)
      return timed(() => task.step(batch))
    }
    const own: Taken[] = []
    for (let from = 0; from < tenth; from += batchFacts) own.push(await timedStep("many", from))
    tell(`a batch of the first ${tenth} facts took ${milliseconds(own).toFixed(1)} ms`)
    for (let from = tenth; from < facts - tenth; from += largeBatch) await task.step(batchOf("many", from, largeBatch))
    tell(`${facts - tenth} facts are there`)
    const [many, few]: [Taken[], Taken[]] = [[], []]
    for (let from = 0; from < tenth; from += batchFacts) {
      few.push(await timedStep("few", from))
      many.push(await timedStep("many", facts - tenth + from))
    }
    tell(`a batch of the last ${tenth} facts took ${milliseconds(many).toFixed(1)} ms`)
    await task.close()
    return [
      {
        name: "phenotype, a batch of 10 at 100,000 facts of one patient, against one at 10,000",
        measured: milliseconds(many),
        floor: milliseconds(few),
        unit: "ms",
        target: 1.3,
        atMost: true,
        cpu: { measured: cpu(many), floor: cpu(few) },
      },
    ]
  } finally {
    await store.close()
    await rm(dir, { recursive: true, force: true })
  }
}
