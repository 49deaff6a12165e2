import type { Runtime } from "./runtime.ts"
import { expectedMarks } from "./facts.ts"
import { sourceRow } from "./source-task.ts"
import { endKey } from "./task.ts"

/** Tells, from what is committed in the Log alone, when everything that the sources gave has passed every stage and sink, in
 * whichever process they ran. */
export class EndWatch {
  readonly #runtime: Runtime
  readonly #runs = new Map<string, number>()

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /** Notes how often each source had come to its end before this run. */
  async begin(): Promise<void> {
    const { table, pipeline } = this.#runtime
    await table.refresh()
    for (const { name } of pipeline.sources) this.#runs.set(name, sourceRow(table, name).runs)
  }

  /** True when each source came to an end since this run began, and all that is below them is through. */
  async passed(): Promise<boolean> {
    const { table, pipeline, asOf } = this.#runtime
    await table.refresh()
    for (const { name } of pipeline.sources) {
      const { closed, runs } = sourceRow(table, name)
      if (closed === "" || runs <= (this.#runs.get(name) ?? 0)) return false
    }
    const { stages, sinkTopics } = expectedMarks(pipeline, asOf, (source) => sourceRow(table, source).closed)
    const ended = (writer: string, partitions: number, mark: string | undefined) =>
      Array.from({ length: partitions }, (_, partition) => endKey(`${writer}/${partition}`)).every(
        (key) => table.get<string>(key) === mark,
      )
    return (
      pipeline.stages.every(({ name, partitions }) => ended(`stage/${name}`, partitions, stages.get(name))) &&
      pipeline.sinks.every(({ name, topics }) =>
        topics.every((topic) =>
          ended(`sink/${name}/${topic}`, pipeline.topics.get(topic)!.partitions, sinkTopics.get(topic)),
        ),
      )
    )
  }
}
