import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { interval, zoneOffset } from "../../formats/fhir/time.ts"

const shown = (text: string, zone?: Parameters<typeof interval>[1]) => {
  const span = interval(text, zone)
  return span && [new Date(span.from).toISOString(), new Date(span.to).toISOString(), span.precision].join(" ")
}

describe("FHIR times", () => {
  it.each([
    ["2020", "2020-01-01T00:00:00.000Z 2021-01-01T00:00:00.000Z year"],
    ["2020-12", "2020-12-01T00:00:00.000Z 2021-01-01T00:00:00.000Z month"],
    ["2024-02", "2024-02-01T00:00:00.000Z 2024-03-01T00:00:00.000Z month"],
    ["2024-02-29", "2024-02-29T00:00:00.000Z 2024-03-01T00:00:00.000Z day"],
    ["2020-01-01T10:00Z", "2020-01-01T10:00:00.000Z 2020-01-01T10:01:00.000Z minute"],
    ["2020-01-01T10:00:00+01:00", "2020-01-01T09:00:00.000Z 2020-01-01T09:00:01.000Z second"],
    ["2020-01-01T10:00:00.25-05:30", "2020-01-01T15:30:00.250Z 2020-01-01T15:30:00.260Z second"],
    ["2020-01-01T10:00:00.123456Z", "2020-01-01T10:00:00.123Z 2020-01-01T10:00:00.124Z second"],
    ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z 2017-01-01T00:00:01.000Z second"],
    ["0099-12-31", "0099-12-31T00:00:00.000Z 0100-01-01T00:00:00.000Z day"],
  ])("%s is all the time that it may mean", (text, expected) => expect(shown(text)).toBe(expected))

  it.each([
    "0000-13-45",
    "0000",
    "2023-02-30",
    "2023-02-29",
    "2023-13",
    "2023-00",
    "2023-04-31",
    "2023-1-1",
    "23-01-01",
    "2020-01-01T24:00:00Z",
    "2020-01-01T10:60:00Z",
    "2020-01-01T10:00:61Z",
    "2020-01-01T10:00:00+14:01",
    "2020-01-01T10:00:00+01:60",
    "2020-01-01T10Z",
    "2020-01-01 10:00:00",
    "",
    "now",
    "2020-01-01T10:00:00Z ",
  ])("%j is no time", (text) => expect(interval(text)).toBeUndefined())

  it("a text without an offset is read in the source's zone", () => {
    expect(shown("2020-06-01", 120)).toBe("2020-05-31T22:00:00.000Z 2020-06-01T22:00:00.000Z day")
    expect(shown("2020-06-01T00:00:00Z", 120)).toBe("2020-06-01T00:00:00.000Z 2020-06-01T00:00:01.000Z second")
    const berlin = zoneOffset("Europe/Berlin")!
    expect(shown("2023-03-26", berlin)).toBe("2023-03-25T23:00:00.000Z 2023-03-26T22:00:00.000Z day")
    expect(shown("2023-10-29", berlin)).toBe("2023-10-28T22:00:00.000Z 2023-10-29T23:00:00.000Z day")
    expect(shown("2023-10-29T02:30:00", berlin)).toBe("2023-10-29T00:30:00.000Z 2023-10-29T00:30:01.000Z second")
    expect(shown("2023-03-26T02:30:00", berlin)).toBe("2023-03-26T01:30:00.000Z 2023-03-26T01:30:01.000Z second")
    expect(zoneOffset("-05:30")).toBe(-330)
    expect(zoneOffset("Nowhere/At-All")).toBeUndefined()
  })

  it("every instant of the platform is read as itself, and its shorter forms hold it", () => {
    const instants = fc.date({
      min: new Date("0001-01-01T00:00:00Z"),
      max: new Date("9998-12-31T23:59:59Z"),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(instants, (date) => {
        const text = date.toISOString()
        expect(interval(text)).toEqual({ from: date.getTime(), to: date.getTime() + 1, precision: "second" })
        for (const length of [4, 7, 10]) {
          const span = interval(text.slice(0, length))!
          expect(span.from <= date.getTime() && date.getTime() < span.to).toBe(true)
        }
      }),
    )
  })
})
