import { beforeEach, describe, expect, it } from "vitest"
import { SelfCheckAlarms } from "../../core/engine/self-check-alarm.ts"
import { badRecord, refused } from "../../core/errors.ts"

const minute = 60_000
const hit = { error: refused("identifier-left", "the result still says who it is of") }
const text = { error: refused("self-check", "the result still says who it is of") }
const others = [{ error: refused("no-person", "no person") }, { error: badRecord("unreadable", "cannot be read") }]

describe("hits of a stage's self-check", () => {
  let now = 0
  let said: [level: string, event: string, fields: unknown][]
  const alarms = (onRepeat: "alarm" | "stop") => {
    const line = (level: string) => (event: string, fields?: unknown) => void said.push([level, event, fields])
    const logger = { info: line("info"), warn: line("warn"), error: line("error") }
    return new SelfCheckAlarms({ hits: 3, within: 10 * minute, onRepeat }, logger, () => now)
  }
  beforeEach(() => {
    now = 1_000_000_000
    said = []
  })

  it("that come one by one, with time between them, are no alarm", () => {
    const watch = alarms("stop")
    for (let count = 0; count < 50; count++) {
      now += 5 * minute
      watch.look("images", [hit, ...others])
    }
    expect(watch.state("images")).toEqual({ hits: 2, alarm: false })
    expect(said).toEqual([])
  })

  it("that repeat raise the alarm, with one line, and the end of it is said once", () => {
    const watch = alarms("alarm")
    watch.look("images", [hit, text])
    expect(watch.state("images").alarm).toBe(false)
    now += minute
    for (let more = 0; more < 20; more++) watch.look("images", [hit])
    expect(watch.state("images")).toEqual({ hits: 3, alarm: true })
    expect(said).toEqual([["error", "self-check-alarm", { stage: "images", count: 3, ms: 10 * minute }]])
    expect(watch.state("release")).toEqual({ hits: 0, alarm: false })
    now += 11 * minute
    watch.look("images", others)
    watch.look("images", [])
    expect(said.slice(1)).toEqual([["error", "self-check-alarm-over", { stage: "images", count: 0, ms: 10 * minute }]])
  })

  it("that are of several stages are not added up", () => {
    const watch = alarms("stop")
    for (const stage of ["images", "resources", "release"]) watch.look(stage, [hit, hit])
    expect(said).toEqual([])
  })

  it("stop the pipeline where it says so, by an error that holds no value", () => {
    const watch = alarms("stop")
    watch.look("images", [hit, hit])
    expect(() => watch.look("images", [text])).toThrow(
      expect.objectContaining({
        meaning: "fatal",
        code: "self-check-alarm",
        message: expect.stringContaining("images"),
      }),
    )
  })
})
