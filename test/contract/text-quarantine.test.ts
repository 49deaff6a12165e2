import { expect, it } from "vitest"
import { label, pseudonymizer, rowId } from "../../core/index.ts"
import type { Label, PersonEvent, Rec } from "../../core/index.ts"
import { deidentifyFhir } from "../../transforms/deidentify/fhir.ts"
import { deidentifyHl7v2 } from "../../transforms/deidentify/hl7v2.ts"
import { deidentifyRecord } from "../../transforms/deidentify/record.ts"
import { OwnIdentifierLeft, cleanReport } from "../../transforms/deidentify/texts.ts"
import { record, runTransform, testContext } from "../kit/index.ts"

/** Names by script and length: family and given, some that are words of medicine, places or codes too. */
const names: Readonly<Record<string, readonly (readonly [family: string, given: string])[]>> = {
  "two letters": [
    ["Li", "Wu"],
    ["Ng", "An"],
    ["Oh", "Jo"],
    ["Xu", "Yi"],
    ["Ko", "Ae"],
    ["Ma", "Mo"],
  ],
  "three letters": [
    ["Lee", "Ann"],
    ["Kim", "Sun"],
    ["Fay", "Ray"],
    ["Pet", "Cat"],
    ["Hip", "Leg"],
    ["Low", "Day"],
  ],
  "four letters": [
    ["Head", "Rose"],
    ["Bone", "Lily"],
    ["Foot", "Jade"],
    ["Kane", "Ruth"],
    ["Lung", "Faye"],
    ["Mann", "Will"],
  ],
  "longer ones": [
    ["Chest", "Anna"],
    ["Coronel", "Axel"],
    ["Quillfeather", "Osric"],
    ["White", "Young"],
    ["Parkinson", "Paul"],
    ["Final", "Grace"],
  ],
  Han: [
    ["王", "伟"],
    ["山田", "太郎"],
    ["金", "喜善"],
  ],
  Cyrillic: [
    ["Ли", "Ян"],
    ["Иванов", "Иван"],
    ["Петрова", "Анна"],
  ],
  Greek: [
    ["Δεδες", "Νικος"],
    ["Ρω", "Χι"],
  ],
  Hangul: [
    ["김", "희중"],
    ["이", "수"],
  ],
}

const key = new Uint8Array(32).fill(9)
const person = "person-key-of-the-test"
const policy = { pseudonyms: pseudonymizer(key), issuer: (issuer: string) => issuer }
const context = testContext({
  secret: () => key,
  outputs: { out: { topic: "below", zone: "limited" } as never },
})

/** A report as radiologists write them, signed by somebody else. */
const report = ([family, given]: readonly [string, string]): string =>
  [
    `Patient: ${family}, ${given}`,
    "CT of the chest, low dose, with 5 mm slices. Comparison: none.",
    "The head and neck of the right humerus are intact. Bone windows show no lytic lesion. No pet or cat scan available.",
    "Lung: no nodule in the white zone. Hip and leg not seen. Sun exposure denied. Final report, day 3.",
    `Impression: ${given} ${family} has no acute finding. Parkinson disease known. Will follow up in May.`,
  ].join("\n")

const event = (
  kind: PersonEvent["kind"],
  name: string,
  body: string,
  subtype: string,
): Rec<PersonEvent> & { input: string } =>
  record({
    key: person,
    id: rowId([kind, subtype, name]),
    version: 1n,
    time: 0,
    value: {
      kind,
      subtype,
      name,
      source: "ehr",
      sourceVersion: "1",
      instance: null,
      body,
      codes: [],
      identifiers: [],
      birthDate: "1950-06-11",
      flags: [],
    },
  }) as never

type Name = readonly [family: string, given: string]

const aLabel: Label = {
  phenotype: "lung-cancer",
  ruleVersion: "1-abcdef",
  studyInstanceUid: "1.2.826.1",
  value: "positive",
  reason: "met",
  rung: "study-uid",
  ambiguous: false,
  candidates: 1,
  clinicalTime: 0,
  knownTime: 0,
  grade: "pathology",
  evidence: [{ resourceType: "Condition", resourceId: "final-chest-1", revision: 2, time: 0, role: "supports" }],
}

/** Whether something clean of a person of that name is held back by the self-check, by kind. */
const kinds: Readonly<Record<string, (name: Name) => Promise<boolean>>> = {
  "report texts": async (name) => {
    const known = {
      names: [{ family: [name[0]], given: [name[1]] }],
      ids: [{ value: "MRN-471147" }],
      birthDates: ["1950-06-11"],
    }
    try {
      cleanReport(policy, person, known, report(name))
      return false
    } catch (error) {
      if (error instanceof OwnIdentifierLeft) return true
      throw error
    }
  },
  "HL7 v2 messages": async (name) => {
    const body = [
      "MSH|^~\\&|APP|HOSP|||20240229103000||ORU^R01^ORU_R01|77|P|2.5.1||||||UNICODE UTF-8",
      `PID|1||MRN-471147^^^HOSP^MR||${name[0]}^${name[1]}||19500611|F`,
      "OBR|1||ACC-778899|71250^CT chest^C4|||20240229101500",
      ...report(name)
        .split("\n")
        .map((line, at) => `OBX|${at + 1}|TX|24627-2^CT Chest^LN||${line}||||||F`),
      "",
    ].join("\r")
    return held(await deidentifyHl7v2.create({ key: "k" }, context), event("message" as never, "m1", body, "ORU^R01"))
  },
  "FHIR resources": async ([family, given]) => {
    const patient = {
      resourceType: "Patient",
      id: "p-471147",
      name: [{ family, given: [given] }],
      gender: "female",
      birthDate: "1950-06-11",
      maritalStatus: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", code: "M" }] },
    }
    return held(
      await deidentifyFhir.create({ key: "k" }, context),
      event("person", "p-471147", JSON.stringify(patient), "Patient"),
    )
  },
  records: async ([family, given]) => {
    const rec = {
      ...record({
        key: `${family} ${given}`,
        id: rowId(["lung-cancer", "1.2.826.1"]),
        version: 1n,
        time: 0,
        value: aLabel,
      }),
      type: label.name,
    }
    return held(await deidentifyRecord.create({ key: "k" }, context), rec as never)
  },
}

async function held(instance: unknown, one: Rec & { input: string }): Promise<boolean> {
  const { emitted, failed } = await runTransform(instance as never, [one] as never)
  const codes = failed.map(({ error }) => (error as { code?: string }).code)
  expect(emitted.length + codes.filter((code) => code === "refused.self-check").length, String(codes)).toBe(1)
  return codes.length > 0
}

const cases = Object.keys(kinds).flatMap((kind) => Object.keys(names).map((script) => [kind, script] as const))
it.each(cases)("the quarantine of clean %s is bounded for names: %s", async (kind, script) => {
  const caught: string[] = []
  for (const name of names[script]!) if (await kinds[kind]!(name)) caught.push(name.join(" "))
  console.log(`quarantined, ${kind}, ${script}: ${caught.length} of ${names[script]!.length}`)
  expect(caught).toEqual([])
})

it("and what is not clean is held back", async () => {
  expect(await kinds["records"]!(["Lung", "Cancer"])).toBe(true)
})
