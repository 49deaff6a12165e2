import { readFile, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { parseWhole } from "../../formats/dicom/index.ts"
import { generate, SynthError } from "../../synth/index.ts"
import type { Place } from "../../synth/index.ts"
import { dicomText, filesOf, hashOf, linesOf, makeHospital, resourceArrivals } from "./synth-hospital.ts"
import type { Made } from "./synth-hospital.ts"

interface Dcmjs {
  readonly data: {
    readonly DicomMessage: {
      readFile(buffer: ArrayBuffer): { readonly dict: Readonly<Record<string, { readonly Value: readonly unknown[] }>> }
    }
  }
  readonly log: { setLevel(level: string): void }
}

let made: Made
beforeAll(async () => {
  made = await makeHospital(20, 7)
})
afterAll(() => rm(join(made.out, ".."), { recursive: true, force: true }))
afterEach(() => vi.restoreAllMocks())

const isBroken = ({ file }: { readonly file: string }) => file.includes("/dicom/import/")
const images = () => made.truth.arrivals.filter((arrival) => arrival.type === "dicom" && !isBroken(arrival))

describe("the same seed", () => {
  test("gives the same bytes, another seed other ones", async () => {
    const [same, other] = [await makeHospital(20, 7), await makeHospital(20, 8)]
    try {
      expect(await hashOf(same.out)).toBe(await hashOf(made.out))
      expect(await hashOf(other.out)).not.toBe(await hashOf(made.out))
    } finally {
      for (const { out } of [same, other]) await rm(join(out, ".."), { recursive: true, force: true })
    }
  })

  test("is not written over what is there already", async () => {
    const again = generate({ patients: 1, seed: 7, out: made.out })
    await expect(again).rejects.toMatchObject({ name: "SynthError", code: "out-not-empty", path: "out" })
    await expect(generate({ patients: 0, seed: 7, out: made.out })).rejects.toBeInstanceOf(SynthError)
  })
})

describe("twenty patients", () => {
  test("have about sixty studies and four hundred images, in all four kinds", () => {
    const { studies, instances } = made.summary
    expect(studies).toBeGreaterThanOrEqual(50)
    expect(studies).toBeLessThanOrEqual(70)
    expect(instances).toBeGreaterThanOrEqual(350)
    expect(instances).toBeLessThanOrEqual(500)
    const kinds = made.truth.persons.flatMap((person) => person.studies.map(({ modality }) => modality))
    expect([...new Set(kinds)].sort()).toEqual(["CR", "CT", "MR", "US"])
  })

  test("show each label value for each phenotype in the first wave, and change some in the second", () => {
    const changes = new Set<string>()
    for (const { studies } of made.truth.persons)
      for (const { labels } of studies)
        for (const [name, value] of Object.entries(labels.wave2))
          if (labels.wave1[name] !== value) changes.add(`${labels.wave1[name]} > ${value}`)
    for (const counts of Object.values(made.summary.labels.wave1))
      expect(Object.keys(counts).sort()).toEqual(["negative", "positive", "uncertain", "unknown"])
    for (const change of [
      "unknown > positive",
      "uncertain > positive",
      "negative > positive",
      "positive > negative",
      "positive > uncertain",
      "positive > unknown",
    ])
      expect(changes).toContain(change)
  })

  test("show every trouble of a feed", () => {
    const fates = new Set(
      made.truth.arrivals.map((one) => ("reason" in one ? `${one.fate}:${one.reason}` : `${one.fate}`)),
    )
    const dead = ["app-segment", "burned-in-text-risk", "face-risk", "identifier-left", "overlay"]
    expect([...fates].sort()).toEqual(
      [
        ...dead.map((reason) => `dead-letter:refused.${reason}`),
        ...["bad-date", "no-id", "not-json", "truncated"].map((reason) => `dead-letter:${reason}`),
        ...["duplicate", "no-person", "not-dicom", "older-version"].map((reason) => `dropped:${reason}`),
        "released",
        "waiting",
      ].sort(),
    )
  })
})

describe("the truth", () => {
  test("has one fate for each file and each line", async () => {
    const arrivals = new Set(made.truth.arrivals.map(({ file, line }) => `${file}:${line ?? ""}`))
    const found: string[] = []
    for (const file of await filesOf(made.out)) {
      if (/^wave.\/dicom/.test(file)) found.push(`${file}:`)
      if (/^wave.\/ehr/.test(file)) found.push(...(await linesOf(made.out, file)).map((_, at) => `${file}:${at + 1}`))
    }
    expect([...arrivals].sort()).toEqual(found.sort())
    expect(made.truth.arrivals).toHaveLength(found.length)
  })

  test("counts the instances of each study as they come", () => {
    const uids = new Map<string, number>()
    for (const { file, fate } of images()) {
      if (fate === "dropped") continue
      const [, , , accession] = file.split("/")
      uids.set(accession!, (uids.get(accession!) ?? 0) + 1)
    }
    for (const { studies } of made.truth.persons)
      for (const { accession, instances } of studies) expect(uids.get(accession) ?? 0).toBe(instances.wave2)
  })
})

describe("DICOM files", () => {
  test("are read by another library, with names as they are written", () => {
    const { data, log } = createRequire(import.meta.url)("dcmjs") as Dcmjs
    log.setLevel("silent")
    vi.spyOn(console, "error").mockImplementation(() => undefined)
    vi.spyOn(console, "warn").mockImplementation(() => undefined)
    return Promise.all(
      images().map(async ({ file, person }) => {
        const bytes = await readFile(join(made.out, file))
        // That library insists on a preamble.
        if (bytes.toString("latin1", 128, 132) !== "DICM") return
        const { dict } = data.DicomMessage.readFile(new Uint8Array(bytes).buffer)
        const [name] = dict["00100010"]!.Value as [{ readonly Alphabetic: string }]
        const names = made.planted
          .filter((one) => one.person === person && one.kind === "name")
          .map(({ value }) => value)
        expect(names).toContain(String(name.Alphabetic ?? name))
      }),
    )
  })

  test("come in six transfer syntaxes, one of them without a preamble", async () => {
    const syntaxes = new Set<string>()
    let bare = 0
    for (const { file } of images()) {
      const bytes = await readFile(join(made.out, file))
      syntaxes.add(parseWhole(bytes).transferSyntax)
      if (bytes.toString("latin1", 128, 132) !== "DICM") bare++
    }
    expect(syntaxes.size).toBe(6)
    expect(bare).toBeGreaterThan(0)
  })

  test("that are meant to be broken are", async () => {
    const broken = made.truth.arrivals.filter(isBroken)
    expect(broken).toHaveLength(5)
    for (const arrival of broken) {
      const reason = "reason" in arrival ? arrival.reason : ""
      const bytes = await readFile(join(made.out, arrival.file))
      expect(() => parseWhole(bytes)).toThrow(expect.objectContaining({ code: reason }))
    }
  })
})

describe("FHIR lines", () => {
  test("are JSON, with references to what is there", async () => {
    const ids = new Set<string>()
    const references: string[] = []
    for (const [arrival, text] of await resourceArrivals(made)) {
      if (arrival.fate === "dead-letter") continue
      const resource = JSON.parse(text)
      expect(resource.resourceType).toBe(arrival.type)
      expect(resource.meta).toMatchObject({ versionId: expect.any(String), lastUpdated: expect.any(String) })
      ids.add(`${resource.resourceType}/${resource.id}`)
      for (const [, found] of text.matchAll(/"reference":"([^"]+)"/g)) references.push(found!)
    }
    expect(references.length).toBeGreaterThan(1000)
    expect(references.filter((reference) => !ids.has(reference))).toEqual([])
  })

  test("say nothing that is known only after their wave", async () => {
    for (const [arrival, text] of await resourceArrivals(made)) {
      if (arrival.fate === "dead-letter") continue
      const { lastUpdated } = JSON.parse(text).meta
      const wave = made.truth.waves.find(({ name }) => name === arrival.wave)!
      expect(Date.parse(lastUpdated)).toBeLessThan(Date.parse(wave.asOf))
    }
  })
})

async function textOf(file: string): Promise<string> {
  if (!file.endsWith(".dcm")) return (await linesOf(made.out, file)).map(decoded).join("\n")
  const bytes = await readFile(join(made.out, file))
  if (file.includes("/dicom/import/")) return bytes.toString("latin1")
  return dicomText(bytes)
}

/** A line with its escapes undone. */
const decoded = (line: string): string => {
  try {
    const texts: string[] = []
    JSON.parse(line, (_, value: unknown) => (typeof value === "string" ? (texts.push(value), value) : value))
    return texts.join("\n")
  } catch {
    return line
  }
}

describe("planted identifiers", () => {
  test("are each where the list says", async () => {
    const files = await filesOf(made.out)
    const texts = new Map<string, string>()
    const under = async ({ path, at }: Place): Promise<string> => {
      if (at === "path") return path
      const known = texts.get(path)
      if (known !== undefined) return known
      const held = files.filter((file) => (path.endsWith("/") ? file.startsWith(path) : file === path))
      const text = (await Promise.all(held.map(textOf))).join("\n")
      texts.set(path, text)
      return text
    }
    const missing: string[] = []
    for (const { value, form, where } of made.planted) {
      if (form === "written") expect(where.length).toBeGreaterThan(0)
      for (const place of where) if (!(await under(place)).includes(value)) missing.push(`${place.path} ${place.at}`)
    }
    expect(missing).toEqual([])
  })

  test("cover names, numbers, UIDs, dates and addresses of everybody", () => {
    for (const { person, identifiers, studies, patientId, birthDate } of made.truth.persons) {
      const own = new Set(made.planted.filter((one) => one.person === person).map(({ value }) => value))
      for (const { value } of identifiers) expect(own).toContain(value)
      for (const { uid, accession, started } of studies) {
        expect(own).toContain(uid)
        expect(own).toContain(accession)
        expect(own).toContain(started.slice(0, 10))
        expect(own).toContain(started.slice(0, 10).replaceAll("-", ""))
      }
      expect(own).toContain(patientId)
      expect(own).toContain(birthDate.replaceAll("-", ""))
    }
  })

  test("leave no date of an event outside 2024, so that none equals a shifted one", () => {
    const dates = made.planted.filter(({ kind }) => kind === "date").map(({ value }) => value)
    expect(dates.filter((value) => !value.startsWith("2024"))).toEqual([])
    const births = made.planted
      .filter(({ kind }) => kind === "birth-date")
      .map(({ value }) => Number(value.slice(0, 4)))
    expect(Math.max(...births)).toBeLessThan(2013)
  })
})
