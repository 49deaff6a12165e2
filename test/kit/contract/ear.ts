import { expect, vi } from "vitest"
import { WeirError } from "../../../core/index.ts"
import type { Context } from "../../../core/index.ts"
import { testContext } from "../harness.ts"
import type { TestContext } from "../harness.ts"

/** Text of anything, for searching. */
export const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? String(part) : part)) ?? ""

const consoleMethods = ["debug", "error", "info", "log", "warn"] as const

/** Hears everything that a plugin tells people: log lines, counters, the console, reasons and errors. */
export class Ear {
  #now = Date.UTC(2026, 0, 1)
  readonly heard: { readonly where: string; readonly text: string }[] = []

  hear(where: string, said: unknown): void {
    this.heard.push({ where, text: typeof said === "string" ? said : textOf(said) })
  }

  /** What an error tells; its cause is told by its class name alone. */
  error(where: string, error: unknown): void {
    const { message, code, path, hint, rows } = error as Partial<WeirError>
    this.hear(where, [message, code, path, hint])
    for (const row of rows?.values() ?? []) this.error(where, row)
  }

  context(given: TestContext = {}): Context {
    const line =
      (level: "info" | "warn" | "error"): Context["log"]["info"] =>
      (event, fields) => {
        this.hear("a log line", [event, fields])
        given.log?.[level](event, fields)
      }
    return testContext({
      // Another time at each asking: what depends on it is no function of the input.
      clock: { now: () => (this.#now += 1234) },
      ...given,
      log: { info: line("info"), warn: line("warn"), error: line("error") },
      count: (name, label, by) => {
        this.hear("a counter", [name, label])
        given.count?.(name, label, by)
      },
    })
  }
  /** Runs with the console heard; what is thrown is heard and thrown on. */
  async listen<T>(run: () => Promise<T>): Promise<T> {
    const spies = consoleMethods.map((method) =>
      vi.spyOn(console, method).mockImplementation((...said: unknown[]) => this.hear("the console", said.map(String))),
    )
    try {
      return await run()
    } catch (error) {
      this.error("a thrown error", error)
      throw error
    } finally {
      for (const spy of spies) spy.mockRestore()
    }
  }

  /** Fails, naming the place and not the value, when a planted value was heard. */
  expectNone(canaries: readonly string[]): void {
    const told = this.heard.filter(({ text }) => holdsAny(text, canaries)).map(({ where }) => where)
    expect([...new Set(told)], "places where a planted private value was told").toEqual([])
  }
}

/** Every planted value of a case. */
export const canariesOf = ({
  canaries,
  canariesInWorld = [],
}: {
  readonly canaries: readonly string[]
  readonly canariesInWorld?: readonly string[]
}): readonly string[] => [...canaries, ...canariesInWorld]

/** Letter case does not hide a value. */
export const holdsAny = (text: string, canaries: readonly string[]): boolean =>
  canaries.some((canary) => text.toLowerCase().includes(JSON.stringify(canary).slice(1, -1).toLowerCase()))

const code = /^[a-z0-9]+([-.][a-z0-9]+)*$/

/** A reason is a code: nothing of a record can be in it. */
export const expectCode = (text: string): void => expect(text, "a reason in kebab-case").toMatch(code)

/** What a plugin fails a record with is a bad record's error; any other meaning must be thrown. */
export function expectBadRecord(error: Error): void {
  expect(error, "the error of a failed record (badRecord, refused)").toBeInstanceOf(WeirError)
  expect((error as WeirError).meaning).toBe("bad-record")
  expectCode((error as WeirError).code)
}
