import { createHash } from "node:crypto"
import { mkdir, open, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { gzipSync } from "node:zlib"
import { buildPart10 } from "../../formats/dicom/index.ts"
import type { DataElement } from "../../formats/dicom/index.ts"
import { definitionFiles } from "../../synth/definitions.ts"
import { slice } from "../contract/dicom-border.ts"

/** Values that stand in the files, and may stand in nothing that people read: no line of a log, no dead letter, nothing below. */
export const canaries = ["Quexworth", "7781904455", "zebrafinch", "0000-13-45", "1931-07-14"] as const
const [family, mrn, secret, badDate, birthDate] = canaries

const patientSystem = "http://hospital.example/mrn"
const person = (id: string, more: object = {}) => ({
  resourceType: "Patient",
  id,
  meta: { versionId: "1", lastUpdated: "2024-02-01T08:00:00-05:00" },
  identifier: [{ system: patientSystem, value: mrn }],
  name: [{ family }],
  birthDate,
  ...more,
})
const observation = (id: string, more: object = {}) => ({
  resourceType: "Observation",
  id,
  meta: { versionId: "1", lastUpdated: "2024-03-06T08:00:00-05:00" },
  status: "final",
  code: { coding: [{ system: "http://loinc.org", code: "2160-0" }] },
  subject: { reference: "Patient/p1" },
  effectiveDateTime: "2024-03-05T10:00:00-05:00",
  valueQuantity: { value: 1.1, unit: "mg/dL", system: "http://unitsofmeasure.org", code: "mg/dL" },
  note: [{ text: secret }],
  ...more,
})

const levels = 200
const nest = (at: number): object =>
  at === 0 ? { url: "u", valueString: secret } : { url: "u", extension: [nest(at - 1)] }

/** Observations that there is nothing wrong with. */
export const goodObservations = 40

const lines = (...all: readonly unknown[]): string =>
  all.map((one) => `${typeof one === "string" ? one : JSON.stringify(one)}\n`).join("")

const ehr: Readonly<Record<string, string | Uint8Array>> = {
  "a-people.ndjson": lines(person("p1"), {
    ...person("p2", { birthDate: badDate }),
    identifier: [{ system: patientSystem, value: `${mrn}2` }],
  }),
  "b-good.ndjson": lines(...Array.from({ length: goodObservations }, (_, at) => observation(`good-${at}`))),
  "c-odd.ndjson": lines(
    observation("big", { note: [{ text: `${secret} `.repeat(280_000) }] }),
    observation("unknown-code", { code: { coding: [{ system: "http://elsewhere.example/codes", code: "X-17" }] } }),
    observation("deep", { extension: [nest(levels)] }),
  ),
  "d-bad.ndjson": lines(
    `{"resourceType":"Observation","id":"${secret}`,
    `${secret} ${family}`,
    { ...observation("x"), id: undefined },
    observation("bad-date", { effectiveDateTime: badDate }),
    JSON.stringify(secret),
    { id: secret, name: [{ family }] },
  ),
  "e-empty.ndjson": "",
  "f-cut.ndjson.gz": gzipSync(
    `{"id":"${secret}${createHash("sha512").update(secret).digest("hex").repeat(9)}"}`,
  ).subarray(0, 90),
  "g-text.ndjson.gz": `${family} brought a CD`,
  "notes.txt": `${family}, record ${mrn}`,
}

const named: readonly DataElement[] = [
  { tag: "00100010", vr: "PN", value: `${family}^Alva` },
  { tag: "00100020", vr: "LO", value: mrn },
  { tag: "00100021", vr: "LO", value: "HOSP" },
  { tag: "00100030", vr: "DA", value: birthDate.replaceAll("-", "") },
  { tag: "00180015", vr: "CS", value: "CHEST" },
  { tag: "00104000", vr: "LT", value: secret },
]
const image = (sop: string, ...more: readonly DataElement[]): Buffer => Buffer.from(slice(sop, ...named, ...more))

/** Images that there is nothing wrong with. */
export const goodImages = 3

function deepImage(): Buffer {
  let items: readonly DataElement[] = [{ tag: "00081155", vr: "UI", value: "1.2.3" }]
  for (let at = 0; at < levels; at++) items = [{ tag: "00081115", vr: "SQ", items: [items] }]
  return image("1.2.3.4.5.80", ...items)
}

function longLength(): Buffer {
  const bytes = image("1.2.3.4.5.81")
  const at = bytes.lastIndexOf(Buffer.from([0xe0, 0x7f, 0x10, 0x00]))
  bytes.writeUInt32LE(0xfffffff0, at + 8)
  return bytes
}

const incoming: Readonly<Record<string, string | Uint8Array>> = {
  ...Object.fromEntries(
    Array.from({ length: goodImages }, (_, at) => [`good/I${at}.dcm`, image(`1.2.3.4.5.${at + 1}`)]),
  ),
  "bad/empty.dcm": "",
  "bad/notes.dcm": `${family}^Alva brought a CD, record ${mrn}. `.repeat(20),
  "bad/truncated.dcm": image("1.2.3.4.5.82").subarray(0, image("1.2.3.4.5.82").indexOf(family) + 4),
  "bad/length.dcm": longLength(),
  "odd/deep.dcm": deepImage(),
  "odd/no-uids.dcm": Buffer.from(
    buildPart10([{ tag: "00100010", vr: "PN", value: family }], { transferSyntax: "1.2.840.10008.1.2.1" }),
  ),
}

/** A gzip file of 2 GB of one line; members follow each other (RFC 1952, 2.2). */
async function bomb(path: string): Promise<void> {
  const file = await open(path, "w")
  const member = gzipSync(Buffer.alloc(64 << 20, 0x20))
  await file.write(gzipSync(`{"id":"${secret}`))
  for (let at = 0; at < 32; at++) await file.write(member)
  await file.close()
}

/** Puts the files, good and bad, and what the demo's pipeline needs beside them, into a folder. Gives the pipeline file.
 * @param change of the demo's pipeline file
 * @param evil with what must not be read whole */
export async function badFiles(folder: string, example: string, evil = true): Promise<string> {
  const put = async (path: string, text: string | Uint8Array) => {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  for (const [path, text] of definitionFiles) await put(path, text)
  for (const [path, bytes] of Object.entries(incoming)) await put(join("incoming", path), bytes)
  for (const [path, bytes] of Object.entries(ehr)) await put(join("ehr", path), bytes)
  if (evil) await bomb(join(folder, "ehr", "h-bomb.ndjson.gz"))
  for (const [at, name] of ["project", "identity"].entries()) await put(join("keys", name), `${at}`.repeat(40))
  const file = join(folder, "pipeline.yaml")
  await writeFile(file, example)
  return file
}
