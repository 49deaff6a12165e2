import { describe, expect, it } from "vitest"
import type { Label, Made, PersonEvent } from "../../core/index.ts"
import { label } from "../../core/index.ts"
import { deidentifyFhir } from "../../transforms/deidentify/fhir.ts"
import { deidentifyHl7v2 } from "../../transforms/deidentify/hl7v2.ts"
import { deidentifyRecord } from "../../transforms/deidentify/record.ts"
import { keyIdOf } from "../../transforms/deidentify/profile.ts"
import { MemoryVault, record, runTransform, testContext } from "../kit/index.ts"

const key = new Uint8Array(32).fill(3)
const context = testContext({
  secret: () => key,
  outputs: { out: { topic: "t", zone: "limited" } },
  vault: async () => new MemoryVault("random"),
})

const event = (body: string, id: string, more: Partial<PersonEvent> = {}) =>
  record({
    key: "person-key",
    id,
    version: 4n,
    value: { body, name: "m1", codes: [], identifiers: [], birthDate: null, flags: [], ...more } as never,
  })

type Profile = "shifted" | "safe-harbor" | "limited-data-set"
const optionsOf = (profile: Profile) => ({ key: "k", profile, ...(profile === "safe-harbor" ? { vault: "v" } : {}) })

async function ofResource(resource: object, profile: Profile = "shifted", birthDate: string | null = null) {
  const step = await deidentifyFhir.create(optionsOf(profile), context)
  const { made } = await runTransform(step, [event(JSON.stringify(resource), "resource/x/o1", { birthDate })] as never)
  return made[0]!.made
}

async function ofMessage(...lines: readonly string[]): Promise<Made> {
  const step = await deidentifyHl7v2.create(optionsOf("shifted"), context)
  const { made, failed } = await runTransform(step, [
    event(`${lines.join("\r")}\r`, "message/hl7v2/m1", { identifiers: [] }),
  ] as never)
  if (failed[0] !== undefined) throw failed[0].error
  return made[0]!.made
}

const observation = {
  resourceType: "Observation",
  id: "o1",
  status: "final",
  code: { coding: [{ system: "http://loinc.org", code: "4548-4", display: "HbA1c" }], text: "of Jane" },
  subject: { reference: "Patient/p1", display: "Jane Doe" },
  effectiveDateTime: "2019-03-04",
  valueQuantity: { value: 6, system: "http://unitsofmeasure.org", code: "%" },
  note: [{ text: "Jane Doe was late" }],
}

describe("what de-identification says that it did to a resource", () => {
  it("counts each element by what became of it; what no rule lists goes as one", async () => {
    expect(await ofResource(observation)).toEqual({
      rules: "weir-fhir-r4-1 shifted",
      keyId: keyIdOf(key),
      actions: {
        // resourceType, status, value
        kept: 3,
        // The coding without its display.
        reduced: 1,
        // id, subject
        mapped: 2,
        shifted: 1,
        // code.text, note
        removed: 2,
      },
    })
  })

  it("tells of dates what the profile does", async () => {
    expect((await ofResource(observation, "safe-harbor")).actions).toMatchObject({ year: 1 })
    const { actions } = await ofResource(observation, "limited-data-set")
    expect([actions["shifted"], actions["kept"]]).toEqual([undefined, 4])
  })

  it("counts what was dropped or capped because of its code as that, and the age that stands for the birth date as added", async () => {
    const told = {
      ...observation,
      code: { coding: [{ system: "http://loinc.org", code: "21112-8" }] },
      valueQuantity: undefined,
      valueDateTime: "1950-01-02",
    }
    const born = await ofResource(told, "shifted", "1950-01-02")
    expect(born.actions).toMatchObject({ removed: 2, shifted: 1, added: 1 })
    const age = {
      ...observation,
      component: [
        { code: {} },
        { code: { coding: [{ system: "http://loinc.org", code: "30525-0" }] }, valueInteger: 95 },
      ],
    }
    const plain = await ofResource({ ...observation, component: [{ code: {} }] })
    const capped = await ofResource(age)
    expect(capped.actions["reduced"]).toBe(plain.actions["reduced"]! + 1)
  })

  it("counts nothing of a resource that is refused", async () => {
    const step = await deidentifyFhir.create({ key: "k" }, context)
    const { made, failed } = await runTransform(step, [
      event('{"resourceType":"Binary","id":"1"}', "resource/x/1"),
    ] as never)
    expect([made, failed.length]).toEqual([[], 1])
  })
})

describe("what de-identification says that it did to a message", () => {
  it("counts fields by what became of them, and what was found in its texts by kind", async () => {
    const made = await ofMessage(
      "MSH|^~\\&|LAB||||20190304||ORU^R01|77|P|2.5",
      "PID|1||4711^^^HOSP^MR||Doe^Jane||19500102|F|||12 Elm St",
      "ZXX|1|secret",
      "OBX|1|TX|4548-4^HbA1c^LN||Seen by Dr. John Smithers on 03/01/2019.",
    )
    expect(made.rules).toBe("weir-hl7v2-1 shifted")
    expect(made.actions).toEqual({
      // MSH-9, 11, 12, PID-1, 8, OBX-1, 2, 3
      kept: 8,
      // MSH-3, PID-7, 11, ZXX-1, 2
      removed: 5,
      // MSH-10, PID-3, PID-5
      mapped: 3,
      shifted: 1,
      cleaned: 1,
      added: 1,
    })
    expect(Object.keys(made.findings ?? {}).sort()).toEqual(["date", "name"])
  })

  it("counts no finding of a text that went whole", async () => {
    const made = await ofMessage(
      "MSH|^~\\&|LAB||||20190304||ORU^R01|77|P|2.5",
      "PID|1||4711^^^HOSP^MR||Doe^Jane",
      "OBX|1|TX|121008^Person^DCM||Dr. John Smithers",
    )
    expect(made.findings).toBeUndefined()
  })
})

describe("what de-identification says that it did to a record", () => {
  it("counts its fields by their marks", async () => {
    const time = Date.UTC(2020, 4, 6)
    const value: Label = {
      phenotype: "fracture",
      ruleVersion: "1",
      studyInstanceUid: "1.2.826.1",
      value: "positive",
      reason: "matched",
      rung: "encounter",
      ambiguous: false,
      candidates: 1,
      clinicalTime: time,
      knownTime: null,
      grade: "",
      evidence: [{ resourceType: "Condition", resourceId: "c-1", revision: 2, time, role: "supports" }],
    }
    const step = await deidentifyRecord.create({ key: "k" }, context)
    const one = { ...record({ key: "person-key", id: "fracture/1.2.826.1", value }), type: label.name }
    const { made, failed } = await runTransform(step, [one] as never)
    expect(failed).toEqual([])
    expect(made[0]!.made).toEqual({
      rules: "weir-record-1 shifted",
      keyId: keyIdOf(key),
      // Of the evidence its type, revision and role; what a record does not say is not counted.
      actions: { kept: 10, mapped: 2, shifted: 2 },
    })
  })
})
