import * as ConfigProvider from "effect/ConfigProvider"
import * as Layer from "effect/Layer"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as OtlpTracer from "effect/observability/OtlpTracer"

/** Sends spans by OTLP over HTTP (JSON) as OpenTelemetry's variables say: OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _TIMEOUT,
 * _COMPRESSION, their _TRACES_ forms, OTEL_SERVICE_NAME (weir unless given), OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_*. A collector that
 * does not answer costs spans, never the run. */
export function otlpTracing(environment: Readonly<Record<string, string | undefined>>): Layer.Layer<never> {
  const settings = { OTEL_TRACES_EXPORTER: "otlp", OTEL_SERVICE_NAME: "weir", ...environment }
  return OtlpTracer.layerFromConfig().pipe(
    Layer.provide(OtlpSerialization.layerJson),
    Layer.provide(FetchHttpClient.layer),
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(settings))),
  ) as Layer.Layer<never>
}
