import { describe, expect, it } from "vitest"
import { buildPart10 } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"
import { examine } from "../../transforms/deidentify/dicom-original.ts"
import { addEvidence, noInstances, seriesRiskOf } from "../../transforms/deidentify/dicom-series.ts"
import { bytesOf } from "../deface/scanned.ts"

const ct = "1.2.840.10008.5.1.4.1.1.2"
const mr = "1.2.840.10008.5.1.4.1.1.4"
const el = (tag: string, vr: string, value: string | readonly string[]): DataElement => ({ tag, vr, value })
const axes = {
  axial: ["1", "0", "0", "0", "1", "0"],
  sagittal: ["0", "1", "0", "0", "0", "-1"],
  coronal: ["1", "0", "0", "0", "0", "-1"],
} as const

interface Lay {
  readonly count: number
  readonly gap: number
  readonly plane?: keyof typeof axes
  readonly sopClass?: string
}

/** Headers of a series of slices. */
const slices = ({ count, gap, plane = "axial", sopClass = ct }: Lay, ...more: readonly DataElement[]) =>
  Array.from({ length: count }, (_, at) => {
    const place = String(at * gap - 60)
    const origin = { axial: ["0", "0", place], sagittal: [place, "0", "0"], coronal: ["0", place, "0"] }[plane]
    return [
      el("00080016", "UI", sopClass),
      el("00080060", "CS", sopClass === mr ? "MR" : "CT"),
      el("00200032", "DS", origin),
      el("00200037", "DS", axes[plane]),
      el("00280030", "DS", ["0.5", "0.5"]),
      { tag: "00280010", vr: "US", value: 512 },
      { tag: "00280011", vr: "US", value: 512 },
      ...more,
    ]
  })

/** Header of an enhanced multi-frame image. */
function multiFrame(count: number, gap: number, ...more: readonly DataElement[]): readonly DataElement[] {
  const frames = Array.from({ length: count }, (_, at) => [
    { tag: "00209113", vr: "SQ", items: [[el("00200032", "DS", ["0", "0", String(at * gap)])]] },
  ])
  const shared: readonly DataElement[] = [
    { tag: "00209116", vr: "SQ", items: [[el("00200037", "DS", axes.axial)]] },
    { tag: "00289110", vr: "SQ", items: [[el("00280030", "DS", ["0.5", "0.5"])]] },
  ]
  return [
    el("00080016", "UI", "1.2.840.10008.5.1.4.1.1.4.1"),
    el("00080060", "CS", "MR"),
    el("00280008", "IS", String(count)),
    { tag: "00280010", vr: "US", value: 256 },
    { tag: "00280011", vr: "US", value: 256 },
    ...more,
    { tag: "52009229", vr: "SQ", items: [shared] },
    { tag: "52009230", vr: "SQ", items: frames },
  ]
}

async function riskOf(series: readonly (readonly DataElement[])[]): Promise<string> {
  const counts = noInstances()
  for (const [at, header] of series.entries()) {
    const elements = [el("00080018", "UI", `1.2.3.${at}`), ...header].sort((a, b) => (a.tag < b.tag ? -1 : 1))
    const found = await examine(bytesOf(buildPart10(elements, { transferSyntax: "1.2.840.10008.1.2.1" })))
    if (found.kind === "refused") throw new Error(found.reason)
    addEvidence(counts, found.evidence)
  }
  return seriesRiskOf(counts)
}

const head = el("00180015", "CS", "HEAD")
const chest = el("00180015", "CS", "CHEST")
const described = (text: string) => [chest, el("00080005", "CS", "ISO_IR 192"), el("0008103E", "LO", text)]
const lost = (header: readonly DataElement[]) => header.filter(({ tag }) => tag !== "00200032")
const thin = { count: 40, gap: 1 }

describe("whether a face could be rendered from a series", () => {
  it.each<readonly [string, readonly (readonly DataElement[])[], string]>([
    ["thin axial CT of a head", slices(thin, head), "face-risk"],
    ["thin sagittal MR of a head", slices({ ...thin, plane: "sagittal", sopClass: mr }, head), "face-risk"],
    [
      "coronal MR of a neck",
      slices({ ...thin, plane: "coronal", sopClass: mr }, el("00180015", "CS", "NECK")),
      "face-risk",
    ],
    ["a region that is not told", slices(thin), "face-risk"],
    ["a chest", slices(thin, chest), "none"],
    ["a usual 2D protocol: 5 mm and a gap", slices({ count: 22, gap: 6.5, sopClass: mr }, head), "face-risk"],
    ["slices a centimetre and more apart", slices({ count: 22, gap: 12 }, head), "none"],
    ["one slice", slices({ count: 1, gap: 1 }, head), "none"],
    ["a scout of three", slices({ count: 3, gap: 40 }, head), "none"],
    [
      "a scout in three planes",
      (["axial", "sagittal", "coronal"] as const).flatMap((plane) =>
        slices({ count: 4, gap: 20, plane, sopClass: mr }, head),
      ),
      "none",
    ],
    ["four slices", slices({ count: 4, gap: 5 }, head), "none"],
    ["a slab that is thinner than a nose is wide", slices({ count: 10, gap: 1 }, head), "none"],
    ["the same place again and again", slices({ count: 60, gap: 0 }, head), "none"],
    ["few slices of many that are told", slices({ count: 2, gap: 5 }, head, el("00201209", "IS", "120")), "face-risk"],
    ["slices that do not say where they are", slices({ count: 3, gap: 5 }, head).map(lost), "face-risk"],
    [
      "one that says that features can be recognized",
      slices({ count: 1, gap: 1 }, chest, el("00280302", "CS", "YES")),
      "face-risk",
    ],
    ["frames of one image", [multiFrame(60, 1, head)], "face-risk"],
    ["frames of a scout", [multiFrame(3, 20, head)], "none"],
    [
      "frames that are too few for their count",
      [multiFrame(60, 1, head).filter(({ tag }) => tag !== "52009230")],
      "face-risk",
    ],
    [
      "a structure set, which is an outline",
      [[el("00080016", "UI", "1.2.840.10008.5.1.4.1.1.481.3"), head]],
      "face-risk",
    ],
  ])("%s", async (_, series, risk) => {
    expect(await riskOf(series)).toBe(risk)
  })

  it.each([
    "CCT Schädel nativ",
    "TC CRANEO",
    "IRM cérébrale, tête",
    "RM encefalo",
    "TC de crânio",
    "RM de la cabeza",
    "MR hersenen",
    "MR hjärna",
    "TK GŁOWY",
    "BT beyin",
    "МРТ головного мозга",
    "頭部CT",
    "头颅平扫",
    "뇌 MRI",
    "NNH",
    "SINUS",
    "ORBITS",
  ])("believes %s rather than a body part that says chest", async (text) => {
    expect(await riskOf(slices(thin, ...described(text)))).toBe("face-risk")
  })

  it("does not take other words for it", async () => {
    for (const text of ["THORAX NATIV", "Lunge", "CHEST 1MM B70"])
      expect(await riskOf(slices(thin, ...described(text)))).toBe("none")
  })

  it("believes codes of regions: a head by its code, where no body part is told", async () => {
    const region = (code: string, meaning: string): DataElement => ({
      tag: "00082218",
      vr: "SQ",
      items: [[el("00080100", "SH", code), el("00080102", "SH", "SCT"), el("00080104", "LO", meaning)]],
    })
    expect(await riskOf(slices(thin, region("69536005", "Head")))).toBe("face-risk")
    expect(await riskOf(slices(thin, region("51185008", "Chest")))).toBe("none")
  })
})
