import { describe, expect, it } from "vitest"
import { agree, judge } from "../../transforms/deidentify/pixels/judge.ts"

const person = { identifiers: ["FALKENBERG^JANE", "MRN20417", "19510829", "LI^WEI"] }
const line = (text: string, score = 0.95, height = 18) => judge({ x: 5, y: 5, width: 120, height, text, score }, person)

describe("a line of text that was read in a picture", () => {
  it.each([
    "FALKENBERG, JANE",
    "FALKENBERGJANE",
    "FA1KENBERG",
    "Li Wei",
    "08/29/1951",
    "17 0ct 16",
    "3JAN94",
    "1:29:49 pm",
    "00079241539",
    "MON GENERAL HOSPITAL SURGICAL CARE",
    "Store in progress",
    "BAPTIST MED CTR",
    "9261",
    "CINE 0118",
  ])("%s goes", (text) => expect(line(text)).toBe("redact"))

  it.each([
    "MI 1.4",
    "TIS<0.4",
    "6.0MHz",
    "35mm",
    "65dB",
    "100%",
    "C5-1",
    "Gain= 8dB",
    "11cm",
    "12 CM",
    "1200mm",
    "2D",
    "R",
    "L3",
    "LIVER",
    "LYMPH NODE",
    "PWR",
  ])("%s may stay", (text) => expect(line(text)).toBe("keep"))

  it("is for a person to look at where an unsure reading would name somebody", () => {
    expect(line("HARGREAVES", 0.6)).toBe("unsure")
    expect(line("HARGREAVES", 0.75)).toBe("redact")
    expect(line("HARGREAVES", 0.49)).toBe("keep")
  })

  it("goes however unsure where it is the person's own", () => {
    expect(line("FALKENBERG", 0.3)).toBe("redact")
    expect(line("LI", 0.5)).toBe("keep")
    expect(line("LI", 0.8)).toBe("redact")
  })

  it("without letters or digits, or lower than letters can be, is a mark of the picture", () => {
    expect(line("----", 0.99)).toBe("keep")
    expect(line("HARGREAVES", 0.99, 5)).toBe("keep")
  })

  it("is the same text as another reading but for look-alike and single letters", () => {
    expect(agree("3JAN94", "3OJAN94")).toBe(true)
    expect(agree("S.F4", "MAA")).toBe(false)
    expect(agree("KWOTZ", "HULPA")).toBe(false)
  })
})
