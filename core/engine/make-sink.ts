import type { SinkDef, SinkInput, SinkInstance } from "../plugin.ts"
import type { CompiledSink } from "../pipeline/model.ts"
import { sinkReplayTopic } from "./replay.ts"
import { contextFor } from "./runtime.ts"
import type { Runtime } from "./runtime.ts"

/** Makes the instance of a sink; whoever makes it closes it. */
export function makeSink(runtime: Runtime, sink: CompiledSink, signal: AbortSignal): Promise<SinkInstance> {
  const { name: pipeline, topics } = runtime.pipeline
  const bound = { inputs: Object.fromEntries(sink.topics.map((topic) => [topic, topic])), outputs: {} }
  const inputs = sink.topics.flatMap((topic): SinkInput[] => {
    const { zone, type } = topics.get(topic)!
    return [
      { topic, zone, type },
      { topic: sinkReplayTopic(pipeline, sink.name, topic), zone, type, of: topic },
    ]
  })
  const context = contextFor(runtime, sink.name, bound, signal, false)
  return (sink.plugin as SinkDef<unknown>).create(sink.options, context, inputs)
}
