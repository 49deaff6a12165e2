import type { SinkDef, SinkInput, SinkInstance } from "../plugin.ts"
import type { CompiledSink } from "../pipeline/model.ts"
import { privacyStatements } from "../pipeline/privacy-statements.ts"
import { sinkReplayTopic } from "./replay.ts"
import { contextFor } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"

/** Makes the instance of a sink; whoever makes it closes it. */
export function makeSink(runtime: Runtime, sink: CompiledSink, signal: AbortSignal): Promise<SinkInstance> {
  const { name: pipeline, topics } = runtime.pipeline
  const bound = { inputs: Object.fromEntries(sink.topics.map((topic) => [topic, topic])), outputs: {} }
  const inputs = sink.topics.flatMap((topic): SinkInput[] => {
    const { zone, type } = topics.get(topic)!
    const privacy = privacyStatements(runtime.pipeline, topic)
    return [
      { topic, zone, type, privacy },
      { topic: sinkReplayTopic(pipeline, sink.name, topic), zone, type, privacy, of: topic },
    ]
  })
  const context = contextFor(runtime, sink.name, bound, signal, false)
  return (sink.plugin as SinkDef<unknown>).create(sink.options, context, inputs)
}
