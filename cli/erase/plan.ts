import type { Runtime } from "../../core/engine/runtime.ts"
import type { StepChange, StepTransaction } from "../../core/ports/store.ts"
import { eraseAsked } from "../../transforms/identity/erase.ts"
import type { Row } from "../../transforms/identity/facts.ts"
import type { Node } from "../../transforms/identity/node.ts"

/** What is to be removed of a person once everything that was emitted is taken back. */
export interface ErasePlan {
  /** Person keys under which anything of the person was ever emitted. */
  readonly persons: readonly string[]
  /** Keys of objects, originals and released ones. */
  readonly objects: readonly string[]
  /** The person's identifiers, by whose keys its objects are sealed. Absent in a plan that an older version made. */
  readonly members?: readonly string[]
}

const planKey = "erase/plan"

const nothing: StepChange = {
  puts: [],
  deletes: [],
  sharedPuts: [],
  sharedDeletes: [],
  timers: [],
  cancels: [],
  positions: [],
}

/** Runs one step of a task of a stopped pipeline; commits what `act` wants changed. */
async function step<T>(
  { store, pipeline }: Runtime,
  stage: string,
  partition: number,
  act: (tx: StepTransaction) => Promise<readonly [result: T, change: Partial<StepChange>]>,
): Promise<T> {
  const task = await store.claim(pipeline.name, stage, partition)
  try {
    const tx = await task.begin()
    try {
      const [result, change] = await act(tx)
      await tx.commit({ ...nothing, ...change })
      return result
    } catch (error) {
      await tx.rollback().catch(() => {})
      throw error
    }
  } finally {
    await task.release()
  }
}

const parsed = <T>(text: string): T => JSON.parse(text) as T

/** The keys of objects that a value of state names: claim checks have a key, a size and a SHA-256. */
function objectsIn(value: unknown, into: Set<string>): void {
  if (typeof value !== "object" || value === null) return
  const { key, sha256 } = value as Readonly<Record<string, unknown>>
  if (typeof key === "string" && typeof sha256 === "string") into.add(key)
  for (const inner of Object.values(value)) objectsIn(inner, into)
}

/** What identity knows of a member: the set that it is in, and the rows about it. */
async function identityOf(tx: StepTransaction, member: string) {
  await tx.shared.lock([member])
  const [text] = await tx.shared.get([[member, "n"]])
  if (text === undefined) return undefined
  const { set, person } = parsed<Node>(text)
  const lists = await tx.shared.scan(set.map((key) => ({ key, from: "r/", to: "r0" })))
  const ids = [...new Set(lists.flat().map(([sort]) => `row/${sort.slice(2)}`))]
  const rows = (await tx.shared.get(ids.map((id) => [id, ""] as const))).flatMap((row) =>
    row === undefined ? [] : [parsed<Row>(row)],
  )
  const mine = new Set(set)
  const own = rows.map((row) => Object.values(row.facts).filter((fact) => mine.has(fact.member)))
  const persons = new Set([person, ...rows.flatMap((row, at) => (own[at]!.length === 0 ? [] : Object.keys(row.out)))])
  const objects = new Set<string>()
  for (const facts of own) objectsIn(facts, objects)
  return { persons, objects, members: set }
}

/** The tasks of the pipeline that keep state by person. */
const otherTasks = async ({ store, pipeline }: Runtime, stage: string) =>
  (await store.positions(pipeline.name)).filter((task) => task.stage !== stage)

/** Asks that a member's person be erased by the next run, and keeps what is to be removed after it. The plan of an erasure that did
 * not end is found again. undefined: nobody is known by this identifier. */
export async function askToErase(runtime: Runtime, stage: string, member: string): Promise<ErasePlan | undefined> {
  const known = await step(runtime, stage, 0, async (tx) => {
    await tx.shared.lock([planKey])
    const [plan] = await tx.shared.get([[planKey, member]])
    return [plan === undefined ? undefined : parsed<ErasePlan>(plan), {}] as const
  })
  if (known !== undefined) return known
  const found = await step(runtime, stage, 0, async (tx) => [await identityOf(tx, member), {}] as const)
  if (found === undefined) return undefined
  const { persons, objects, members } = found
  for (const task of await otherTasks(runtime, stage))
    await step(runtime, task.stage, task.partition, async (tx) => {
      const rows = await tx.scan([...persons].map((key) => ({ key })))
      for (const [, value] of rows.flat()) objectsIn(parsed(value), objects)
      return [undefined, {}] as const
    })
  const plan: ErasePlan = { persons: [...persons], objects: [...objects], members }
  return step(runtime, stage, 0, async (tx) => {
    await tx.shared.lock([planKey, eraseAsked])
    const rows = [
      [planKey, member, JSON.stringify(plan)],
      [eraseAsked, member, "true"],
    ] as const
    return [plan, { sharedPuts: rows }] as const
  })
}

/** Removes what a run left of an erased person: state by person, and objects in all buckets. Gives how many rows there were. */
export async function removeRest(runtime: Runtime, stage: string, plan: ErasePlan): Promise<number> {
  let removed = 0
  for (const task of await otherTasks(runtime, stage))
    removed += await step(runtime, task.stage, task.partition, async (tx) => {
      const rows = await tx.scan(plan.persons.map((key) => ({ key })))
      const deletes = rows.flatMap((list, at) => list.map(([sort]) => [plan.persons[at]!, sort] as const))
      return [deletes.length, { deletes }] as const
    })
  removed += (await runtime.store.reviews?.erase(runtime.pipeline.name, plan.persons)) ?? 0
  await runtime.store.objectKeys?.forget("phi", plan.objects)
  if (plan.objects.length > 0) for (const objects of runtime.objects.values()) await objects.delete(plan.objects)
  return removed
}

/** Forgets the plan. False when the run has not erased the person. */
export const endErasure = (runtime: Runtime, stage: string, member: string): Promise<boolean> =>
  step(runtime, stage, 0, async (tx) => {
    await tx.shared.lock([planKey, eraseAsked])
    const [asked] = await tx.shared.get([[eraseAsked, member]])
    const done = asked === undefined
    return [done, done ? { sharedDeletes: [[planKey, member]] } : {}] as const
  })
