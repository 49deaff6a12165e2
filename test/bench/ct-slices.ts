import { randomBytes } from "node:crypto"
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { buildPart10 } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"

/** A CT slice of 0.5 MB with a header as scanners write them: some 130 elements, private groups, sequences. */
function ctSlice(number: number): Uint8Array {
  const hex = (value: number) => value.toString(16).padStart(4, "0").toUpperCase()
  const filler: DataElement[] = Array.from({ length: 40 }, (_, at) => ({
    tag: `0019${hex(0x1000 + at)}`,
    vr: "LO",
    value: `private value ${at}`,
  }))
  const acquisition: DataElement[] = Array.from({ length: 40 }, (_, at) => ({
    tag: `0018${hex(0x9300 + at)}`,
    vr: "FD",
    value: at,
  }))
  const code: DataElement[] = [
    { tag: "00080100", vr: "SH", value: "71250" },
    { tag: "00080102", vr: "SH", value: "C4" },
    { tag: "00080104", vr: "LO", value: "CT chest" },
  ]
  const elements: DataElement[] = [
    { tag: "00080008", vr: "CS", value: ["ORIGINAL", "PRIMARY", "AXIAL"] },
    { tag: "00080016", vr: "UI", value: "1.2.840.10008.5.1.4.1.1.2" },
    { tag: "00080018", vr: "UI", value: `1.2.826.0.1.999.5.${number}` },
    { tag: "00080020", vr: "DA", value: "20240229" },
    { tag: "00080030", vr: "TM", value: "101500" },
    { tag: "00080050", vr: "SH", value: "ACC-778899" },
    { tag: "00080060", vr: "CS", value: "CT" },
    { tag: "00080070", vr: "LO", value: "Weir Imaging" },
    { tag: "00080080", vr: "LO", value: "General Hospital" },
    { tag: "00080090", vr: "PN", value: "Referring^Doctor" },
    { tag: "00081030", vr: "LO", value: "CT CHEST" },
    { tag: "0008103E", vr: "LO", value: "AXIAL 2.5MM LUNG" },
    { tag: "00081032", vr: "SQ", items: [code] },
    { tag: "00081140", vr: "SQ", items: [[{ tag: "00081155", vr: "UI", value: "1.2.826.0.1.999.7" }], code] },
    { tag: "00100010", vr: "PN", value: "Testperson^Alva" },
    { tag: "00100020", vr: "LO", value: "MRN-471147" },
    { tag: "00100030", vr: "DA", value: "19500101" },
    { tag: "00180015", vr: "CS", value: "CHEST" },
    { tag: "0020000D", vr: "UI", value: "1.2.826.0.1.999.1" },
    { tag: "0020000E", vr: "UI", value: "1.2.826.0.1.999.2" },
    { tag: "00200013", vr: "IS", value: String(number) },
    { tag: "00280002", vr: "US", value: 1 },
    { tag: "00280004", vr: "CS", value: "MONOCHROME2" },
    { tag: "00280010", vr: "US", value: 512 },
    { tag: "00280011", vr: "US", value: 512 },
    { tag: "00280100", vr: "US", value: 16 },
    { tag: "00190010", vr: "LO", value: "WEIR BENCH" },
    { tag: "7FE00010", vr: "OW", value: randomBytes(512 * 512 * 2) },
    ...filler,
    ...acquisition,
  ]
  return buildPart10(elements, { transferSyntax: "1.2.840.10008.1.2.1" })
}

/** Fills a new folder with slices of one series, and tells their bytes in all. */
export async function writeSlices(folder: string, images: number): Promise<number> {
  await mkdir(folder)
  let bytes = 0
  for (let number = 0; number < images; number++) {
    const slice = ctSlice(number)
    bytes += slice.length
    await writeFile(join(folder, `${number}.dcm`), slice)
  }
  return bytes
}
