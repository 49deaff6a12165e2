import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { App } from "../../cli/app.ts"
import { dispatch } from "../../cli/dispatch.ts"
import { drivers } from "../../main.ts"
import { Bench, plugins } from "./operations.ts"

interface OtlpSpan {
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly status: { readonly code: number; readonly message?: string }
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[]
}

/** A collector that keeps what it is sent. */
async function collector() {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    let body = ""
    request.on("data", (chunk: Buffer) => (body += chunk.toString()))
    request.on("end", () => {
      bodies.push(body)
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
    })
  }).listen(0, "127.0.0.1")
  await new Promise((resolve) => server.once("listening", resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies, server }
}

const attributesOf = ({ attributes }: OtlpSpan): Readonly<Record<string, unknown>> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

describe("spans", { timeout: 60_000 }, () => {
  let bench: Bench
  beforeAll(async () => {
    bench = await Bench.make()
    await writeFile(join(bench.folder, "ops.yaml"), bench.text())
  })
  afterAll(() => bench.remove())

  /** Runs until "last" is written, and is told to stop. */
  async function run(environment: Readonly<Record<string, string>>) {
    const stop = new AbortController()
    const app = { builtIns: plugins(bench.knobs), drivers } as unknown as App
    const started = new Promise<void>((resolve) => (bench.knobs.started = resolve))
    let err = ""
    const running = dispatch(["run", join(bench.folder, "ops.yaml"), "--log", "json"], app, {
      stdout: { write: () => {} },
      stderr: { write: (text) => void (err += text) },
      environment,
      signal: stop.signal,
      now: () => Date.now(),
    })
    await started
    for (const key of ["one", "refuse-me", "last"]) await bench.knobs.append(key)
    await expect.poll(() => bench.knobs.written, { timeout: 20_000 }).toContain("last")
    bench.knobs.written.length = 0
    stop.abort()
    expect(await running).toBe(0)
    return err
  }

  it("of each step go to the collector that the environment names, with where its records began, and no value", async () => {
    const { url, bodies, server } = await collector()
    await run({ OTEL_EXPORTER_OTLP_ENDPOINT: url })
    server.close()
    const resources = bodies.flatMap((body) => (JSON.parse(body) as { resourceSpans: never[] }).resourceSpans)
    expect(JSON.stringify(resources)).toContain('{"key":"service.name","value":{"stringValue":"weir"}}')
    const spans = resources.flatMap(({ scopeSpans }) =>
      (scopeSpans as { spans: OtlpSpan[] }[]).flatMap((scope) => scope.spans),
    )
    const names = new Set(spans.map(({ name }) => name))
    for (const name of ["source gate", "stage sifting", "sink shelf"]) expect(names).toContain(name)
    const sink = attributesOf(spans.find(({ name }) => name === "sink shelf")!)
    expect(sink).toMatchObject({ "weir.sink": "shelf", "weir.origin": expect.stringMatching(/^a\[0\]@\d+-\d+$/) })
    expect(sink["weir.position"]).toMatch(/^b@\d+$/)
    for (const { startTimeUnixNano, endTimeUnixNano } of spans)
      expect(BigInt(endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(startTimeUnixNano))
    for (const key of ["refuse-me", '"one"', '"last"']) expect(bodies.join("")).not.toContain(key)
  })

  it("do not hold up a run whose collector does not answer", async () => {
    const err = await run({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://127.0.0.1:1/v1/traces" })
    for (const line of err.trim().split("\n").slice(0, -1)) expect(() => JSON.parse(line)).not.toThrow()
  })
})
