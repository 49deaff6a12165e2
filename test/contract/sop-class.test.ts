import { describe, expect, it } from "vitest"
import classes from "../../formats/dicom/data/sop-classes.json" with { type: "json" }
import { isRefusal, showingOf } from "../../formats/dicom/sop-class.ts"

const known = classes.rows.map(([uid, iod, ...modules]) => ({ iod: iod!, modules, showing: showingOf(uid!) }))
const iodsOf = (showing: string) => known.filter((each) => each.showing === showing).map(({ iod }) => iod)
const root = "1.2.840.10008.5.1.4.1.1."
const pictured = (module: string) => module === "general-image" || module.startsWith("multi-frame")

describe("what an object of a SOP class of the standard shows", () => {
  it("is no picture where it is held for data, except the dose and spectra", () => {
    const wrong = known.filter(({ showing, modules }) => showing === "data" && modules.some(pictured))
    expect(wrong.map(({ iod }) => iod).toSorted()).toEqual(["mr-spectroscopy", "rt-dose"])
  })

  it("is never that of a picture where it has none but a surface, a structure or tracts", () => {
    const shown = ["photo", "projection", "slide", "volume"].flatMap((showing) =>
      known.filter((each) => each.showing === showing),
    )
    const without = shown.filter(({ modules }) => !modules.some(pictured)).map(({ iod }) => iod)
    expect(without.toSorted()).toEqual(["rt-structure-set", "surface-segmentation", "tractography-results"])
  })

  it("follows the kind of its IOD", () => {
    const refusals = ["structured-report", "presentation-state", "encapsulated-document", "audio"] as const
    const kinds: Readonly<Record<(typeof refusals)[number], RegExp>> = {
      "structured-report": /-sr$|-sr-|^procedure-log$|^key-object|^extensible-sr$/,
      "presentation-state": /presentation-state$/,
      "encapsulated-document": /^encapsulated-/,
      audio: /-audio-waveform$/,
    }
    for (const kind of refusals) {
      const iods = iodsOf(kind)
      expect(iods.length, kind).toBeGreaterThan(1)
      expect(iods.filter((iod) => !kinds[kind].test(iod))).toEqual([])
      expect(
        known.filter(({ iod, showing }) => kinds[kind].test(iod) && showing !== kind).map(({ iod }) => iod),
      ).toEqual([])
    }
  })

  it("is not known of plans, protocols, raw data, video and confocal images, which are refused", () => {
    expect(iodsOf("unsupported-sop-class").toSorted()).toMatchInlineSnapshot(`
      [
        "basic-structured-display",
        "color-palette",
        "confocal-microscopy-image",
        "confocal-microscopy-tiled-pyramidal-image",
        "ct-defined-procedure-protocol",
        "ct-performed-procedure-protocol",
        "enhanced-continuous-rt-image",
        "generic-implant-template",
        "hanging-protocol",
        "implant-assembly-template",
        "implant-template-group",
        "inventory",
        "protocol-approval",
        "raw-data",
        "rt-beams-delivery-instruction",
        "rt-brachy-application-setup-delivery-instruction",
        "rt-patient-position-acquisition-instruction",
        "rt-physician-intent",
        "rt-radiation-set-delivery-instruction",
        "rt-segment-annotation",
        "rt-treatment-preparation",
        "surface-scan-mesh",
        "surface-scan-point-cloud",
        "video-endoscopic-image",
        "video-microscopic-image",
        "video-photographic-image",
        "xa-defined-procedure-protocol",
        "xa-performed-procedure-protocol",
      ]
    `)
  })

  it.each([
    ["projection", "5"],
    ["projection", "12.3"],
    ["burned-in-text-risk", "3"],
    ["burned-in-text-risk", "6"],
  ])("is as of the class that came after it: %s of the retired %s", (showing, leaf) => {
    expect(showingOf(root + leaf)).toBe(showing)
  })

  it.each(["", "1.2.3.4", `${root}`, `${root}2.99`, "1.3.6.1.4.1.9590.100.1.1.1"])("is not known of %o", (uid) => {
    expect(showingOf(uid)).toBe("unsupported-sop-class")
    expect(isRefusal(showingOf(uid))).toBe(true)
  })
})
