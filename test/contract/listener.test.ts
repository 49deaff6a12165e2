import { execFileSync } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { request } from "node:https"
import type { RequestOptions } from "node:https"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { LogTable } from "../../core/engine/log-table.ts"
import { codedLabels, prometheusText } from "../../core/engine/metric.ts"
import { Histogram } from "../../core/engine/histogram.ts"
import { pauseRows } from "../../core/engine/pause-rows.ts"
import { pauseTopic } from "../../core/engine/runtime.ts"
import { drivers } from "../../main.ts"
import { Bench } from "./operations.ts"

const faultsOf = (bench: Bench, more: string): string => {
  try {
    bench.compile(more)
    return ""
  } catch (error) {
    return (error as Error).message
  }
}

/** Samples of the text format by name and labels. */
const samplesOf = (text: string): ReadonlyMap<string, number> =>
  new Map(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => {
        const at = line.lastIndexOf(" ")
        return [line.slice(0, at), Number(line.slice(at + 1))]
      }),
  )

describe("listen: in a pipeline file", () => {
  let bench: Bench
  beforeAll(async () => {
    bench = await Bench.make()
  })
  afterAll(() => bench.remove())

  it("is off unless it is there, and on this machine alone unless said otherwise", () => {
    expect(bench.compile().listen).toBeUndefined()
    const listen = { host: "127.0.0.1", port: 9464, token: undefined, tls: undefined }
    expect(bench.compile("listen: { port: 9464 }").listen).toEqual(listen)
  })

  it.each(["0.0.0.0", '"::"', "10.0.0.5", "weir.hospital.example"])(
    "may not be on %s without knowing its callers",
    (host) => {
      const reached = /can be reached from other machines: add token, or tls with client-ca/
      expect(faultsOf(bench, `listen: { port: 1, host: ${host} }`)).toMatch(reached)
      expect(faultsOf(bench, `listen: { port: 1, host: ${host}, tls: { cert: c, key: k } }`)).toMatch(reached)
      expect(faultsOf(bench, `listen: { port: 1, host: ${host}, tls: { cert: c, key: k, client-ca: a } }`)).toBe("")
      expect(faultsOf(bench, `secrets: { t: { env: T } }\nlisten: { port: 1, host: ${host}, token: t }`)).toBe("")
    },
  )

  it("names every fault", () => {
    expect(faultsOf(bench, "listen: { prot: 1 }")).toMatch(/listen\.prot: unknown key "prot"; did you mean "port"/)
    expect(faultsOf(bench, "listen: { host: localhost }")).toContain("listen: missing port")
    expect(faultsOf(bench, "listen: { port: 70000 }")).toContain("at most 65535")
    expect(faultsOf(bench, "listen: { port: 1, token: none }")).toContain('unknown secret "none"')
    expect(faultsOf(bench, "listen: { port: 1, tls: { cert: c } }")).toContain("listen.tls: missing key")
  })
})

describe("the metrics' text", () => {
  it("escapes labels and help, and ends histograms with +Inf, sum and count", () => {
    const histogram = new Histogram()
    for (const ms of [1, 7, 7, 9e9, -5]) histogram.observe(ms)
    const text = prometheusText([
      { name: "a_total", type: "counter", help: "one\\two\nlines", samples: [{ labels: { n: 'q"\\\n' }, value: 3 }] },
      { name: "b_seconds", type: "histogram", help: "h", samples: [{ labels: { k: 1 }, value: histogram }] },
      { name: "c", type: "gauge", help: "left out", samples: [] },
    ])
    expect(text).toContain(
      '# HELP a_total one\\\\two\\nlines\n# TYPE a_total counter\na_total{n="q\\"\\\\\\n"} 3\n# HELP b_seconds h\n',
    )
    const samples = samplesOf(text)
    expect(samples.get('b_seconds_bucket{k="1",le="0.005"}')).toBe(2)
    expect(samples.get('b_seconds_bucket{k="1",le="0.01"}')).toBe(4)
    expect(samples.get('b_seconds_bucket{k="1",le="7200"}')).toBe(4)
    expect(samples.get('b_seconds_bucket{k="1",le="+Inf"}')).toBe(5)
    expect(samples.get('b_seconds_count{k="1"}')).toBe(5)
    expect(samples.get('b_seconds_sum{k="1"}')).toBeCloseTo(9e6 + 0.015)
    expect(text).not.toContain("left out")
    expect(text.endsWith("\n")).toBe(true)
  })

  it("lets codes through and nothing that looks like a value, and bounds how many", () => {
    const counts = new Map([
      ["not-read", 1],
      ["refused.burned-in-text", 2],
      ["Doe^Jane", 3],
      ["87820001", 4],
      ["a b", 5],
    ])
    expect(codedLabels(counts)).toEqual(
      new Map([
        ["not-read", 1],
        ["refused.burned-in-text", 2],
        ["other", 12],
      ]),
    )
    const many = new Map(Array.from({ length: 1000 }, (_, at) => [`code-${at}`, 1]))
    expect(codedLabels(many).size).toBeLessThanOrEqual(201)
    expect([...codedLabels(many).values()].reduce((sum, one) => sum + one)).toBe(1000)
  })
})

describe("a run with a listener", { timeout: 120_000 }, () => {
  let bench: Bench
  let running: ReturnType<Bench["run"]> | undefined
  beforeAll(async () => {
    bench = await Bench.make()
  })
  afterEach(async () => {
    await running?.stop()
    running = undefined
  })
  afterAll(() => bench.remove())

  async function start(more: string) {
    running = bench.run(more)
    const { host, port } = await running.address
    return async (path: string, init: RequestInit = {}) => {
      const response = await fetch(`http://${host}:${port}${path}`, init)
      return { status: response.status, type: response.headers.get("content-type"), body: await response.text() }
    }
  }

  it("tells that it gets on, what it did, why it stands still and that it goes on again", async () => {
    const get = await start("listen: { port: 0 }")
    expect(await get("/healthz")).toMatchObject({ status: 200, body: "ok\n" })
    await expect.poll(() => get("/readyz"), { timeout: 20_000 }).toMatchObject({ status: 200 })
    await running!.started
    const store = await drivers.store({ driver: "embedded", dir: ".weir/store" }, bench.folder)
    const facts = { sopInstanceUid: "", object: { key: "", size: 0, sha256: "" }, redactable: true, boxes: [] }
    const review = { id: "1", stage: "sifting", person: "p", subject: "s", reason: "r", input: "a[0]@1", facts }
    await store.reviews!.hold("ops", { ...review, held: Date.now() - 5000 })
    await store.close()
    await bench.knobs.append("first")
    for (const key of ["refuse-1", "drop-1", "drop-2"]) await bench.knobs.append(key)
    await expect.poll(() => bench.knobs.written, { timeout: 20_000 }).toContain("first")

    bench.knobs.trouble = "disk-full"
    await bench.knobs.append("second")
    await expect
      .poll(() => get("/readyz"), { timeout: 20_000 })
      .toMatchObject({
        status: 503,
        body: "shelf b[0] is paused: disk-full\n",
      })
    const metrics = await get("/metrics")
    expect(metrics.type).toBe("text/plain; version=0.0.4; charset=utf-8")
    const samples = samplesOf(metrics.body)
    expect(samples.get('weir_records_in_total{kind="source",name="gate"}')).toBe(5)
    expect(samples.get('weir_dead_letters_total{kind="stage",name="sifting",code="refused.test"}')).toBe(1)
    expect(samples.get('weir_dropped_total{kind="stage",name="sifting",reason="not-wanted"}')).toBe(2)
    expect(
      samples.get('weir_partition_paused{kind="sink",name="shelf",topic="b",partition="0",code="disk-full"}'),
    ).toBe(1)
    expect(samples.get('weir_consumer_lag{kind="sink",name="shelf",topic="b",partition="0"}')).toBeGreaterThan(0)
    expect(samples.get('weir_consumer_lag{kind="stage",name="sifting",topic="a",partition="0"}')).toBe(0)
    expect(samples.get('weir_arrival_to_sink_seconds_count{kind="sink",name="shelf"}')).toBeGreaterThan(0)
    expect(samples.get('weir_sink_write_delay_seconds_count{kind="sink",name="shelf"}')).toBeGreaterThan(0)
    expect(samples.get('weir_step_duration_seconds_count{kind="stage",name="sifting"}')).toBeGreaterThan(0)
    expect(samples.get('weir_reviews{kind="stage",name="sifting",state="pending"}')).toBe(1)
    expect(samples.get('weir_review_oldest_seconds{kind="stage",name="sifting"}')).toBeGreaterThanOrEqual(5)
    expect(samples.get("weir_ready")).toBe(0)
    expect(samples.get("process_resident_memory_bytes")).toBeGreaterThan(1e7)
    // Keys are no codes, and get into no label.
    for (const key of ["first", "second", "refuse-1"])
      expect(metrics.body.replaceAll('label="', "")).not.toContain(`"${key}"`)

    // The guide tells of each metric, and of none that there is not.
    const families = [...metrics.body.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!)
    const guide = readFileSync(join(import.meta.dirname, "..", "..", "docs", "guides", "operate.md"), "utf8")
    const named = new Set(
      guide.match(/\b(?:weir|process|nodejs)_[a-z_]+[a-z]/g)!.map((each) => each.replace(/_bucket$/, "")),
    )
    named.delete("weir_sink")
    // Of pipelines that de-identify, and that name canaries.
    for (const other of ["weir_self_check_alarm", "weir_canary_leaks_total"]) named.delete(other)
    expect([...named].sort()).toEqual(families.toSorted())

    const status = JSON.parse((await get("/status")).body)
    expect(status).toMatchObject({
      pipeline: "ops",
      ready: false,
      stages: { sifting: { dead: { "refused.test": 1 } } },
    })
    const [partition] = status.sinks.shelf.partitions
    expect(partition).toMatchObject({ topic: "b", partition: 0, paused: { code: "disk-full" } })
    expect(Date.parse(partition.paused.nextProbe)).toBeGreaterThan(Date.parse(partition.paused.since))

    // Other processes see it in the Log.
    const log = await drivers.log({ driver: "embedded", dir: ".weir/log" }, bench.folder)
    const table = new LogTable(log, pauseTopic("ops"))
    const told = async () => {
      await table.refresh()
      return pauseRows(table)
    }
    const where = { name: "shelf", topic: "b", partition: 0, code: "disk-full" }
    await expect.poll(told, { timeout: 20_000 }).toMatchObject([where])

    bench.knobs.trouble = undefined
    await expect.poll(() => get("/readyz"), { timeout: 40_000 }).toMatchObject({ status: 200, body: "ready\n" })
    expect(bench.knobs.written).toEqual(["first", "second"])
    await expect.poll(told, { timeout: 20_000 }).toEqual([])
    await table.close()
    await log.close()
    const armed = 'weir_timers_armed{kind="stage",name="waiting",partition="0",clock="quiet"}'
    const timers = async () => samplesOf((await get("/metrics")).body).get(armed)
    await expect.poll(timers, { timeout: 40_000, interval: 500 }).toBe(2)
    const pending = samplesOf((await get("/metrics")).body)
    const waiting = '{kind="stage",name="waiting",partition="0"}'
    expect(pending.get(`weir_pending_entries${waiting}`)).toBe(2)
    expect(pending.get(`weir_pending_oldest_seconds${waiting}`)).toBeGreaterThan(0)
    const changes = bench.log.filter((line) => /paused|resumed/.test(line))
    expect(changes).toHaveLength(2)
    expect(changes[0]).toContain('warn paused {"stage":"shelf","partition":0,"topic":"b","code":"disk-full"')
    expect(changes[1]).toContain("info resumed")
  })

  it("answers nothing without the token, and takes nothing but GET", async () => {
    const token = "0123456789abcdef0123"
    await writeFile(join(bench.folder, "token"), `${token}\n`)
    const get = await start("secrets: { scrape: { file: token } }\nlisten: { port: 0, token: scrape }")
    for (const path of ["/healthz", "/readyz", "/metrics", "/status", "/nothing"]) {
      expect(await get(path)).toMatchObject({ status: 401 })
      expect(await get(path, { headers: { authorization: `Bearer ${token}x` } })).toMatchObject({ status: 401 })
    }
    const headers = { authorization: `Bearer ${token}` }
    expect(await get("/healthz", { headers })).toMatchObject({ status: 200 })
    expect(await get("/healthz?x=1", { headers })).toMatchObject({ status: 200 })
    expect(await get("/healthz", { headers, method: "HEAD" })).toMatchObject({ status: 200, body: "" })
    expect(await get("/status", { headers, method: "POST", body: "x" })).toMatchObject({ status: 405 })
    expect(await get("/../etc", { headers })).toMatchObject({ status: 404 })
  })

  it("speaks only with who shows a certificate of the CA", async () => {
    const pem = certificates(bench.folder)
    const tls = "{ cert: server.pem, key: server.key, client-ca: ca.pem }"
    running = bench.run(`listen: { port: 0, tls: ${tls} }`)
    const { port } = await running.address
    const ask = (options: RequestOptions) =>
      new Promise<number>((resolve, reject) => {
        const path = { host: "127.0.0.1", port, path: "/healthz", ca: pem("ca.pem"), servername: "localhost" }
        request({ ...path, ...options }, ({ statusCode }) => resolve(statusCode ?? 0))
          .on("error", reject)
          .end()
      })
    await expect(ask({})).rejects.toThrow()
    await expect(ask({ cert: pem("stranger.pem"), key: pem("stranger.key") })).rejects.toThrow()
    expect(await ask({ cert: pem("client.pem"), key: pem("client.key") })).toBe(200)
  })

  it("does not start where the port is another's", async () => {
    const other = createServer().listen(0, "127.0.0.1")
    await new Promise((resolve) => other.once("listening", resolve))
    const { port } = other.address() as AddressInfo
    const failing = bench.run(`listen: { port: ${port} }`)
    await expect(failing.ended).rejects.toMatchObject({ meaning: "fatal", code: "listen-failed" })
    other.close()
  })
})

/** A CA with a server and a client of it, and a client of nobody's. */
function certificates(folder: string): (name: string) => Buffer {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" })
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
  openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca")
  for (const name of ["server", "client"]) {
    const names = name === "server" ? ["-addext", "subjectAltName=DNS:localhost"] : []
    const by = ["-CA", "ca.pem", "-CAkey", "ca.key"]
    openssl(
      "req",
      "-x509",
      ...key,
      ...by,
      ...names,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.pem`,
      "-subj",
      `/CN=${name}`,
    )
  }
  openssl("req", "-x509", ...key, "-keyout", "stranger.key", "-out", "stranger.pem", "-subj", "/CN=stranger")
  return (name) => readFileSync(join(folder, name))
}
