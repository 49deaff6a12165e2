import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { Schema, defineTransform, port, refused } from "../../core/index.ts"
import { temporaryPostgres } from "../oracle/postgres.ts"
import { World, reading } from "./world.ts"

const border = defineTransform({
  name: "strict",
  summary: "Refuses even numbers as a self-check would.",
  options: Schema.Struct({}),
  privacy: true,
  inputs: { in: port(reading, "key") },
  outputs: { out: port(reading, "key") },
  create: async () => ({
    apply(batch, out) {
      for (const record of batch)
        if (Number(record.value!.number) % 2 === 0)
          out.fail(record, refused("self-check", "the result still says who it is of"))
        else out.emit("out", record, { ...record })
    },
  }),
})

const yaml = (policy: string) => `
name: alarmed
self-check: ${policy}
topics: { raw: { partitions: 1 }, below: { zone: limited, partitions: 1 } }
sources: { feed: { use: numbers, to: raw } }
stages: { border: { from: raw, through: [{ use: strict }], to: below } }
sinks: { table: { use: postgres, from: below } }
`

describe("hits of the self-check that repeat", { timeout: 120_000 }, () => {
  let server: Awaited<ReturnType<typeof temporaryPostgres>>
  let world: World
  beforeAll(async () => {
    server = await temporaryPostgres()
  })
  afterAll(() => server?.close())
  afterEach(() => world.close())

  const opened = async (policy: string) => {
    world = await World.open(yaml(policy), server)
    world.builtIns = [...world.plugins, border]
    world.count = 6
  }
  const run = () => world.weir("run", world.file, "--until-idle", "--json")
  const status = async () => JSON.parse((await world.weir("status", world.file, "--json")).out).selfCheck

  it("are one line of the log, and shown to whoever looks; good records go on", async () => {
    await opened("{ hits: 3, within: 1h }")
    const { code, err } = await run()
    expect(code).toBe(0)
    expect(err.match(/error self-check-alarm .*/g)).toEqual(["error self-check-alarm stage=border count=3 ms=3600000"])
    expect(await status()).toEqual({ border: { hits: 3, alarm: true } })
    expect((await world.weir("status", world.file)).out).toContain("the self-check refuses again and again\n  border")
    expect(await world.rows("select number from limited.below")).toHaveLength(3)
  })

  it("are none while they are fewer", async () => {
    await opened("{ hits: 4, within: 1h }")
    const { code, err } = await run()
    expect([code, err.includes("self-check-alarm")]).toEqual([0, false])
    expect(await status()).toEqual({ border: { hits: 3, alarm: false } })
    expect((await world.weir("status", world.file)).out).not.toContain("again and again")
  })

  it("stop the pipeline where the file says so: the dead letters are there, and a new start goes on behind them", async () => {
    await opened("{ hits: 3, within: 1h, on-repeat: stop }")
    const { code, err } = await run()
    expect([code, err]).toEqual([1, expect.stringContaining("code: self-check-alarm")])
    expect(await world.letters()).toHaveLength(3)
    expect((await run()).code).toBe(0)
    expect(await world.letters()).toHaveLength(3)
    expect(await world.rows("select number from limited.below")).toHaveLength(3)
  })

  it("have a policy that the file must spell right", async () => {
    await opened("{ hits: 0, within: soon, on-repeat: shout }")
    const { code, err } = await world.weir("check", world.file)
    expect(code).toBe(78)
    for (const key of ["hits", "within", "on-repeat"]) expect(err).toContain(`self-check.${key}: `)
  })
})
