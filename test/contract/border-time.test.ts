import { describe, expect, it } from "vitest"
import { pseudonymizer } from "../../core/index.ts"
import { shiftDate } from "../../formats/fhir/deidentify/index.ts"
import { localTime } from "../../formats/fhir/time.ts"
import { policyFrom } from "../../transforms/deidentify/dicom-options.ts"
import { clockOf } from "../../transforms/deidentify/local-time.ts"
import { shiftText, shiftTime } from "../../transforms/deidentify/record-dates.ts"

const key = new Uint8Array(32).fill(5)
const [winter, summer] = ["2024-01-10T08:30:15.250-05:00", "2024-07-10T08:30:15.250-04:00"]
const clock = (ms: number | undefined) => new Date(ms!).toISOString().slice(11)
const hospital = localTime("America/New_York")!

describe("times below the border are those that the hospital's clocks showed, summer and winter", () => {
  it("in records, in studies, and in resources whatever offset they state", () => {
    const policy = policyFrom({ "retain-longitudinal-modified-dates": true, "time-zone": "America/New_York" }, key)
    for (const text of [winter, summer]) {
      const ms = Date.parse(text)
      expect(clock(shiftTime(ms, 500, hospital))).toBe("08:30:15.250Z")
      expect(clock(policy.time(ms, policy.person("p")))).toBe("08:30:15.250Z")
      for (const stated of [text, new Date(ms).toISOString(), new Date(ms).toISOString().replace("Z", "+00:00")]) {
        expect(shiftDate(stated, 500, hospital)!.slice(11)).toBe("08:30:15.250Z")
        expect(shiftText(stated, 500, hospital)!.slice(11)).toBe("08:30:15.250Z")
      }
    }
  })

  it("on the day that they showed, whole days before", () => {
    const late = "2024-07-10T23:30:00-04:00"
    expect(shiftDate(late, 366, hospital)).toBe("2023-07-10T23:30:00Z")
    expect(shiftDate(new Date(late).toISOString(), 366, hospital)).toBe("2023-07-10T23:30:00.000Z")
    expect(shiftDate("2024-07-11T03:30Z", 366, hospital)).toBe("2023-07-10T23:30Z")
    expect(shiftTime(Date.parse(late), 366, hospital)).toBe(Date.parse("2023-07-10T23:30:00Z"))
    expect(pseudonymizer(key).shiftDays("p")).toBeGreaterThanOrEqual(365)
  })

  it("also in the hour that happens twice", () => {
    for (const text of ["2024-11-03T01:30:00-04:00", "2024-11-03T01:30:00-05:00"]) {
      expect(shiftDate(text, 400, hospital)!.slice(11)).toBe("01:30:00Z")
      expect(clock(shiftTime(Date.parse(text), 400, hospital))).toBe("01:30:00.000Z")
    }
  })

  it("leave days as they are, and know fixed zones and none", () => {
    expect(shiftDate("2024-07-10", 366, hospital)).toBe("2023-07-10")
    expect(localTime("+05:30")!(0)).toBe(19_800_000)
    expect(localTime("Z")!(7)).toBe(7)
    expect(() => clockOf("Nowhere/At-All")).toThrow(expect.objectContaining({ code: "time-zone-unknown" }))
  })

  it("are another policy of images when the zone is another", () => {
    const of = (zone: string) => policyFrom({ "time-zone": zone }, key).fingerprint
    expect(of("Z")).not.toBe(of("America/New_York"))
  })
})
