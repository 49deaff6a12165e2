import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { join } from "node:path"
import { writePipeline } from "./pipeline.ts"
import type { Addresses, Release } from "./pipeline.ts"
import { Service, until } from "./service.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const startMs = 90_000
const drainSeconds = 25

/** A Weir process: `weir run` on a pipeline file of its own. */
export class Weir {
  readonly service: Service
  readonly addresses: Addresses
  readonly #folder: string
  readonly #clock: string
  /** Set while its end is a fault's doing, or asked for. */
  expected = false

  /** @param died told of an end that nothing here brought about */
  constructor(folder: string, addresses: Addresses, died: (what: string) => void) {
    this.#folder = folder
    this.addresses = addresses
    this.#clock = join(folder, `clock-${addresses.process}`)
    const name = `weir-${addresses.process}`
    const file = join(folder, `${name}.yaml`)
    this.service = new Service(() => ({
      name,
      mark: file,
      log: join(folder, `${name}.log`),
      command: process.execPath,
      args: [
        "--max-old-space-size=256",
        "--import",
        join(root, "test/torture/clock.ts"),
        join(root, "cli/bin.ts"),
        "run",
        file,
        "--log",
        "json",
        "--drain",
        String(drainSeconds),
      ],
      options: {
        // Node keeps what it compiled, so that the next start is quicker.
        env: { ...process.env, TORTURE_CLOCK: this.#clock, NODE_COMPILE_CACHE: join(folder, "compiled") },
        cwd: folder,
      },
    }))
    this.service.onExit = ({ code, signal }) => {
      if (!this.expected) died(`${name} ended ${code ?? signal} by itself; its log: ${this.service.log}`)
    }
  }

  get process(): number {
    return this.addresses.process
  }

  /** Starts it; it is not ready yet. */
  start(release: Release): void {
    writePipeline(this.#folder, this.addresses, release)
    this.expected = false
    this.service.spawn()
  }

  async ready(patienceMs = startMs): Promise<void> {
    const url = `http://127.0.0.1:${this.addresses.http}/readyz`
    await until(
      `${this.service.name} to be ready`,
      async () => {
        // That it died is told elsewhere.
        if (!this.service.running) return true
        return fetch(url, { signal: AbortSignal.timeout(2000) }).then(
          ({ ok }) => ok || undefined,
          () => undefined,
        )
      },
      patienceMs,
      100,
    )
    this.service.note("ready")
  }

  /** kill -9. */
  kill(): Promise<void> {
    this.expected = true
    return this.service.kill()
  }

  /** SIGTERM: it drains.
   * @returns how it ended where that is no clean end */
  async end(): Promise<string | undefined> {
    this.expected = true
    this.service.note("asked to end")
    const { code, signal } = await this.service.end("SIGTERM", (drainSeconds + 10) * 1000)
    // The signal itself ends a process that is still being loaded: it has begun nothing.
    return code === 0 || signal === "SIGTERM" ? undefined : String(code ?? signal)
  }

  /** Its calendar clock jumps. */
  shiftClock(ms: number): void {
    writeFileSync(this.#clock, String(ms))
    this.service.signal("SIGUSR2")
  }

  /** What its log says went wrong, for people: the last lines that are no mere information. */
  get complaints(): string {
    const lines = this.service.said.split("\n").filter((line) => line !== "" && !line.includes('"level":"info"'))
    return lines.slice(-20).join("\n")
  }
}
